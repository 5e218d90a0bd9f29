//! What spans say of filters.

use super::span::Kind;
use super::tracer::Parent;
use crate::telemetry::{CallResult, Phase};
use std::time::Duration;

/// A span for a call of a filter that is over, if it settled the request, failed, or every call is wanted.
pub fn called(parent: &Parent, (filter, version): (&str, &str), phase: Phase, result: CallResult, took: Duration) {
    if parent.context().is_none() || (result == CallResult::Next && !parent.is_about_every_filter()) {
        return;
    }
    parent.past(Kind::Internal, took, |span| {
        span.name(format!("filter {filter}"));
        span.set("sluicegate.filter", filter.to_owned());
        span.set("sluicegate.filter.version", version.to_owned());
        span.set("sluicegate.filter.phase", phase.name());
        span.set("sluicegate.filter.result", result.name());
        if result.is_failure() {
            span.fail(result.name(), "the filter failed");
        }
    });
}
