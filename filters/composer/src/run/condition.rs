//! Whether conditions hold.

use crate::composition::Condition;
use crate::part::Part;
use crate::template::scope::{Scope, Value};
use sluicegate_sdk::json::{self, Kind};
use std::borrow::Cow;

/// Whether a condition holds.
pub(super) fn holds(condition: &Condition, scope: &Scope<'_>) -> bool {
    match condition {
        Condition::Exists(chain) => scope.chain(chain, None).and_then(Value::into_plain).is_some(),
        Condition::Equals(one, other) => {
            let value = |node| scope.render(node, None);
            match (value(one), value(other)) {
                (Some(one), Some(other)) => same(&one, &other),
                _ => false,
            }
        }
        Condition::Status(call, ranges) => scope
            .status(*call)
            .is_some_and(|status| ranges.iter().any(|&(first, last)| (first..=last).contains(&status))),
        Condition::Succeeded(call) => scope.parts.get(*call).is_some_and(Part::is_good),
        Condition::Failed(call) => matches!(scope.parts.get(*call), Some(Part::Failed(_))),
        Condition::All(conditions) => conditions.iter().all(|condition| holds(condition, scope)),
        Condition::Any(conditions) => conditions.iter().any(|condition| holds(condition, scope)),
        Condition::Not(condition) => !holds(condition, scope),
    }
}

/// Whether two values are the same. What comes from a request is text, so scalars are compared as they are written.
fn same(one: &str, other: &str) -> bool {
    let plain = |text| match json::kind(text) {
        Kind::Text | Kind::Scalar => Some(json::plain(text)),
        _ => None::<Cow<'_, str>>,
    };
    one == other || plain(one).is_some_and(|one| plain(other) == Some(one))
}
