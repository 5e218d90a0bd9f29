//! Which headers the proxy may change on the way.

use crate::reference::Read;
use http::HeaderMap;

/// Those that it writes anew or takes out.
const OWN: [&str; 16] = [
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// Every other header that came goes on, with the values that it had.
pub(crate) fn assert_kept(came: &HeaderMap, sent: &Read) {
    let nominated =
        came.get_all("connection").into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let nominated: Vec<_> = nominated.map(<[u8]>::trim_ascii).collect();
    for name in came.keys().map(http::HeaderName::as_str) {
        if OWN.contains(&name) || nominated.iter().any(|other| other.eq_ignore_ascii_case(name.as_bytes())) {
            continue;
        }
        let values: Vec<_> = came.get_all(name).into_iter().map(http::HeaderValue::as_bytes).collect();
        assert_eq!(sent.values(name).collect::<Vec<_>>(), values, "{name} has changed");
    }
}
