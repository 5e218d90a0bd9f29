//! What names and lists must look like in all resources of the Gateway API.

use crate::code;
use crate::host;
use crate::report::{Place, Report};

/// RFC 1123, section 2.1, without the final dot.
const NAME_LENGTH: usize = 253;

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
