//! Conditions for calls.

use super::status::statuses;
use super::{Compiler, IN_CALLS};
use crate::code;
use crate::composition::Condition;
use crate::document;
use crate::report::Place;
use crate::template::build::node;
use crate::template::parse::Piece;
use crate::template::resolve::{Resolver, Use};
use crate::template::{Chain, Source};

impl Compiler<'_> {
    pub(super) fn condition(
        &self,
        written: &document::Condition,
        place: &Place,
        resolver: &mut Resolver<'_, '_, '_>,
    ) -> Condition {
        match written {
            document::Condition::Exists(text) => {
                let place = place.key("exists");
                let mut pieces = resolver.parse(text, &place);
                if let (Some(Piece::Value(operands, written)), true) = (pieces.pop(), pieces.is_empty()) {
                    Condition::Exists(resolver.chain(operands, written, false, &place).0)
                } else {
                    let help = "write one value in braces, such as `\"{request.query.full}\"`";
                    resolver.report.error(&place, code::CONDITION, "only a value can be there or not", help);
                    Condition::Exists(Chain { operands: Vec::new(), written: String::new() })
                }
            }
            document::Condition::Equals(values) => {
                let place = place.key("equals");
                let [one, other] = values.as_slice() else {
                    let help = "write `equals: [\"{request.query.view}\", full]`";
                    resolver.report.error(&place, code::CONDITION, "two values are compared", help);
                    return Condition::All(Vec::new());
                };
                let (one, _) = node(one, IN_CALLS, 0, &place.index(0), resolver);
                Condition::Equals(one, node(other, IN_CALLS, 0, &place.index(1), resolver).0)
            }
            document::Condition::Status(status) => {
                let place = place.key("status");
                let ranges = statuses(&status.r#in, &place.key("in"), resolver.report);
                if ranges.is_empty() {
                    let help = "write `status: {of: order, in: [404]}`";
                    resolver.report.error(&place, code::CONDITION, "no status is named", help);
                }
                self.of_call(&status.of, &place.key("of"), resolver, |call| Condition::Status(call, ranges))
            }
            document::Condition::Succeeded(name) => {
                self.of_call(name, &place.key("succeeded"), resolver, Condition::Succeeded)
            }
            document::Condition::Failed(name) => self.of_call(name, &place.key("failed"), resolver, Condition::Failed),
            document::Condition::All(conditions) => {
                Condition::All(self.conditions(conditions, &place.key("all"), resolver))
            }
            document::Condition::Any(conditions) => {
                Condition::Any(self.conditions(conditions, &place.key("any"), resolver))
            }
            document::Condition::Not(condition) => {
                Condition::Not(Box::new(self.condition(condition, &place.key("not"), resolver)))
            }
        }
    }

    fn conditions(
        &self,
        written: &[document::Condition],
        place: &Place,
        resolver: &mut Resolver<'_, '_, '_>,
    ) -> Vec<Condition> {
        if written.is_empty() {
            let help = "write at least one condition, or leave `when` out";
            resolver.report.error(place, code::CONDITION, "there is no condition", help);
        }
        let one = |(index, condition)| self.condition(condition, &place.index(index), resolver);
        written.iter().enumerate().map(one).collect()
    }

    fn of_call(
        &self,
        name: &str,
        place: &Place,
        resolver: &mut Resolver<'_, '_, '_>,
        make: impl FnOnce(usize) -> Condition,
    ) -> Condition {
        match self.call_named(name, place, resolver.report) {
            Some(call) => {
                let source = Source::CallStatus(call);
                resolver.uses.push(Use { source, whole: false, fallback: true, place: place.clone() });
                make(call)
            }
            None => Condition::All(Vec::new()),
        }
    }
}
