//! Keeps web pages away from the admin endpoint.
//!
//! A browser on the operator's machine reaches loopback addresses, and a page may have its own name point there. It
//! cannot send another `host` than that name, nor anything but a GET or HEAD without an `origin`.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method};
use std::net::IpAddr;

/// Why a request is refused, if it is.
pub(super) fn refusal(method: &Method, headers: &HeaderMap, allow_remote: bool) -> Option<&'static str> {
    if method != Method::GET && method != Method::HEAD && headers.contains_key(ORIGIN) {
        return Some("requests of web pages (with an `origin` header) are refused\n");
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if allow_remote || is_numeric_or_local(host) {
        return None;
    }
    Some("the `host` header must be an IP address or `localhost`: names could be a web page's\n")
}

fn is_numeric_or_local(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|host| host.split_once(']')).map(|(inside, _)| inside);
    let name = bracketed.unwrap_or_else(|| host.split_once(':').map_or(host, |(name, _)| name));
    name.is_empty() || name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_localhost_pass_and_names_do_not() {
        for host in ["127.0.0.1:9901", "[::1]:9901", "localhost", "LOCALHOST:9901", ""] {
            assert!(is_numeric_or_local(host), "{host}");
        }
        for host in ["evil.example:9901", "localhost.evil.example", "127.0.0.1.evil.example"] {
            assert!(!is_numeric_or_local(host), "{host}");
        }
    }

    #[test]
    fn a_page_cannot_post_even_to_a_number() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "127.0.0.1:9901".parse().unwrap());
        headers.insert(ORIGIN, "https://evil.example".parse().unwrap());
        assert!(refusal(&Method::POST, &headers, true).is_some());
        assert!(refusal(&Method::GET, &headers, false).is_none());
    }
}
