//! What a rule may have without effect yet: delegates. They are checked as Istio checks them, so that a file that passes
//! here keeps its meaning when they take effect.

use crate::code;
use crate::config::{Delegate, HttpRoute};
use crate::report::{Place, Report};

/// Checks and reports everything of a rule that has no effect yet.
pub fn report(rule: &HttpRoute, place: &Place, report: &mut Report<'_>) {
    if let Some(delegate) = &rule.delegate {
        let place = place.key("delegate");
        check_delegate(delegate, &place, report);
    }
}

fn check_delegate(delegate: &Delegate, place: &Place, report: &mut Report<'_>) {
    if delegate.name.as_ref().is_none_or(String::is_empty) {
        report.error(place, code::DELEGATE, "the delegate has no name", "add `name` of another VirtualService");
    }
}
