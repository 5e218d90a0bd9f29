//! Rules of a VirtualService for TLS that is passed on, and for plain TCP. The former count on servers of Gateways that
//! pass TLS on ([`crate::connection`]). Plain TCP is not routed here; its rules are checked as Istio checks them, so
//! that a file that passes here passes there.

use crate::attachment;
use crate::code;
use crate::config::{RouteDestination, VirtualService};
use crate::connection::{Subnet, TlsBlock, TlsRule};
use crate::host;
use crate::report::{Place, Report};
use crate::target::{self, Naming, Target};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A rule for TLS or TCP, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer4Route {
    /// Blocks of which one must match.
    #[serde(rename = "match")]
    pub matches: Vec<Layer4Match>,
    /// Where connections go.
    pub route: Vec<RouteDestination>,
}

/// Conditions that must all hold.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Layer4Match {
    /// Server names, of TLS only.
    pub sni_hosts: Vec<String>,
    /// Addresses that are connected to.
    pub destination_subnets: Vec<String>,
    /// The port that is connected to.
    pub port: Option<i64>,
    /// Addresses of callers, of TCP only.
    pub source_subnet: Option<String>,
    /// Labels of the caller's workload.
    pub source_labels: BTreeMap<String, String>,
    /// Gateways that the block is restricted to.
    pub gateways: Vec<String>,
    /// Namespace of the caller.
    pub source_namespace: Option<String>,
}

/// A document that is resolved: its own hosts have these full names, and it is bound to these gateways.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The hosts with their places.
    pub hosts: &'a [(usize, String)],
    /// The gateways.
    pub gateways: &'a [String],
    /// Stands in for what names leave out.
    pub naming: Naming<'a>,
}

/// Checks all TLS and TCP rules of a resource, and resolves those of TLS.
pub fn resolve(written: &VirtualService, scope: Scope<'_>, report: &mut Report<'_>) -> Vec<TlsRule> {
    if !written.tcp.is_empty() {
        report.no_effect(
            &Place::spec().key("tcp"),
            "tcp",
            "only HTTP, and TLS by the name that clients ask for, is routed",
        );
    }
    for (index, rule) in written.tcp.iter().enumerate() {
        let place = Place::spec().key("tcp").index(index);
        for (index, block) in rule.matches.iter().enumerate() {
            resolve_block(block, scope, &place.key("match").index(index), report);
        }
        targets(&rule.route, scope.naming, &place, report);
    }
    let mut rules = Vec::new();
    for (index, rule) in written.tls.iter().enumerate() {
        let place = Place::spec().key("tls").index(index);
        if rule.matches.is_empty() {
            let message = "a rule for TLS needs a `match` with `sniHosts`";
            report.error(&place, code::LAYER4, message, "add `match: [{sniHosts: [...]}]`");
        }
        let blocks = rule.matches.iter().enumerate().map(|(index, block)| {
            let place = place.key("match").index(index);
            let names = names(block, scope, &place, report);
            TlsBlock { names, ..resolve_block(block, scope, &place, report) }
        });
        let blocks: Vec<TlsBlock> = blocks.collect();
        rules.push(TlsRule { blocks, targets: targets(&rule.route, scope.naming, &place, report) });
    }
    report_mesh(&rules, scope, report);
    rules
}

/// Notes that rules are for sidecars alone, whose outbound TLS does not come by here.
fn report_mesh(rules: &[TlsRule], scope: Scope<'_>, report: &mut Report<'_>) {
    let of_mesh = |rule: &TlsRule| rule.blocks.iter().all(|block| block.is_of_mesh(scope.gateways));
    if !rules.is_empty() && rules.iter().all(of_mesh) {
        let happens =
            "TLS is passed on by servers of Gateways with `mode: PASSTHROUGH`, and the rules are bound to none";
        report.no_effect(&Place::spec().key("tls"), "tls", happens);
    }
}

fn names(block: &Layer4Match, scope: Scope<'_>, place: &Place, report: &mut Report<'_>) -> Vec<String> {
    let place = place.key("sniHosts");
    if block.sni_hosts.is_empty() {
        report.error(&place, code::LAYER4, "a match for TLS needs server names", "name at least one host");
    }
    let mut names = Vec::new();
    for (index, name) in block.sni_hosts.iter().enumerate() {
        let place = place.index(index);
        let full = scope.naming.environment.full_name(name, scope.naming.namespace);
        if let Err(reason) = host::check(name) {
            report.error(&place, code::HOST, format!("host `{name}` {reason}"), "write a DNS name, or `*.` and one");
        } else if host::is_address(name) {
            let message = format!("`{name}` is an address, which clients do not send as a server name");
            report.warning(&place, code::LAYER4, message, "write a DNS name, or match by `destinationSubnets`");
        } else if !scope.hosts.iter().any(|(_, own)| host::covers(own, &full)) {
            let message = format!("`{name}` is not among the `hosts` of the resource");
            report.error(&place, code::LAYER4, message, "add it to `spec.hosts`, or a wildcard that covers it");
        } else {
            names.push(full);
        }
    }
    names
}

fn resolve_block(block: &Layer4Match, scope: Scope<'_>, place: &Place, report: &mut Report<'_>) -> TlsBlock {
    let mut read = |place: Place, text: &String| {
        let subnet = Subnet::parse(text);
        if subnet.is_none() {
            let help = "write an address, or one and the length of its prefix: 10.0.0.0/8";
            report.error(&place, code::LAYER4, format!("`{text}` is not a subnet"), help);
        }
        subnet
    };
    let subnets = block.destination_subnets.iter().enumerate();
    let subnets =
        subnets.filter_map(|(index, text)| read(place.key("destinationSubnets").index(index), text)).collect();
    if let Some(text) = &block.source_subnet {
        read(place.key("sourceSubnet"), text);
    }
    let port = block.port.and_then(|number| {
        let port = u16::try_from(number).ok().filter(|port| *port > 0);
        if port.is_none() {
            let help = "use a number from 1 to 65535";
            report.error(&place.key("port"), code::LAYER4, format!("{number} is not a port"), help);
        }
        port
    });
    for (field, there) in
        [("sourceLabels", !block.source_labels.is_empty()), ("sourceNamespace", block.source_namespace.is_some())]
    {
        if there {
            report.no_effect(&place.key(field), field, "clients of a Gateway have no labels and no namespace");
        }
    }
    let gateways = attachment::gateways(&block.gateways, scope.naming.namespace, &place.key("gateways"), report);
    TlsBlock { names: Vec::new(), port, gateways: (!gateways.is_empty()).then_some(gateways), subnets }
}

/// The destinations that get a share; a single one gets everything.
fn targets(written: &[RouteDestination], naming: Naming<'_>, place: &Place, report: &mut Report<'_>) -> Vec<Target> {
    let place = place.key("route");
    if written.is_empty() {
        report.error(&place, code::NO_ACTION, "the rule does not say where connections go", "add `route`");
    }
    let mut targets = Vec::new();
    for (index, entry) in written.iter().enumerate() {
        let place = place.index(index);
        let destination = target::required(entry.destination.as_ref(), naming, &place, report);
        let weight = entry.weight.unwrap_or(0);
        let share = i32::try_from(weight).ok().and_then(|weight| u64::try_from(weight).ok());
        if share.is_none() {
            let message = format!("{weight} is not a weight");
            report.error(&place.key("weight"), code::WEIGHT, message, "use 0 or a positive number");
        }
        let share = if written.len() == 1 { 1 } else { share.unwrap_or(0) };
        targets.extend(destination.filter(|_| share > 0).map(|destination| Target::new(destination, share)));
    }
    if written.len() > 1 && written.iter().all(|entry| entry.weight.unwrap_or(0) == 0) {
        let help = "give at least one destination a weight above 0";
        report.error(&place, code::WEIGHT, "total destination weight = 0", help);
    }
    targets
}
