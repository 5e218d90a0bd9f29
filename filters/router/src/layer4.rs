//! Rules for TLS that is passed through and for plain TCP. Only HTTP is routed here, so they have no effect; they are
//! checked as Istio checks them, so that a file that passes here passes there.

use crate::attachment;
use crate::code;
use crate::config::{RouteDestination, VirtualService};
use crate::host;
use crate::report::{Place, Report};
use crate::target::{self, Naming};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

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

/// Checks all TLS and TCP rules of a resource, whose own hosts have these full names.
pub fn check(written: &VirtualService, hosts: &[(usize, String)], naming: Naming<'_>, report: &mut Report<'_>) {
    for (kind, rules) in [("tls", &written.tls), ("tcp", &written.tcp)] {
        let place = Place::spec().key(kind);
        if !rules.is_empty() {
            report.no_effect(&place, kind, "only HTTP is routed");
        }
        for (index, rule) in rules.iter().enumerate() {
            let place = place.index(index);
            if kind == "tls" && rule.matches.is_empty() {
                let message = "a rule for TLS needs a `match` with `sniHosts`";
                report.error(&place, code::LAYER4, message, "add `match: [{sniHosts: [...]}]`");
            }
            for (index, block) in rule.matches.iter().enumerate() {
                let place = place.key("match").index(index);
                if kind == "tls" {
                    check_names(block, hosts, naming, &place, report);
                }
                check_block(block, naming.namespace, &place, report);
            }
            check_destinations(&rule.route, naming, &place, report);
        }
    }
}

fn check_names(
    block: &Layer4Match,
    hosts: &[(usize, String)],
    naming: Naming<'_>,
    place: &Place,
    report: &mut Report<'_>,
) {
    let place = place.key("sniHosts");
    if block.sni_hosts.is_empty() {
        report.error(&place, code::LAYER4, "a match for TLS needs server names", "name at least one host");
    }
    for (index, name) in block.sni_hosts.iter().enumerate() {
        let place = place.index(index);
        let full = host::expand(name, naming.namespace, naming.environment);
        if let Err(reason) = host::check(name) {
            report.error(&place, code::HOST, format!("host `{name}` {reason}"), "write a DNS name, or `*.` and one");
        } else if host::is_address(name) {
            let message = format!("`{name}` is an address, which clients do not send as a server name");
            report.warning(&place, code::LAYER4, message, "write a DNS name, or match by `destinationSubnets`");
        } else if !hosts.iter().any(|(_, own)| host::covers(own, &full)) {
            let message = format!("`{name}` is not among the `hosts` of the resource");
            report.error(&place, code::LAYER4, message, "add it to `spec.hosts`, or a wildcard that covers it");
        }
    }
}

fn check_block(block: &Layer4Match, namespace: &str, place: &Place, report: &mut Report<'_>) {
    let subnets = block.destination_subnets.iter().enumerate();
    let subnets = subnets.map(|(index, subnet)| (place.key("destinationSubnets").index(index), subnet));
    let source = block.source_subnet.iter().map(|subnet| (place.key("sourceSubnet"), subnet));
    for (place, subnet) in subnets.chain(source).filter(|(_, subnet)| !is_subnet(subnet)) {
        let message = format!("`{subnet}` is not a subnet");
        report.error(
            &place,
            code::LAYER4,
            message,
            "write an address, or one and the length of its prefix: 10.0.0.0/8",
        );
    }
    if let Some(port) = block.port.filter(|port| !(1..=65535).contains(port)) {
        let message = format!("{port} is not a port");
        report.error(&place.key("port"), code::LAYER4, message, "use a number from 1 to 65535");
    }
    attachment::gateways(&block.gateways, namespace, &place.key("gateways"), report);
}

fn is_subnet(text: &str) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= longest))
}

fn check_destinations(written: &[RouteDestination], naming: Naming<'_>, place: &Place, report: &mut Report<'_>) {
    let place = place.key("route");
    if written.is_empty() {
        report.error(&place, code::NO_ACTION, "the rule does not say where connections go", "add `route`");
    }
    for (index, entry) in written.iter().enumerate() {
        let place = place.index(index);
        target::required(entry.destination.as_ref(), naming, &place, report);
        if let Some(weight) = entry.weight.filter(|weight| i32::try_from(*weight).map_or(true, |weight| weight < 0)) {
            let message = format!("{weight} is not a weight");
            report.error(&place.key("weight"), code::WEIGHT, message, "use 0 or a positive number");
        }
    }
    if written.len() > 1 && written.iter().all(|entry| entry.weight.unwrap_or(0) == 0) {
        let help = "give at least one destination a weight above 0";
        report.error(&place, code::WEIGHT, "total destination weight = 0", help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_is_an_address_with_or_without_a_length() {
        for good in ["10.0.0.0/8", "10.1.2.3", "::1/128", "fd00::/8", "0.0.0.0/0"] {
            assert!(is_subnet(good), "{good}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "a/8", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(!is_subnet(bad), "{bad}");
        }
    }
}
