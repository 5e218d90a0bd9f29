//! What can be wrong with the listeners and addresses of a Gateway.

use super::config::{Address, Gateway, Listener};
use crate::code;
use crate::host;
use crate::report::{Place, Report};
use std::collections::HashMap;
use std::net::IpAddr;

/// The Gateway API's own limits.
const MOST_LISTENERS: usize = 64;
const MOST_ADDRESSES: usize = 16;
const NAME_LENGTH: usize = 253;

const PROTOCOLS: [&str; 5] = ["HTTP", "HTTPS", "TLS", "TCP", "UDP"];

/// Reports everything that is wrong.
pub fn check(written: &Gateway, report: &mut Report<'_>) {
    let place = Place::spec().key("listeners");
    if written.listeners.is_empty() {
        report.error(&Place::spec(), code::LISTENER, "the Gateway has no listeners", "add `listeners`");
    }
    limit(written.listeners.len(), MOST_LISTENERS, "listeners", &place, report);
    for (index, listener) in written.listeners.iter().enumerate() {
        let place = place.index(index);
        check_listener(listener, &place, report);
        check_tls(listener, &place, report);
    }
    check_distinct(&written.listeners, &place, report);
    let place = Place::spec().key("addresses");
    limit(written.addresses.len(), MOST_ADDRESSES, "addresses", &place, report);
    for (index, address) in written.addresses.iter().enumerate() {
        check_address(address, &place.index(index).key("value"), report);
    }
}

/// Reports more of something than the Gateway API allows.
pub fn limit(count: usize, most: usize, what: &str, place: &Place, report: &mut Report<'_>) {
    if count > most {
        let message = format!("{count} {what} are more than {most}");
        report.error(place, code::LIMIT, message, "spread them over several resources");
    }
}

/// Whether a text is a name of the Gateway API's sections (RFC 1123, section 2.1).
pub fn is_section_name(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = |label: &str| host::is_label(label) && label.bytes().all(valid);
    name.len() <= NAME_LENGTH && name.split('.').all(label)
}

/// Reports what is wrong with the host of a listener or route.
pub fn check_hostname(name: &str, place: &Place, report: &mut Report<'_>) -> bool {
    let reason = match host::check(name) {
        Err(reason) => reason,
        Ok(()) if name == "*" => "is a wildcard without a name behind it",
        Ok(()) if host::is_address(name) => "is an address",
        Ok(()) => return true,
    };
    let help = "write a DNS name such as www.example.com, or `*.` and one; leave it out for all hosts";
    report.error(place, code::HOST, format!("host `{name}` {reason}"), help);
    false
}

fn check_listener(written: &Listener, place: &Place, report: &mut Report<'_>) {
    if !is_section_name(&written.name) {
        let message = format!("`{}` is not the name of a listener", written.name);
        report.error(&place.key("name"), code::LISTENER, message, "use small letters, digits, hyphens and dots");
    }
    if !u16::try_from(written.port).is_ok_and(|port| port > 0) {
        let message = format!("{} is not a port", written.port);
        report.error(&place.key("port"), code::LISTENER, message, "use a number from 1 to 65535");
    }
    // Protocols of other implementations have their domain in front.
    if !PROTOCOLS.contains(&written.protocol.as_str()) && !written.protocol.contains('/') {
        let message = format!("`{}` is not a protocol", written.protocol);
        report.error(&place.key("protocol"), code::LISTENER, message, "use HTTP, HTTPS, TLS, TCP or UDP");
    }
    let Some(hostname) = written.hostname.as_deref().filter(|name| !name.is_empty()) else { return };
    if matches!(written.protocol.as_str(), "TCP" | "UDP") {
        let message = format!("{} knows no hosts", written.protocol);
        report.error(&place.key("hostname"), code::CONFLICT, message, "remove `hostname`");
    }
    check_hostname(hostname, &place.key("hostname"), report);
}

fn check_tls(written: &Listener, place: &Place, report: &mut Report<'_>) {
    let protocol = written.protocol.as_str();
    let Some(tls) = &written.tls else {
        if matches!(protocol, "HTTPS" | "TLS") {
            report.error(place, code::LISTENER, format!("{protocol} needs a certificate"), "add `tls.certificateRefs`");
        }
        return;
    };
    let place = place.key("tls");
    if matches!(protocol, "HTTP" | "TCP" | "UDP") {
        report.error(&place, code::CONFLICT, format!("{protocol} has no TLS"), "remove `tls`, or use HTTPS or TLS");
        return;
    }
    match tls.mode.as_deref() {
        None | Some("Terminate") if tls.certificate_refs.is_empty() && tls.options.is_empty() => {
            let message = "TLS that ends here needs a certificate";
            report.error(&place, code::LISTENER, message, "add `certificateRefs`");
        }
        Some("Passthrough") if protocol == "HTTPS" => {
            let message = "HTTPS ends TLS here, so it cannot be passed through";
            report.error(&place.key("mode"), code::CONFLICT, message, "use Terminate, or the protocol TLS");
        }
        None | Some("Terminate" | "Passthrough") => {}
        Some(other) => {
            let message = format!("`{other}` is not a mode of TLS");
            report.error(&place.key("mode"), code::LISTENER, message, "use Terminate or Passthrough");
        }
    }
}

/// Names must differ, and so must what requests are told apart by.
fn check_distinct(listeners: &[Listener], place: &Place, report: &mut Report<'_>) {
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut served: HashMap<(i64, &str, String), usize> = HashMap::new();
    let mut plain: HashMap<i64, bool> = HashMap::new();
    for (index, listener) in listeners.iter().enumerate() {
        let place = place.index(index);
        if let Some(other) = names.insert(&listener.name, index) {
            let message = format!("listener {} has the name `{}` already", other + 1, listener.name);
            report.error(&place.key("name"), code::LISTENER, message, "give every listener a name of its own");
        }
        let hostname = listener.hostname.clone().unwrap_or_default().to_ascii_lowercase();
        if let Some(other) = served.insert((listener.port, &listener.protocol, hostname), index) {
            let message = format!("listener {} has the same port, protocol and host", other + 1);
            report.error(&place, code::CONFLICT, message, "change one of the three, or remove the listener");
        }
        let is_plain = match listener.protocol.as_str() {
            "HTTP" | "TCP" => true,
            "HTTPS" | "TLS" => false,
            _ => continue,
        };
        if *plain.entry(listener.port).or_insert(is_plain) != is_plain {
            let message = format!("port {} is with TLS in one listener and without in another", listener.port);
            report.error(&place.key("protocol"), code::CONFLICT, message, "use different ports");
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
