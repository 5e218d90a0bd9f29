//! What can be wrong with the listeners and addresses of a Gateway, beside what the proxy reports that opens them: names and
//! hosts that are there twice, hosts that are none, TLS without a certificate.

use super::config::{Address, Gateway, Listener};
use super::shape::{is_section_name, limit};
use crate::code;
use crate::host;
use crate::report::{Place, Report};
use std::collections::HashMap;
use std::net::IpAddr;

/// The Gateway API's own limit.
const MOST_ADDRESSES: usize = 16;

const PROTOCOLS: [&str; 5] = ["HTTP", "HTTPS", "TLS", "TCP", "UDP"];

/// Reports everything that is wrong.
pub fn check(written: &Gateway, report: &mut Report<'_>) {
    let place = Place::spec().key("listeners");
    for (index, listener) in written.listeners.iter().enumerate() {
        check_listener(listener, &place.index(index), report);
    }
    check_ports(&written.listeners, &place, report);
    let place = Place::spec().key("addresses");
    limit(written.addresses.len(), MOST_ADDRESSES, "addresses", &place, report);
    for (index, address) in written.addresses.iter().enumerate() {
        check_address(address, &place.index(index).key("value"), report);
    }
}

fn check_listener(written: &Listener, place: &Place, report: &mut Report<'_>) {
    if !is_section_name(&written.name) {
        let message = format!("`{}` is not the name of a listener", written.name);
        report.error(&place.key("name"), code::LISTENER, message, "use small letters, digits, hyphens and dots");
    }
    // Protocols of other implementations have their domain in front.
    if !PROTOCOLS.contains(&written.protocol.as_str()) && !written.protocol.contains('/') {
        let message = format!("`{}` is not a protocol", written.protocol);
        report.error(&place.key("protocol"), code::LISTENER, message, "use HTTP, HTTPS, TLS, TCP or UDP");
    }
    let has_host = written.hostname.as_ref().is_some_and(|name| !name.is_empty());
    if has_host && matches!(written.protocol.as_str(), "TCP" | "UDP") {
        let message = format!("{} knows no hosts", written.protocol);
        report.error(&place.key("hostname"), code::CONFLICT, message, "remove `hostname`");
    }
}

/// A port is with TLS or without.
fn check_ports(listeners: &[Listener], place: &Place, report: &mut Report<'_>) {
    let mut plain: HashMap<i64, bool> = HashMap::new();
    for (index, listener) in listeners.iter().enumerate() {
        let is_plain = match listener.protocol.as_str() {
            "HTTP" | "TCP" => true,
            "HTTPS" | "TLS" => false,
            _ => continue,
        };
        if *plain.entry(listener.port).or_insert(is_plain) != is_plain {
            let message = format!("port {} is with TLS in one listener and without in another", listener.port);
            report.error(&place.index(index).key("protocol"), code::CONFLICT, message, "use different ports");
        }
    }
}

fn check_address(written: &Address, place: &Place, report: &mut Report<'_>) {
    let Some(value) = written.value.as_deref().filter(|value| !value.is_empty()) else { return };
    let (valid, what) = match written.kind.as_deref() {
        None | Some("IPAddress") => (value.parse::<IpAddr>().is_ok(), "an IP address"),
        Some("Hostname") => (host::check(value).is_ok() && !value.contains('*'), "a DNS name"),
        // Types of other implementations have their domain in front.
        Some(other) => (other.contains('/'), "an address of a known type"),
    };
    if !valid {
        let help = "write an IP address, or use the type Hostname for a name";
        report.error(place, code::LISTENER, format!("`{value}` is not {what}"), help);
    }
}
