//! Which rules are for a service, and what they come to together.

use super::resolve::{Resolved, Traffic};
use super::{Rule, Scope, codes};
use crate::upstream::policy::{PortPolicies, ServicePolicy, Subset};
use crate::upstream::registry::Names;
use std::cmp::Reverse;
use std::sync::Arc;

/// The namespace whose rules count for all others: Istio's root namespace, unless it was installed with another.
const ROOT_NAMESPACE: &str = "istio-system";

/// How exactly a rule's host names a service; none when it does not. A full name beats every wildcard.
pub(super) fn specificity(host: &str, service: &str) -> Option<usize> {
    if host == service {
        return Some(usize::MAX);
    }
    let suffix = host.strip_prefix('*')?;
    (service.ends_with(suffix) && service.len() > suffix.len()).then_some(suffix.len())
}

/// The rules for a service, the first one first: those of the nearest namespace that has any, and of these the ones
/// whose host names it most exactly.
pub(super) fn choose(rules: &[Rule<'_>], service: &str, names: &Names) -> Vec<usize> {
    let rank = |rule: &Rule<'_>| {
        let namespace = rule.document.namespace.as_str();
        let own = service.strip_suffix(&format!(".svc.{}", names.cluster_domain));
        let own = own.and_then(|name| name.rsplit_once('.')).map(|(_, namespace)| namespace);
        if namespace == names.namespace {
            Some(0)
        } else if own.is_none_or(|own| own == namespace) && namespace != ROOT_NAMESPACE {
            Some(1)
        } else {
            (namespace == ROOT_NAMESPACE).then_some(2)
        }
    };
    let mut found: Vec<_> = rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.reaches)
        .filter_map(|(index, rule)| Some(((rank(rule)?, Reverse(specificity(&rule.host, service)?)), index)))
        .collect();
    let Some(best) = found.iter().map(|(place, _)| *place).min() else { return Vec::new() };
    found.retain(|(place, _)| *place == best);
    let mut found: Vec<usize> = found.into_iter().map(|(_, index)| index).collect();
    // The oldest first; files have no age, and keep their order.
    found.sort_by_key(|index| rules.get(*index).and_then(|rule| rule.created.clone()));
    found
}

/// What several rules for one host come to: the first traffic policy, and all subsets by the first of their name.
pub(super) fn merge(rules: &[&Rule<'_>], scope: &mut Scope<'_>) -> ServicePolicy {
    let mut policy: Option<(&Rule<'_>, &Traffic)> = None;
    let mut subsets: Vec<(&Rule<'_>, &super::RuleSubset)> = Vec::new();
    for rule in rules {
        match (&rule.policy, policy) {
            (Some(_), Some((first, _))) => shadowed(rule, "/spec/trafficPolicy", "the trafficPolicy", first, scope),
            (Some(traffic), None) => policy = Some((rule, traffic)),
            (None, _) => {}
        }
        for subset in &rule.subsets {
            match subsets.iter().find(|(_, before)| before.name == subset.name) {
                // Within one rule it is an error, which was said.
                Some((first, _)) if std::ptr::eq(*first, *rule) => {}
                Some((first, _)) => {
                    shadowed(rule, &format!("{}/name", subset.pointer), "the subset of this name", first, scope);
                }
                None => subsets.push((rule, subset)),
            }
        }
    }
    let none = Traffic::default();
    let base = policy.map_or(&none, |(_, traffic)| traffic);
    let subsets = subsets.into_iter().map(|(_, subset)| Subset {
        name: subset.name.clone(),
        labels: subset.labels.clone(),
        policies: of_subset(base, subset.policy.as_ref().unwrap_or(&none)),
    });
    ServicePolicy { base: of_service(base), subsets: subsets.collect() }
}

fn shadowed(rule: &Rule<'_>, pointer: &str, what: &str, first: &Rule<'_>, scope: &mut Scope<'_>) {
    let message = format!("{what} of {} ({}) counts instead", first.document.label(), first.document.origin());
    let help = "put what is for one host into one rule";
    scope.warn(rule.document, codes::RULE_SHADOWED, pointer, message, Some(help));
}

/// A port's policy takes the place of the whole.
fn of_service(traffic: &Traffic) -> PortPolicies {
    let ports = traffic.ports.iter().map(|(port, resolved)| (*port, Arc::new(resolved.policy())));
    PortPolicies { all: Arc::new(traffic.all.policy()), ports: ports.collect() }
}

/// A subset's policy overrides the service's field by field, but one for a port takes the place of everything.
fn of_subset(base: &Traffic, subset: &Traffic) -> PortPolicies {
    let over = |base: &Resolved| subset.all.over(base).policy();
    let mut ports: std::collections::HashMap<u16, _> =
        base.ports.iter().map(|(port, base)| (*port, Arc::new(over(base)))).collect();
    ports.extend(subset.ports.iter().map(|(port, resolved)| (*port, Arc::new(resolved.policy()))));
    PortPolicies { all: Arc::new(over(&base.all)), ports }
}
