//! A plan of calls, with nothing called.

use super::destination;
use crate::admin::view::{ExplainCache, ExplainCall, ExplainGroup, ExplainPlan};
use crate::gather::{Call, Plan};
use crate::snapshot::Snapshot;
use crate::wasm::types::{BodyUse, CachePolicy, StatusRange};
use std::time::Duration;

/// What would be called.
pub(super) fn explain(snapshot: &Snapshot, plan: &Plan) -> ExplainPlan {
    let call = |place: usize, call: &Call| explain_call(snapshot, plan, place, call);
    let of_set = |set: u64| {
        let members = plan.calls.iter().enumerate().filter(move |(place, _)| set & (1 << place) != 0);
        members.map(|(place, member)| call(place, member)).collect()
    };
    let groups = plan.groups.iter().map(|group| ExplainGroup {
        concurrency: group.concurrency,
        enough: group.enough,
        required: group.required,
        calls: of_set(group.calls),
    });
    let grouped = plan.groups.iter().fold(0, |set, group| set | group.calls);
    ExplainPlan {
        deadline: plan.deadline.map(milliseconds),
        groups: groups.collect(),
        calls: of_set(!grouped),
        expected: plan.expected.as_ref().map(|expected| expected.head.status().as_u16()),
    }
}

fn explain_call(snapshot: &Snapshot, plan: &Plan, place: usize, call: &Call) -> ExplainCall {
    let same = plan.calls.get(call.same_as).filter(|_| call.same_as != place);
    let range = |range: &StatusRange| match (range.first, range.last) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    let cache = |policy: CachePolicy| ExplainCache {
        default_lifetime: policy.default_lifetime,
        stale_while_revalidate: policy.stale_while_revalidate,
        stale_if_error: policy.stale_if_error,
    };
    let body = match call.body_use {
        BodyUse::Read => "read",
        BodyUse::ReadJson => "read-json",
        BodyUse::Splice => "splice",
        BodyUse::SpliceJson => "splice-json",
    };
    ExplainCall {
        name: call.name.clone(),
        request: format!("{} {}", call.head.method, call.head.uri),
        destination: destination(snapshot, &call.destination),
        required: call.required,
        deadline: call.deadline.map(milliseconds),
        accept: call.accept.iter().map(range).collect(),
        retries: call.retries.as_ref().map_or(0, |retries| retries.attempts),
        body: body.to_owned(),
        cache: call.cache.map(cache),
        same_as: same.map(|same| same.name.clone()),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
