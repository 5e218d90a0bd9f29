//! Headers, of calls and of the answer.

use crate::code;
use crate::composition::PassedHeaders;
use crate::document;
use crate::report::{Place, Report};
use crate::template::resolve::Resolver;
use crate::template::{Piece, Text};

/// Headers that are the host's to write, or would make an answer something else than plain JSON.
pub(super) const OF_CALLS: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers of an answer that are the host's to write.
pub(super) const OF_ANSWERS: [&str; 8] = [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
];

/// Headers with their templates; those in `refused` are not the author's to set.
pub(super) fn headers(
    written: &document::Ordered<String>,
    place: &Place,
    refused: &[&str],
    resolver: &mut Resolver<'_, '_, '_>,
) -> Vec<(String, Text)> {
    let mut headers = Vec::with_capacity(written.0.len());
    for (name, value) in written {
        let place = place.key(name);
        let lower = name.to_ascii_lowercase();
        check_name(&lower, &place, refused, resolver.report);
        let text = resolver.text(value, &place);
        let broken = |piece: &Piece| matches!(piece, Piece::Literal(text) if text.bytes().any(is_control));
        if text.0.iter().any(broken) {
            let help = "a header's value is one line";
            resolver.report.error(&place, code::HEADER_VALUE, "the value has control characters", help);
        }
        headers.push((lower, text));
    }
    headers
}

fn check_name(name: &str, place: &Place, refused: &[&str], report: &mut Report<'_>) {
    if !is_header_name(name) {
        let help = "a header's name has letters, digits and dashes";
        report.error(place, code::HEADER_NAME, format!("`{name}` is not the name of a header"), help);
    } else if refused.contains(&name) {
        let help = "leave it out: framing and connections belong to the host";
        report.error(place, code::HEADER_NAME, format!("`{name}` is not a composition's to set"), help);
    }
}

/// Whether a byte breaks a header's value (RFC 9110, section 5.5).
pub fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

pub(super) fn passed(call: &document::Call, place: &Place, report: &mut Report<'_>) -> PassedHeaders {
    if call.pass_headers == ["*"] {
        return PassedHeaders::All;
    }
    let place = place.key("passHeaders");
    for (index, name) in call.pass_headers.iter().enumerate() {
        check_name(&name.to_ascii_lowercase(), &place.index(index), &OF_CALLS, report);
    }
    PassedHeaders::Named(call.pass_headers.iter().map(|name| name.to_ascii_lowercase()).collect())
}

/// Whether this is a field name (RFC 9110, section 5.1).
pub(super) fn is_header_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}
