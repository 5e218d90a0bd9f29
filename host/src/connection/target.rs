//! The request target and the authority (RFC 9112, section 3.2; RFC 3986, section 3.2).

use super::characters::{HOST, PATH, QUERY, all};
use crate::error::RequestError::{self, BadRequest};
use std::net::Ipv6Addr;

/// Checks a target for a method. Gives the authority of an absolute one.
pub(crate) fn check<'a>(method: &[u8], target: &'a [u8]) -> Result<Option<&'a [u8]>, RequestError> {
    match target {
        [] => Err(BadRequest("the request target is empty")),
        [b'/', ..] => path_and_query(target).map(|()| None),
        b"*" if method == b"OPTIONS" => Ok(None),
        b"*" => Err(BadRequest("the request target * is for OPTIONS only")),
        _ => absolute(target).map(Some),
    }
}

/// Checks `host [":" port]`, as the host header and an absolute target have it.
pub(crate) fn check_authority(authority: &[u8]) -> Result<(), RequestError> {
    let (host, port) = split_port(authority).ok_or(BadRequest("the host has an invalid IPv6 address"))?;
    if host.is_empty() {
        return Err(BadRequest("the host is empty"));
    }
    if host.first() != Some(&b'[') && !all(&HOST, host) {
        return Err(BadRequest("the host has an invalid character"));
    }
    match port {
        Some(port) if !is_port(port) => Err(BadRequest("the port of the host is invalid")),
        _ => Ok(()),
    }
}

/// Whether two checked authorities are the same, letter case and the default port of `http` aside.
pub(super) fn same_authority(left: &[u8], right: &[u8]) -> bool {
    let plain = |authority| match split_port(authority) {
        Some((host, Some(b"80"))) => Some((host, None)),
        other => other,
    };
    match (plain(left), plain(right)) {
        (Some((left, left_port)), Some((right, right_port))) => {
            left_port == right_port && left.eq_ignore_ascii_case(right)
        }
        _ => false,
    }
}

fn absolute(target: &[u8]) -> Result<&[u8], RequestError> {
    let colon = memchr::memchr(b':', target).ok_or(BadRequest("the request target is neither a path nor a URI"))?;
    let (scheme, rest) = target.split_at_checked(colon).unwrap_or_default();
    let Some(rest) = rest.strip_prefix(b"://") else {
        return Err(BadRequest("a request target in authority form is for CONNECT only"));
    };
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return Err(BadRequest("the scheme of the request target is neither http nor https"));
    }
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).unwrap_or_default();
    check_authority(authority)?;
    path_and_query(tail)?;
    Ok(authority)
}

fn path_and_query(target: &[u8]) -> Result<(), RequestError> {
    let mark = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at_checked(mark).unwrap_or_default();
    if all(&PATH, path) && all(&QUERY, query) {
        return Ok(());
    }
    Err(BadRequest(if target.contains(&b'#') {
        "the request target has a fragment"
    } else {
        "the request target has an invalid character"
    }))
}

/// Host and port; the host of an IPv6 address keeps its brackets. None for what only looks like such an address.
fn split_port(authority: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if authority.first() != Some(&b'[') {
        return Some(match memchr::memchr(b':', authority) {
            Some(colon) => (authority.get(..colon)?, authority.get(colon + 1..)),
            None => (authority, None),
        });
    }
    let end = memchr::memchr(b']', authority)?;
    let address = std::str::from_utf8(authority.get(1..end)?).ok()?;
    address.parse::<Ipv6Addr>().ok()?;
    let host = authority.get(..=end)?;
    match authority.get(end + 1..)? {
        [] => Some((host, None)),
        [b':', port @ ..] => Some((host, Some(port))),
        _ => None,
    }
}

fn is_port(port: &[u8]) -> bool {
    // Ports have at most five digits; `parse` alone would take a sign.
    (1..=5).contains(&port.len())
        && port.iter().all(u8::is_ascii_digit)
        && std::str::from_utf8(port).is_ok_and(|digits| digits.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_names_addresses_and_ports() {
        for good in ["a", "a.b-c_d~e", "127.0.0.1:80", "[::1]", "[::1]:8080", "a:0", "a:65535"] {
            assert_eq!(check_authority(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in ["", ":80", "a:", "a:b", "a:65536", "a:+1", "u@a", "a b", "a/b", "[::1", "[::g]", "[::1]x", "a:1:2"]
        {
            assert!(check_authority(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_default_port_and_letter_case_do_not_make_authorities_differ() {
        assert!(same_authority(b"A.example", b"a.EXAMPLE:80"));
        assert!(same_authority(b"[::1]:80", b"[::1]"));
        assert!(!same_authority(b"a", b"b"));
        assert!(!same_authority(b"a", b"a:8080"));
    }

    #[test]
    fn every_accepted_target_is_a_uri_to_the_parser_behind() {
        for byte in 0..=255_u8 {
            for frame in [("/", ""), ("/?", ""), ("http://h/", ""), ("http://h?", "x")] {
                let target = [frame.0.as_bytes(), &[byte], frame.1.as_bytes()].concat();
                if check(b"GET", &target).is_ok() {
                    assert!(http::Uri::try_from(target.as_slice()).is_ok(), "{}", target.escape_ascii());
                }
            }
        }
    }
}
