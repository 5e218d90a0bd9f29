//! `DestinationRule` (networking.istio.io): how the endpoints of a service are used once a route has chosen it.
//!
//! Every rule is resolved once; then each service takes the rules that are for it ([`select`]). What changes how bytes
//! are sent and is not supported is an error; what only would have been better is a warning.

mod balancing;
mod resolve;
mod select;
#[cfg(test)]
mod tests;
mod tls;
#[cfg(test)]
mod tls_tests;
mod written;

use super::{DESTINATION_RULE, HostSchema, Scope, codes, compile, item};
use crate::manifest::document::Document;
use crate::manifest::header::is_label;
use crate::manifest::nearest;
use crate::upstream::registry::Labels;
use resolve::{Place, Traffic};
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};
use written::{DestinationRule, Spec, Subset};

static SCHEMA: HostSchema =
    LazyLock::new(|| compile("DestinationRule", include_str!("../destination_rule.schema.json")));

/// A rule whose policies are known.
struct Rule<'a> {
    document: &'a Document,
    /// In full; may begin with `*`.
    host: String,
    created: Option<String>,
    /// Whether it reaches this proxy at all.
    reaches: bool,
    policy: Option<Traffic>,
    subsets: Vec<RuleSubset>,
}

#[derive(Clone)]
struct RuleSubset {
    name: String,
    labels: Labels,
    policy: Option<Traffic>,
    pointer: String,
}

/// Gives all services the policies that rules have for them.
pub(super) fn apply(documents: &[Arc<Document>], scope: &mut Scope<'_>) {
    let read = scope.read::<DestinationRule>(documents, DESTINATION_RULE, &SCHEMA);
    let rules: Vec<Rule<'_>> = read.into_iter().map(|(document, written)| rule(document, &written, scope)).collect();
    let mut used = HashSet::new();
    let services: Vec<String> = scope.registry.services().map(|service| service.name.clone()).collect();
    for service in services {
        let chosen = select::choose(&rules, &service, &scope.registry.names);
        for index in &chosen {
            used.insert(*index);
        }
        let chosen: Vec<&Rule<'_>> = chosen.into_iter().filter_map(|index| rules.get(index)).collect();
        if !chosen.is_empty() {
            let policy = select::merge(&chosen, scope);
            scope.registry.set_policy(&service, policy);
            report_empty_subsets(&chosen, &service, scope);
        }
    }
    for (_, rule) in rules.iter().enumerate().filter(|(index, _)| !used.contains(index)) {
        report_unused(rule, scope);
    }
}

fn rule<'a>(document: &'a Document, written: &DestinationRule, scope: &mut Scope<'_>) -> Rule<'a> {
    let spec = &written.spec;
    let host = scope.registry.names.expand(&spec.host, &document.namespace);
    let policy = spec.traffic_policy.as_ref().map(|policy| {
        resolve::traffic(policy, Place { document, scope: &mut *scope, pointer: "/spec/trafficPolicy".into() })
    });
    let mut subsets: Vec<RuleSubset> = Vec::new();
    for (index, written) in spec.subsets.iter().flatten().enumerate() {
        let subset = subset(document, written, &item("/spec/subsets", index), scope);
        if subsets.iter().any(|before| before.name == subset.name) {
            let message = format!("subset `{}` is given before", subset.name);
            let place = format!("{}/name", subset.pointer);
            scope.error(document, codes::POLICY_FIELDS, &place, message, Some("give each subset a name of its own"));
        }
        subsets.push(subset);
    }
    let reaches = reaches(document, spec, scope);
    Rule { document, host, created: written.metadata.creation_timestamp.clone(), reaches, policy, subsets }
}

fn subset(document: &Document, written: &Subset, pointer: &str, scope: &mut Scope<'_>) -> RuleSubset {
    if !is_label(&written.name) {
        let message = format!("`{}` is not a name for a subset", written.name);
        let help = "lower case letters, digits and dashes, starting and ending with a letter or digit, at most 63";
        scope.error(document, codes::POLICY_VALUE, &format!("{pointer}/name"), message, Some(help));
    }
    let policy = written
        .traffic_policy
        .as_ref()
        .map(|policy| resolve::traffic(policy, Place { document, scope, pointer: format!("{pointer}/trafficPolicy") }));
    let labels = written.labels.clone().unwrap_or_default();
    RuleSubset { name: written.name.clone(), labels, policy, pointer: pointer.to_owned() }
}

/// Whether the rule is for this proxy: exported to its namespace, and not for selected workloads only, which it is not.
fn reaches(document: &Document, spec: &Spec, scope: &mut Scope<'_>) -> bool {
    let own = &scope.registry.names.namespace;
    let exported = spec.export_to.as_deref().unwrap_or_default();
    let to_own = |to: &String| to == "*" || to == own || (to == "." && document.namespace == *own);
    let selected = spec.workload_selector.as_ref().and_then(|selector| selector.match_labels.as_ref());
    if selected.is_some_and(|labels| !labels.is_empty()) {
        let message = "the rule is for selected workloads, and this proxy is none of them".to_owned();
        let help = "remove `workloadSelector` if the rule is for this proxy too";
        scope.warn(document, codes::POLICY_WITHOUT_EFFECT, "/spec/workloadSelector", message, Some(help));
        return false;
    }
    exported.is_empty() || exported.iter().any(to_own)
}

fn report_unused(rule: &Rule<'_>, scope: &mut Scope<'_>) {
    let names: Vec<&str> = scope.registry.services().map(|service| service.name.as_str()).collect();
    let known = names.iter().any(|name| select::specificity(&rule.host, name).is_some());
    let (message, help) = if known {
        let message = format!("the rule does not reach `{}`", rule.host);
        let own = &scope.registry.names.namespace;
        (
            message,
            format!("rules count in namespace `{own}`, in the service's own and in `istio-system`, if exported there"),
        )
    } else {
        let close = nearest(&rule.host, names.iter().copied());
        let help = close.map_or_else(|| "the rule has no effect".into(), |close| format!("did you mean `{close}`?"));
        (format!("no service is called `{}`", rule.host), help)
    };
    scope.warn(rule.document, codes::RULE_WITHOUT_SERVICE, "/spec/host", message, Some(&help));
}

fn report_empty_subsets(rules: &[&Rule<'_>], service: &str, scope: &mut Scope<'_>) {
    for rule in rules {
        for subset in &rule.subsets {
            let known = scope.registry.service(service);
            let mut endpoints = known.iter().flat_map(|service| &service.ports).flat_map(|port| &port.endpoints);
            if !endpoints.any(|endpoint| endpoint.matches(&subset.labels)) {
                let message = format!("subset `{}` has no endpoints", subset.name);
                let help = format!("no endpoint of `{service}` has all of its labels");
                let place = format!("{}/labels", subset.pointer);
                scope.warn(rule.document, codes::SUBSET_WITHOUT_ENDPOINTS, &place, message, Some(&help));
            }
        }
    }
}
