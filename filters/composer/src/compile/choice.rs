//! Choices among calls: the first good one, or several.

use super::{Compiled, Compiler};
use crate::code;
use crate::composition::{Call, Choice};
use crate::document::{self, Spec};
use crate::report::{Place, Report};

impl Compiler<'_> {
    pub(super) fn choice(
        &self,
        name: &str,
        call: &document::Call,
        spec: &Spec,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Compiled {
        let (key, names, enough) = match (&call.first_of, &call.quorum) {
            (Some(names), _) => ("firstOf", names.as_slice(), 1),
            (None, Some(quorum)) => ("quorum", quorum.of.as_slice(), quorum.enough),
            (None, None) => ("", &[][..], 0),
        };
        check_fields(call, place, report);
        let at = place.key(key);
        let list = if key == "quorum" { at.key("of") } else { at.clone() };
        let mut members = Vec::new();
        for (index, member) in names.iter().enumerate() {
            let place = list.index(index);
            let Some(number) = self.call_named(member, &place, report) else { continue };
            let other = spec.calls.0.get(number).map(|(_, call)| call);
            let is_plain = other.is_some_and(|call| {
                call.first_of.is_none() && call.quorum.is_none() && call.for_each.is_none() && call.when.is_none()
            });
            if members.contains(&number) {
                report.error(&place, code::SET, format!("`{member}` is there twice"), "name each call once");
            } else if !is_plain {
                let message = format!("`{member}` cannot be an alternative");
                let help = "alternatives are plain calls, without `forEach`, `when`, `firstOf` and `quorum`";
                report.error(&place, code::SET, message, help);
            } else if let Some((taken, _)) = earlier_choice(name, member, spec) {
                let message = format!("`{member}` is an alternative of `{taken}` already");
                report.error(&place, code::SET, message, "a call can be in one choice");
            }
            members.push(number);
        }
        check_number(names.len(), enough, &at, report);
        let required = !call.optional && call.default.is_none();
        let may_be_absent = call.default.is_none() && call.optional;
        let choice = Choice { members, enough, list: key == "quorum", required };
        Compiled { call: Call::Choice(choice), uses: Vec::new(), after: Vec::new(), may_be_absent }
    }
}

/// A choice that stands before this one and has the same member.
fn earlier_choice<'s>(name: &str, member: &str, spec: &'s Spec) -> Option<&'s (String, document::Call)> {
    let has = |names: Option<&Vec<String>>| names.is_some_and(|names| names.iter().any(|other| other == member));
    spec.calls
        .into_iter()
        .take_while(|(other, _)| other != name)
        .find(|(_, call)| has(call.first_of.as_ref()) || has(call.quorum.as_ref().map(|quorum| &quorum.of)))
}

fn check_fields(call: &document::Call, place: &Place, report: &mut Report<'_>) {
    if call.first_of.is_some() && call.quorum.is_some() {
        let message = "`firstOf` and `quorum` exclude each other";
        report.error(&place.key("quorum"), code::FIELDS, message, "write two calls");
    }
    let fields = [
        ("service", call.service.is_some()),
        ("path", call.path.is_some()),
        ("method", call.method.is_some()),
        ("body", call.body.is_some()),
        ("forEach", call.for_each.is_some()),
        ("when", call.when.is_some()),
        ("after", !call.after.is_empty()),
        ("deadline", call.deadline.is_some()),
        ("retries", call.retries.is_some()),
        ("cache", call.cache.is_some()),
        ("accept", !call.accept.is_empty()),
        ("passOn", !call.pass_on.is_empty()),
        ("query", !call.query.0.is_empty()),
        ("headers", !call.headers.0.is_empty()),
        ("passHeaders", !call.pass_headers.is_empty()),
        ("maxBody", call.max_body.is_some()),
        ("subset", call.subset.is_some()),
    ];
    for (name, _) in fields.into_iter().filter(|(_, is_there)| *is_there) {
        let message = format!("a choice among calls has no `{name}`");
        report.error(&place.key(name), code::FIELDS, message, "write it in the calls that are chosen from");
    }
}

fn check_number(members: usize, enough: u32, place: &Place, report: &mut Report<'_>) {
    if members < 2 {
        let help = "name at least two calls, or use the one call itself";
        report.error(place, code::SET, "a choice needs something to choose from", help);
    } else if enough == 0 || usize::try_from(enough).is_ok_and(|enough| enough > members) {
        let message = format!("{enough} good answers of {members} calls cannot be had");
        report.error(&place.key("enough"), code::SET, message, format!("write a number from 1 to {members}"));
    }
}
