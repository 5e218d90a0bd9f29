//! The answer.

use super::{Compiled, Compiler, check_size, header};
use crate::code;
use crate::composition::{Call, Response, Status};
use crate::document::Spec;
use crate::report::{Place, Report};
use crate::template::build::{Position, node};
use crate::template::resolve::{ERRORS, Resolver, Use};
use crate::template::{Chain, Node, Source};
use serde_json::Value;
use sluicegate_sdk::json;

/// The answer with all that it uses.
pub(super) struct Answer {
    pub(super) response: Response,
    pub(super) uses: Vec<Use>,
}

impl Compiler<'_> {
    pub(super) fn response(&self, spec: &Spec, calls: &[Compiled], report: &mut Report<'_>) -> Answer {
        let place = Place::spec().key("response");
        let mut resolver = Resolver::new(&self.names, report);
        let status = status(spec.response.status.as_ref(), &place.key("status"), &mut resolver);
        let headers =
            header::headers(&spec.response.headers, &place.key("headers"), &header::OF_ANSWERS, &mut resolver);
        let body_place = place.key("body");
        let body = match &spec.response.body {
            Some(body) => node(body, Position::Answer, 0, &body_place, &mut resolver).0,
            None => self.every_part(calls, &body_place, &mut resolver),
        };
        let (uses, nodes) = (std::mem::take(&mut resolver.uses), resolver.nodes);
        check_size(nodes, &body_place, report);
        let vary = vary(spec, calls, &uses);
        Answer { response: Response { status, headers, body, etag: spec.response.etag, vary }, uses }
    }

    /// What is answered where the document says nothing: every body under its call's name, then what failed. Choices stand
    /// for what they are made of.
    fn every_part(&self, calls: &[Compiled], place: &Place, resolver: &mut Resolver<'_, '_, '_>) -> Node {
        let chosen_from: Vec<usize> = calls
            .iter()
            .filter_map(|compiled| if let Call::Choice(choice) = &compiled.call { Some(&choice.members) } else { None })
            .flatten()
            .copied()
            .collect();
        let mut members = Vec::new();
        for (index, call) in self.names.calls.iter().enumerate().filter(|(index, _)| !chosen_from.contains(index)) {
            let source = Source::CallBody(index);
            resolver.uses.push(Use { source: source.clone(), whole: true, fallback: true, place: place.clone() });
            members.push((json::string(&call.name), Node::Value(Chain::of(source))));
        }
        members.push((json::string(ERRORS), Node::Value(Chain::of(Source::Errors))));
        Node::Object(members)
    }
}

fn status(written: Option<&Value>, place: &Place, resolver: &mut Resolver<'_, '_, '_>) -> Status {
    let number = match written {
        None => return Status::ByParts,
        Some(Value::String(text)) if text.contains('{') => return Status::Template(resolver.text(text, place)),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    if let Some(number) = number.filter(|number| (200..600).contains(number)) {
        return Status::Fixed(number);
    }
    let help = "write a number from 200 to 599, or the status of a call: `\"{order.status}\"`";
    resolver.report.error(place, code::STATUS, "this is not a status that can be answered", help);
    Status::ByParts
}

/// Headers of the request that the answer depends on. What a call does with a header that goes along is its service's to
/// say.
fn vary(spec: &Spec, calls: &[Compiled], uses: &[Use]) -> Vec<String> {
    let of_calls = calls.iter().flat_map(|compiled| &compiled.uses);
    let headers = of_calls.chain(uses).filter_map(|one| match &one.source {
        Source::Header(name) => Some(name.clone()),
        _ => None,
    });
    let mut names: Vec<String> =
        headers.chain(spec.headers.into_iter().map(|(name, _)| name.to_ascii_lowercase())).collect();
    names.sort();
    names.dedup();
    names
}
