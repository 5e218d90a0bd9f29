//! A plan of calls, as a tree.

use super::write_destination;
use crate::command::print::harmless;
use sluicegate::admin::view::{ExplainCache, ExplainCall, ExplainGroup, ExplainPlan};
use std::fmt::{self, Write};

/// What stands before everything below the outcome's line.
const INDENT: &str = "     ";

/// Writes groups with their calls, then the other calls.
pub(super) fn write(plan: &ExplainPlan, tree: &mut String) -> fmt::Result {
    if let Some(deadline) = plan.deadline {
        writeln!(tree, "{INDENT}within {deadline} ms")?;
    }
    let last_group = plan.groups.len().checked_sub(1).filter(|_| plan.calls.is_empty());
    for (index, group) in plan.groups.iter().enumerate() {
        let last = last_group == Some(index);
        writeln!(tree, "{INDENT}{} {}", if last { "└─" } else { "├─" }, rule(group))?;
        write_calls(&group.calls, &format!("{INDENT}{}", if last { "     " } else { "│    " }), tree)?;
    }
    write_calls(&plan.calls, INDENT, tree)?;
    match plan.expected {
        Some(status) => writeln!(tree, "{INDENT}then {status}, if all goes as expected"),
        None => Ok(()),
    }
}

fn write_calls(calls: &[ExplainCall], before: &str, tree: &mut String) -> fmt::Result {
    for (index, call) in calls.iter().enumerate() {
        let last = index + 1 == calls.len();
        let mark = if last { "└─" } else { "├─" };
        writeln!(tree, "{before}{mark} {}: {}", harmless(&call.name), harmless(&describe(call)))?;
        let below = format!("{before}{}", if last { "     " } else { "│    " });
        write_destination(&call.destination, &below, tree)?;
    }
    Ok(())
}

/// What a group waits for.
fn rule(group: &ExplainGroup) -> String {
    let count = u32::try_from(group.calls.len()).unwrap_or(u32::MAX);
    let mut parts = vec![match group.enough {
        None => format!("all {count} of"),
        Some(1) => format!("the first good one of {count}"),
        Some(enough) => format!("the first {enough} good ones of {count}"),
    }];
    if group.concurrency < count {
        parts.push(format!("{} at once", group.concurrency));
    }
    if group.required {
        parts.push("required".to_owned());
    }
    parts.join(", ")
}

fn describe(call: &ExplainCall) -> String {
    let mut parts = vec![call.request.clone()];
    if call.required {
        parts.push("required".to_owned());
    }
    parts.extend(call.deadline.map(|deadline| format!("at most {deadline} ms")));
    if !call.accept.is_empty() {
        parts.push(format!("good with {}", call.accept.join(", ")));
    }
    if call.retries > 0 {
        parts.push(format!("tried again {} times", call.retries));
    }
    if call.body != "read" {
        parts.push(call.body.clone());
    }
    parts.extend(call.cache.map(describe_cache));
    parts.extend(call.same_as.as_ref().map(|same| format!("shares the response of {same}")));
    parts.join(", ")
}

fn describe_cache(cache: ExplainCache) -> String {
    let lifetime = cache.default_lifetime;
    let mut parts =
        vec![lifetime.map_or("kept".to_owned(), |lifetime| format!("kept {lifetime} ms unless the response says"))];
    if cache.stale_while_revalidate > 0 {
        parts.push(format!("stale {} ms while it is fetched anew", cache.stale_while_revalidate));
    }
    if cache.stale_if_error > 0 {
        parts.push(format!("stale {} ms if that fails", cache.stale_if_error));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::admin::view::ExplainDestination;

    fn call(name: &str) -> ExplainCall {
        let service = Some(format!("{name}.default"));
        let endpoints = vec!["127.0.0.1:9000".parse().unwrap()];
        ExplainCall {
            name: name.into(),
            request: format!("GET /{name}"),
            destination: ExplainDestination { name: name.into(), service, endpoints, chosen: None },
            required: false,
            deadline: None,
            accept: Vec::new(),
            retries: 0,
            body: "read".into(),
            cache: None,
            same_as: None,
        }
    }

    #[test]
    fn a_plan_is_a_tree_of_groups_and_calls() {
        let cache = ExplainCache { default_lifetime: Some(5), stale_while_revalidate: 0, stale_if_error: 7 };
        let order = ExplainCall {
            required: true,
            deadline: Some(250),
            accept: vec!["200-299".into(), "404".into()],
            retries: 2,
            body: "splice-json".into(),
            cache: Some(cache),
            ..call("order")
        };
        let group =
            ExplainGroup { concurrency: 1, enough: Some(1), required: true, calls: vec![call("eu"), call("us")] };
        let same = ExplainCall { same_as: Some("order".into()), ..call("again") };
        let plan =
            ExplainPlan { deadline: Some(500), groups: vec![group], calls: vec![order, same], expected: Some(200) };
        let mut tree = String::new();
        write(&plan, &mut tree).unwrap();
        let expected = "     \
within 500 ms
     ├─ the first good one of 2, 1 at once, required
     │    ├─ eu: GET /eu
     │    │    eu is eu.default
     │    │      127.0.0.1:9000
     │    └─ us: GET /us
     │         us is us.default
     │           127.0.0.1:9000
     ├─ order: GET /order, required, at most 250 ms, good with 200-299, 404, tried again 2 times, splice-json, \
kept 5 ms unless the response says, stale 7 ms if that fails
     │    order is order.default
     │      127.0.0.1:9000
     └─ again: GET /again, shares the response of order
          again is again.default
            127.0.0.1:9000
     then 200, if all goes as expected
";
        assert_eq!(tree, expected);
    }
}
