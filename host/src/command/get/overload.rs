//! `sluice get overload`.

use super::super::exit::{Failure, Verdict};
use super::super::explain::instance;
use super::super::print;
use crate::args::{Format, GetOverload};
use sluicegate::admin::AdminClient;
use sluicegate::admin::overload::OverloadStatus;
use std::fmt::Write;

/// Prints limits and what was refused.
pub(super) fn show(get: &GetOverload) -> Result<Verdict, Failure> {
    let status = AdminClient::new(instance(Some(&get.ask.admin))?).overload()?;
    match get.ask.output {
        Format::Json => print::json(&status)?,
        Format::Table => print::text(&text(&status))?,
    }
    let is_short = status.priorities.iter().any(|priority| priority.refused_for_memory > 0);
    Ok(if is_short { Verdict::Findings } else { Verdict::Fine })
}

fn text(status: &OverloadStatus) -> String {
    let mut text = format!("requests in flight: {}\n", status.in_flight);
    // Writing into memory does not fail.
    let _ = match (status.memory.used, status.memory.limit) {
        (Some(used), Some(limit)) => {
            let (used, limit, from) = (used >> 20, limit >> 20, status.memory.from);
            writeln!(text, "memory: {used} of {limit} MiB; requests are refused from {from} % on")
        }
        _ => writeln!(text, "memory: no limit"),
    };
    if status.clients > 0 {
        let _ = writeln!(text, "clients: {}", status.clients);
    }
    if status.accept_failures > 0 {
        let _ = writeln!(text, "accept has failed {} times for want of descriptors or memory", status.accept_failures);
    }
    text.push('\n');
    text += &priorities(status);
    if !status.services.is_empty() {
        text.push('\n');
        text += &services(status);
    }
    text
}

fn priorities(status: &OverloadStatus) -> String {
    let rows = status.priorities.iter().map(|priority| {
        let shed = status.shed.iter().filter(|shed| shed.priority == priority.priority);
        let reasons: Vec<String> = shed.map(|shed| format!("{} {}", shed.requests, shed.reason)).collect();
        let refused = if reasons.is_empty() { "-".into() } else { reasons.join(", ") };
        vec![
            priority.priority.clone(),
            priority.requests.to_string(),
            format!("{} %", priority.refused_for_memory),
            refused,
        ]
    });
    print::table(&["PRIORITY", "REQUESTS", "REFUSED NOW", "REFUSED SINCE START"], &rows.collect::<Vec<_>>())
}

fn services(status: &OverloadStatus) -> String {
    let rows = status.services.iter().map(|service| {
        vec![
            service.service.clone(),
            service.port.map_or_else(|| "any".into(), |port| port.to_string()),
            service.subset.clone().unwrap_or_else(|| "-".into()),
            service.limit.to_string(),
            service.waiting.to_string(),
            format!("{:.1} ms", service.baseline_ms),
            format!("{:.1} ms", service.latency_ms),
            service.refused.to_string(),
        ]
    });
    let headings = ["SERVICE", "PORT", "SUBSET", "LIMIT", "WAITING", "BASELINE", "LATENCY", "REFUSED"];
    print::table(&headings, &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::admin::overload::{AdaptiveStatus, MemoryStatus, PriorityStatus, ShedStatus};

    #[test]
    fn the_table_says_what_is_near_its_limit_and_what_was_refused() {
        let priority = |priority: &str, requests, refused_for_memory| PriorityStatus {
            priority: priority.into(),
            requests,
            refused_for_memory,
        };
        let status = OverloadStatus {
            in_flight: 7,
            priorities: vec![priority("low", 60, 40), priority("high", 100, 0)],
            memory: MemoryStatus { used: Some(93 << 20), limit: Some(100 << 20), from: 90 },
            services: vec![AdaptiveStatus {
                service: "shop".into(),
                port: Some(80),
                subset: None,
                limit: 12,
                waiting: 7,
                baseline_ms: 10.0,
                latency_ms: 15.26,
                refused: 9,
            }],
            shed: vec![ShedStatus { reason: "memory".into(), priority: "low".into(), requests: 4 }],
            ..OverloadStatus::default()
        };
        let text = text(&status)
            .split('\n')
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>();
        for line in [
            "requests in flight: 7",
            "memory: 93 of 100 MiB; requests are refused from 90 % on",
            "low 60 40 % 4 memory",
            "high 100 0 % -",
            "shop 80 - 12 7 10.0 ms 15.3 ms 9",
        ] {
            assert!(text.iter().any(|found| found == line), "no {line:?} in {text:#?}");
        }
    }
}
