//! One VirtualService, resolved: its hosts, what it is bound to, its rules.

use crate::attachment::{self, MESH};
use crate::code;
use crate::config::{self, Delegate, VirtualService};
use crate::connection::TlsRule;
use crate::delegate::{Delegates, Refusal};
use crate::gateway_api::Parent;
use crate::host::{self, Overlaps};
use crate::layer4;
use crate::matcher::{Block, Surroundings};
use crate::report::{Place, Report};
use crate::rule::{Context, Delegated, Rule};
use crate::target::Naming;
use serde::Deserialize;
use sluicegate_sdk::{Diagnostics, Environment, Resource, ResourceId};
use std::cell::Cell;
use std::collections::HashSet;

/// What kind of resource a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Istio's.
    VirtualService,
    /// The Gateway API's for HTTP.
    HttpRoute,
    /// The Gateway API's for gRPC.
    GrpcRoute,
    /// The Gateway API's for TLS that is passed on.
    TlsRoute,
}

impl Kind {
    /// Its name as documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::VirtualService => "VirtualService",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::TlsRoute => "TLSRoute",
        }
    }
}

/// A resolved document.
#[derive(Debug)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// `file:line`.
    pub origin: String,
    /// Its number.
    pub resource: ResourceId,
    /// Full names, with where each stands among the hosts as written.
    pub hosts: Vec<(usize, String)>,
    /// What it is bound to: `NAMESPACE/NAME` of gateways, and `mesh` for sidecars. A delegate is bound to nothing.
    pub gateways: Vec<String>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
    /// Its rules for connections whose TLS is passed on, in order.
    pub tls: Vec<TlsRule>,
    /// What a resource of the Gateway API asks to be attached to.
    pub parents: Vec<Parent>,
    /// Whether it is a route of the Gateway API that counts on what the command line opened: there the proxy does not know
    /// that a service which is not there is a fault of the route.
    pub on_mesh: Cell<bool>,
    /// What decides which of two documents is older.
    pub age: Age,
    /// Whether it concerns more than its own hosts: it delegates, is there to be delegated to, or has rules for connections.
    pub linked: bool,
}

/// What all documents are resolved with.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// Stands in for what names leave out.
    pub environment: &'a Environment,
    /// Whom rules can be delegated to.
    pub delegates: &'a Delegates<'a>,
}

impl Document {
    /// Resolves a document.
    pub fn resolve(written: &VirtualService, resource: &Resource, load: Load<'_>, report: &mut Report<'_>) -> Self {
        let environment = load.environment;
        let delegate = written.hosts.is_empty();
        let gateways = bound_to(written, resource, report);
        let mesh = gateways.iter().any(|gateway| gateway == MESH);
        let name = format!("{}/{}", resource.namespace, resource.name);
        check_spec(written, resource, load.delegates, report);
        let hosts = hosts(written, resource, mesh, environment, report);
        let context = Context {
            naming: Naming { environment, namespace: &resource.namespace },
            around: Surroundings {
                own: &resource.namespace,
                gateways: (!delegate).then_some(gateways.as_slice()),
                namespace: &environment.namespace,
                mesh: mesh && !delegate,
            },
            document: name.clone(),
            delegate,
        };
        let layer4 = layer4::Scope { hosts: &hosts, gateways: &gateways, naming: context.naming };
        let tls = if delegate { Vec::new() } else { layer4::resolve(written, layer4, report) };
        let mut rules = Vec::new();
        for (index, rule) in written.http.iter().enumerate() {
            let place = Place::spec().key("http").index(index);
            let resolved = Rule::resolve(rule, index, &context, &place, report);
            match rule.delegate.as_ref().filter(|_| !context.delegate) {
                None => rules.extend(resolved),
                Some(to) => rules.extend(delegated(to, index, resource, &context, load, report)),
            }
        }
        report_unreachable(written, &rules, report);
        rules.shrink_to_fit();
        Self {
            kind: Kind::VirtualService,
            name,
            namespace: resource.namespace.clone(),
            origin: resource.origin.clone(),
            resource: resource.into(),
            hosts,
            gateways,
            rules,
            tls,
            parents: Vec::new(),
            on_mesh: Cell::new(false),
            age: Age::of(resource),
            linked: delegate || !written.tls.is_empty() || written.http.iter().any(|rule| rule.delegate.is_some()),
        }
    }

    /// Sorts the oldest to the front: by creation timestamp, then by namespace and name. Those without a timestamp
    /// count as the youngest.
    pub fn age(&self) -> (&Age, &str, Kind) {
        (&self.age, &self.name, self.kind)
    }
}

/// When a document was created; the older is the smaller, and without a timestamp it is younger than any with one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(bool, String);

impl Age {
    /// The age that Kubernetes has written down.
    pub fn of(resource: &Resource) -> Self {
        // All timestamps have one form of fixed width, in UTC, so text order is time order. Few documents have one, and
        // reading a text twice costs more than looking whether it can be there.
        let created = Some(resource).filter(|resource| resource.json().contains("creationTimestamp"));
        let created = created.and_then(|resource| resource.read::<WithTimestamp>().ok());
        let created = created.and_then(|document| document.metadata.creation_timestamp);
        Self(created.is_none(), created.unwrap_or_default())
    }
}

/// The part of a document that says when it was created.
#[derive(Deserialize)]
struct WithTimestamp {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    creation_timestamp: Option<String>,
}

/// The rules that stand in for rule `index` of `root`, which delegates. What is wrong with the delegate itself is
/// reported there.
fn delegated(
    to: &Delegate,
    index: usize,
    root: &Resource,
    context: &Context<'_>,
    load: Load<'_>,
    report: &mut Report<'_>,
) -> Vec<Rule> {
    let place = Place::spec().key("http").index(index).key("delegate");
    let Some(name) = to.name.as_deref().filter(|name| !name.is_empty()) else { return Vec::new() };
    let delegate = match load.delegates.find(root, to.namespace.as_deref(), name) {
        Ok(delegate) => delegate,
        Err(refusal) => {
            report_refusal(refusal, name, &place, report);
            return Vec::new();
        }
    };
    let full = format!("{}/{}", delegate.namespace, delegate.name);
    let merged = load.delegates.merge(root, index, delegate, load.environment, |dropped| {
        let (number, origin) = (dropped + 1, &delegate.origin);
        let message =
            format!("rule {number} of {full} at {origin} is left out: one of its matches contradicts this rule");
        let help = "a delegate's conditions must lie within the root's; an expression must stand on one side only";
        report.warning(&place, code::NEVER_MATCHES, message, help);
    });
    let naming = Naming { environment: load.environment, namespace: &delegate.namespace };
    let around = Surroundings { own: &delegate.namespace, ..context.around };
    let context = Context { naming, around, document: full.clone(), delegate: false };
    let mut reported = Diagnostics::default();
    let mut elsewhere = Report::new(delegate, &mut reported);
    let mut rules = Vec::new();
    for merged in merged {
        let Ok(rule) = config::read_rule(merged.rule) else { continue };
        let resolved = Rule::resolve(&rule, merged.index, &context, &place, &mut elsewhere);
        let origin = Delegated { name: full.clone(), origin: delegate.origin.clone(), index: merged.index };
        rules.extend(resolved.map(|rule| Rule { index, delegate: Some(origin), ..rule }));
    }
    rules
}

fn report_refusal(refusal: Refusal, name: &str, place: &Place, report: &mut Report<'_>) {
    match refusal {
        Refusal::Unknown => {
            let message = format!("there is no VirtualService {name}, so requests go on to the rules behind this one");
            let help = "check `delegate.name`, and `delegate.namespace` if it is in another one";
            report.warning(place, code::UNKNOWN_DELEGATE, message, help);
        }
        Refusal::HasHosts => {
            let message = format!("{name} has `hosts`, so nothing can be delegated to it");
            report.error(place, code::DELEGATE, message, "remove its `hosts`, or delegate to another resource");
        }
    }
}

fn check_spec(written: &VirtualService, resource: &Resource, delegates: &Delegates<'_>, report: &mut Report<'_>) {
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
        }
    }
    if delegate && !delegates.is_used(resource) {
        let message = "a resource without `hosts` is a delegate, and no rule delegates to it";
        report.note(
            &spec,
            code::NO_EFFECT,
            message,
            "add `hosts`, or name it in `delegate` of another resource's rule",
        );
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
        } else if namespace == "~" && written.export_to.len() > 1 {
            let message = "`~` stands for no namespace, and the list names others";
            report.error(&place.index(index), code::HOST, message, "write only `~`, or leave it out");
        } else if !["*", ".", "~"].contains(&namespace.as_str()) && !host::is_label(namespace) {
            let message = format!("`{namespace}` is not the name of a namespace");
            report.error(&place.index(index), code::HOST, message, "write a name, `.` for the own one, or `*` for all");
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
    let mut seen = Overlaps::default();
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
        let full = environment.full_name(name, &resource.namespace);
        if let Some(other) = seen.overlapping(&full) {
            let other = written.hosts.get(other).map_or("", String::as_str);
            let message = format!("hosts `{other}` and `{name}` overlap");
            report.error(
                &place,
                code::OVERLAPPING_HOSTS,
                message,
                "keep one of them, or move one to a resource of its own",
            );
        }
        seen.insert(&full, index);
        hosts.push((index, full));
    }
    hosts
}

/// Warns of rules and blocks that no request gets to.
fn report_unreachable(written: &VirtualService, rules: &[Rule], report: &mut Report<'_>) {
    let place = |rule: usize| Place::spec().key("http").index(rule);
    // A block that counts on some gateways only leaves requests of the others to the rules behind it.
    let takes_all = |block: &Block| block.is_catch_all() && block.gateways.is_none();
    let mut catch_all: Option<usize> = None;
    for rule in rules {
        match catch_all {
            Some(earlier) if earlier == rule.index => {}
            Some(earlier) => {
                let message = format!("no request gets here: rule {} takes them all", earlier + 1);
                report.warning(&place(rule.index), code::UNREACHABLE, message, "move the rule up, or remove it");
            }
            None => {
                let taken = rule.blocks.iter().position(takes_all);
                catch_all = taken.map(|_| rule.index);
                let behind = taken.map_or(0..0, |taken| taken + 1..rule.blocks.len());
                for block in behind.filter(|_| rule.delegate.is_none()) {
                    let message = "no request gets here: an earlier block takes them all";
                    let place = place(rule.index).key("match").index(block);
                    report.warning(&place, code::UNREACHABLE, message, "move the block up, or remove it");
                }
            }
        }
    }
    report_repeated(written, catch_all.unwrap_or(usize::MAX), report);
}

/// Warns of blocks that repeat another, in the rules before `end`.
fn report_repeated(written: &VirtualService, end: usize, report: &mut Report<'_>) {
    let mut seen = HashSet::new();
    for (index, rule) in written.http.iter().enumerate().take(end) {
        for (number, block) in rule.matches.iter().enumerate() {
            let Some(block) = block else { continue };
            let nameless = config::HttpMatch { name: None, stat_prefix: None, ..block.clone() };
            // The text of a block is as good as the block, and can be looked up.
            if !seen.insert(format!("{nameless:?}")) {
                let message = "no request gets here: an earlier block is the same";
                let place = Place::spec().key("http").index(index).key("match").index(number);
                report.warning(&place, code::UNREACHABLE, message, "remove the block, or make it differ");
            }
        }
    }
}
