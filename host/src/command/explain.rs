//! `sluice explain`.

mod plan;

use super::exit::{Failure, Verdict};
use super::print::harmless;
use super::{composition, print};
use crate::args::{Explain, Format};
use sluicegate::admin::AdminClient;
use sluicegate::admin::view::{ExplainAnswer, ExplainDestination, ExplainListener, ExplainRequest, ExplainStep};
use sluicegate::config::settings::DEFAULT_ADMIN;
use sluicegate::config::{AdminAddress, Settings};
use std::fmt::{self, Write};

/// Prints what would become of a request.
pub(crate) fn explain(explain: Explain) -> Result<Verdict, Failure> {
    let asks_instance = explain.asks_instance();
    let listener = ExplainListener { port: explain.listener_port, sni: explain.sni, mesh: explain.mesh };
    let Explain { method, url, headers, data: body, .. } = explain;
    let request = ExplainRequest { method, url, headers, body, listener };
    // A request that cannot be is a matter of usage, whoever would explain it.
    request.to_head().map_err(Failure::Usage)?;
    let answer = if asks_instance {
        AdminClient::new(instance(explain.admin.as_deref())?).explain(&request)?
    } else {
        let (file, flags) = explain.sources.into_flags(explain.manifests);
        composition::explain(&Settings::load(file.as_deref(), flags)?, request)?
    };
    match explain.output {
        Format::Json => print::json(&answer)?,
        Format::Table => print::text(&tree(&answer))?,
    }
    Ok(Verdict::Fine)
}

/// The instance at `address`, or where one is by default.
pub(crate) fn instance(address: Option<&str>) -> Result<AdminAddress, Failure> {
    let Some(address) = address else { return Ok(AdminAddress::Tcp(DEFAULT_ADMIN)) };
    AdminAddress::parse(address).map_err(|mistake| {
        let help = mistake.help.map(|help| format!("\n  help: {help}")).unwrap_or_default();
        Failure::Usage(format!("--admin: {}{help}", mistake.message))
    })
}

/// Filter by filter, then what comes of it.
fn tree(answer: &ExplainAnswer) -> String {
    let mut tree = String::new();
    // Writing into memory cannot fail.
    let _ = write_tree(answer, &mut tree);
    tree
}

fn write_tree(answer: &ExplainAnswer, tree: &mut String) -> fmt::Result {
    writeln!(tree, "{} (configuration {})", harmless(&answer.request), answer.generation)?;
    for step in &answer.steps {
        write_step(step, tree)?;
    }
    let status = answer.outcome.status.map(|status| format!("{status} ")).unwrap_or_default();
    writeln!(tree, "└─ {status}{}", harmless(&answer.outcome.summary))?;
    if let Some(plan) = &answer.outcome.plan {
        return plan::write(plan, tree);
    }
    answer.outcome.destinations.iter().try_for_each(|destination| write_destination(destination, "     ", tree))
}

fn write_step(step: &ExplainStep, tree: &mut String) -> fmt::Result {
    writeln!(tree, "├─ {} {}: {}", harmless(&step.filter), harmless(&step.version), harmless(&step.decision))?;
    if !step.summary.is_empty() {
        writeln!(tree, "│    {}", harmless(&step.summary))?;
    }
    for edit in &step.edits {
        writeln!(tree, "│    edit: {}", harmless(edit))?;
    }
    for candidate in &step.candidates {
        let mark = if candidate.chosen { "chosen    " } else { "not chosen" };
        writeln!(tree, "│    {mark}  {}  {}", harmless(&candidate.name), harmless(&candidate.origin))?;
        writeln!(tree, "│                {}", harmless(&candidate.reason))?;
    }
    Ok(())
}

fn write_destination(destination: &ExplainDestination, before: &str, tree: &mut String) -> fmt::Result {
    write!(tree, "{before}{}", harmless(&destination.name))?;
    match &destination.service {
        Some(service) if *service != destination.name => writeln!(tree, " is {}", harmless(service))?,
        Some(_) => writeln!(tree)?,
        None => writeln!(tree, " is not known")?,
    }
    for endpoint in &destination.endpoints {
        let mark = if destination.chosen == Some(*endpoint) { "  first" } else { "" };
        writeln!(tree, "{before}  {endpoint}{mark}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::admin::view::{ExplainCandidate, ExplainOutcome};

    #[test]
    fn the_tree_tells_the_way_from_the_first_filter_to_the_endpoint() {
        let candidate = |name: &str, chosen, reason: &str| ExplainCandidate {
            name: name.into(),
            origin: "shop.yaml:12".into(),
            chosen,
            reason: reason.into(),
        };
        let step = ExplainStep {
            filter: "router".into(),
            version: "0.1.0".into(),
            decision: "forward".into(),
            summary: "VirtualService default/shop".into(),
            edits: vec!["set x-route: orders".into()],
            candidates: vec![candidate("rule 1", false, "path is not /cart"), candidate("rule 2", true, "\x1b[2J")],
        };
        let endpoint = "127.0.0.1:9000".parse().unwrap();
        let destination = ExplainDestination {
            name: "orders".into(),
            service: Some("orders.default.svc.cluster.local".into()),
            endpoints: vec![endpoint],
            chosen: Some(endpoint),
        };
        let outcome = ExplainOutcome {
            summary: "forwarded to orders".into(),
            destinations: vec![destination],
            ..ExplainOutcome::default()
        };
        let answer =
            ExplainAnswer { generation: 3, request: "GET http://shop/orders".into(), steps: vec![step], outcome };
        let expected = "\
GET http://shop/orders (configuration 3)
├─ router 0.1.0: forward
│    VirtualService default/shop
│    edit: set x-route: orders
│    not chosen  rule 1  shop.yaml:12
│                path is not /cart
│    chosen      rule 2  shop.yaml:12
│                \u{fffd}[2J
└─ forwarded to orders
     orders is orders.default.svc.cluster.local
       127.0.0.1:9000  first
";
        assert_eq!(tree(&answer), expected);
    }
}
