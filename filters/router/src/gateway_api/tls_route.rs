//! `TLSRoute`: where connections go whose TLS a listener passes on.

use super::backend;
use super::config::{self, TlsRoute};
use super::parent::{self, Parent};
use super::route::{Context, hosts, parent_name, read};
use super::{Grants, shape::limit};
use crate::code;
use crate::connection::TlsRule;
use crate::document::{Age, Document, Kind};
use crate::report::{Place, Report};
use crate::target::{Instead, Naming, Target};
use sluicegate_sdk::{Environment, Resource};
use std::cell::Cell;

/// The Gateway API's own limit: a connection has one name and nothing else to tell rules apart by.
const MOST_RULES: usize = 1;

/// Resolves a document; nothing comes of one that cannot be read.
pub fn resolve(
    resource: &Resource,
    environment: &Environment,
    grants: &Grants,
    report: &mut Report<'_>,
) -> Option<Document> {
    let naming = Naming { environment, namespace: &resource.namespace };
    let name = format!("{}/{}", resource.namespace, resource.name);
    let context = Context { naming, kind: Kind::TlsRoute, grants, document: name.clone() };
    let written: TlsRoute = read(resource, report)?;
    let place = Place::spec().key("rules");
    // The oldest version of the kind lets a route take all names that its listener has.
    if written.hostnames.is_empty() && !resource.api_version.ends_with("/v1alpha2") {
        let help = "name the servers that clients ask for, or `*.` and a name";
        report.error(&Place::spec(), code::MATCH, "a TLSRoute needs `hostnames`", help);
    }
    if written.rules.is_empty() {
        report.error(&Place::spec(), code::NO_ACTION, "a TLSRoute needs a rule", "add `rules` with `backendRefs`");
    }
    limit(written.rules.len(), MOST_RULES, "rules", &place, report);
    let tls: Vec<TlsRule> = written
        .rules
        .iter()
        .enumerate()
        .map(|(index, rule)| rule_of(rule, &context, &place.index(index), report))
        .collect();
    let parents = parent::resolve(&written.parent_refs, naming, report);
    for parent in &parents {
        if let Parent::Service { name, .. } = parent {
            let message =
                format!("connections of callers of {name} do not come by here, so the rules do not count there");
            report.warning(&Place::spec().key("parentRefs"), code::PARENT, message, "attach the route to a Gateway");
        }
    }
    Some(Document {
        kind: Kind::TlsRoute,
        name,
        namespace: resource.namespace.clone(),
        origin: resource.origin.clone(),
        resource: resource.into(),
        hosts: hosts(&written.hostnames, report),
        gateways: parents.iter().filter_map(parent_name).collect(),
        rules: Vec::new(),
        tls,
        parents,
        on_mesh: Cell::new(false),
        age: Age::of(resource),
        linked: false,
    })
}

fn rule_of(written: &config::TlsRule, context: &Context<'_>, place: &Place, report: &mut Report<'_>) -> TlsRule {
    let place = place.key("backendRefs");
    limit(written.backend_refs.len(), backend::MOST, "backends", &place, report);
    if written.backend_refs.is_empty() {
        let message = "the rule has no backends, so its connections are closed";
        report.warning(&place, code::BACKEND, message, "add a backend with a weight above 0");
    }
    let mut targets = Vec::new();
    for (index, reference) in written.backend_refs.iter().enumerate() {
        let place = place.index(index);
        let weight = backend::weight(reference.weight, &place.key("weight"), report);
        let Some(resolved) = backend::resolve_one(reference, context, &place, report) else { continue };
        // A backend that cannot be used keeps its share, whose connections are closed.
        let instead = (!resolved.usable).then(|| Box::new(Instead::Answer(backend::no_backend(context.kind))));
        targets.push(Target { instead, ..Target::new(resolved.destination, weight) });
    }
    targets.retain(|target| target.weight > 0);
    TlsRule { blocks: Vec::new(), targets }
}
