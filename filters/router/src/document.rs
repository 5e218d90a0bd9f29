//! One VirtualService, resolved: its hosts, what it is bound to, its rules.

use crate::attachment::{self, MESH};
use crate::code;
use crate::config::VirtualService;
use crate::host;
use crate::matcher::Surroundings;
use crate::report::{Place, Report};
use crate::rule::{Context, Rule};
use crate::target::Naming;
use sluicegate_sdk::{Environment, Resource};

/// A resolved document.
#[derive(Debug)]
pub struct Document {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// `file:line`.
    pub origin: String,
    /// Its place in the list that the host gave.
    pub resource: usize,
    /// Full names, with where each stands among the hosts as written.
    pub hosts: Vec<(usize, String)>,
    /// What it is bound to: `NAMESPACE/NAME` of gateways, and `mesh` for sidecars. A delegate is bound to nothing.
    pub gateways: Vec<String>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
    /// What decides which of two documents is older.
    age: (bool, String),
}

impl Document {
    /// Resolves a document.
    pub fn resolve(
        written: &VirtualService,
        resource: &Resource,
        index: usize,
        environment: &Environment,
        report: &mut Report<'_>,
    ) -> Self {
        let gateways = bound_to(written, resource, report);
        let mesh = gateways.iter().any(|gateway| gateway == MESH);
        let name = format!("{}/{}", resource.namespace, resource.name);
        check_spec(written, report);
        let hosts = hosts(written, resource, mesh, environment, report);
        let context = Context {
            naming: Naming { environment, namespace: &resource.namespace },
            around: Surroundings {
                own: &resource.namespace,
                gateways: &gateways,
                namespace: &environment.namespace,
                mesh,
            },
            document: name.clone(),
            delegate: written.hosts.is_empty(),
        };
        let mut rules = Vec::new();
        for (index, rule) in written.http.iter().enumerate() {
            rules.extend(Rule::resolve(rule, index, &context, &Place::spec().key("http").index(index), report));
        }
        report_unreachable(written, &rules, report);
        let created = resource.value.pointer("/metadata/creationTimestamp").and_then(serde_json::Value::as_str);
        Self {
            name,
            namespace: resource.namespace.clone(),
            origin: resource.origin.clone(),
            resource: index,
            hosts,
            gateways,
            rules,
            // Kubernetes writes all timestamps in one form of fixed width, in UTC, so text order is time order.
            age: (created.is_none(), created.unwrap_or_default().to_owned()),
        }
    }

    /// Sorts the oldest to the front: by creation timestamp, then by namespace and name. Those without a timestamp
    /// count as the youngest.
    pub fn age(&self) -> (&(bool, String), &str) {
        (&self.age, &self.name)
    }
}

fn check_spec(written: &VirtualService, report: &mut Report<'_>) {
    let spec = Place::spec();
    if written.http.is_empty() && written.tls.is_empty() && written.tcp.is_empty() {
        report.error(&spec, code::NO_ACTION, "the resource has no rules", "add `http`");
    }
    let delegate = written.hosts.is_empty();
    for (field, present) in
        [("gateways", !written.gateways.is_empty()), ("tls", !written.tls.is_empty()), ("tcp", !written.tcp.is_empty())]
    {
        if delegate && present {
            let message = format!("a resource without hosts is a delegate, which cannot have `{field}`");
            report.error(&spec.key(field), code::DELEGATE, message, format!("add `hosts`, or remove `{field}`"));
        } else if present && field != "gateways" {
            report.no_effect(&spec.key(field), field, "only HTTP is routed");
        }
    }
    if delegate {
        report.no_effect(&spec, "a resource without `hosts`", "nothing delegates to it");
    }
    if !written.export_to.is_empty() {
        report.no_effect(&spec.key("exportTo"), "exportTo", "the rules count for every namespace");
    }
    check_export_to(written, &spec.key("exportTo"), report);
}

fn check_export_to(written: &VirtualService, place: &Place, report: &mut Report<'_>) {
    for (index, namespace) in written.export_to.iter().enumerate() {
        let repeated = written.export_to.iter().take(index).any(|known| known == namespace);
        let mixed = namespace == "*" && written.export_to.len() > 1;
        if repeated || mixed {
            let message = format!("`{namespace}` says what the list says already");
            report.error(&place.index(index), code::HOST, message, "list every namespace once, or only `*`");
        }
    }
}

/// The full names of its gateways. One that names none is meant for sidecars.
fn bound_to(written: &VirtualService, resource: &Resource, report: &mut Report<'_>) -> Vec<String> {
    if written.gateways.is_empty() {
        return vec![MESH.to_owned()];
    }
    attachment::gateways(&written.gateways, &resource.namespace, &Place::spec().key("gateways"), report)
}

fn hosts(
    written: &VirtualService,
    resource: &Resource,
    mesh: bool,
    environment: &Environment,
    report: &mut Report<'_>,
) -> Vec<(usize, String)> {
    let place = Place::spec().key("hosts");
    let mut hosts: Vec<(usize, String)> = Vec::new();
    for (index, name) in written.hosts.iter().enumerate() {
        let place = place.index(index);
        if let Err(reason) = host::check(name) {
            let help = "write a DNS name such as reviews or www.example.com, `*.` and a name, or `*`";
            report.error(&place, code::HOST, format!("host `{name}` {reason}"), help);
            continue;
        }
        if mesh && (name == "*" || host::is_address(name)) {
            let message = format!("host `{name}` cannot be bound to `mesh`");
            let help = "name the services, or bind the resource to a gateway by `gateways`";
            report.error(&place, code::MESH_HOST, message, help);
        }
        let full = host::expand(name, &resource.namespace, environment);
        let overlapping = hosts.iter().find(|(_, known)| host::covers(known, &full) || host::covers(&full, known));
        if let Some((other, _)) = overlapping {
            let other = written.hosts.get(*other).map_or("", String::as_str);
            let message = format!("hosts `{other}` and `{name}` overlap");
            report.error(
                &place,
                code::OVERLAPPING_HOSTS,
                message,
                "keep one of them, or move one to a resource of its own",
            );
        }
        hosts.push((index, full));
    }
    hosts
}

/// Warns of rules that no request gets to, and of blocks that repeat another.
fn report_unreachable(written: &VirtualService, rules: &[Rule], report: &mut Report<'_>) {
    let place = |rule: usize| Place::spec().key("http").index(rule);
    let mut catch_all: Option<usize> = None;
    for rule in rules {
        if let Some(earlier) = catch_all {
            let message = format!("no request gets here: rule {} takes them all", earlier + 1);
            report.warning(&place(rule.index), code::UNREACHABLE, message, "move the rule up, or remove it");
        } else if rule.blocks.iter().any(crate::matcher::Block::is_catch_all) {
            catch_all = Some(rule.index);
        }
    }
    let mut seen = Vec::new();
    for (index, rule) in written.http.iter().enumerate().take(catch_all.unwrap_or(usize::MAX)) {
        for (number, block) in rule.matches.iter().enumerate() {
            let Some(block) = block else { continue };
            let nameless = crate::config::HttpMatch { name: None, stat_prefix: None, ..block.clone() };
            if seen.contains(&nameless) {
                let message = "no request gets here: an earlier block is the same";
                let place = place(index).key("match").index(number);
                report.warning(&place, code::UNREACHABLE, message, "remove the block, or make it differ");
            }
            seen.push(nameless);
        }
    }
}
