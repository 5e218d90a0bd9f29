//! What of a message is for the next hop only, and what every hop adds (RFC 9110, sections 7.6 and 7.8).
//!
//! Inbound, a request's head becomes a [`RequestHead`] of end-to-end fields alone. Outbound, the proxy says who it
//! acted for. Framing is nobody's business here: the gate checked it, and the HTTP library writes it anew.

use crate::admission::Place;
use crate::config::limits::HEADER_COUNT;
use crate::connection::{ConnectionInfo, Held, target};
use crate::error::RequestError::{self, BadRequest};
use crate::request::{RequestHead, RequestId};
use crate::websocket;
use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Request, Uri, Version};
use hyper::upgrade::OnUpgrade;

mod names;
mod trailers;

pub use trailers::without_forbidden_trailers;

use names::{KEEP_ALIVE, PROXY_CONNECTION, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_REQUEST_ID};

// Constants, since `from_static` checks its text each time it is called.
const EMPTY: HeaderValue = HeaderValue::from_static("");
const HTTP: HeaderValue = HeaderValue::from_static("http");
const HTTPS: HeaderValue = HeaderValue::from_static("https");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const VIA_10: HeaderValue = HeaderValue::from_static("1.0 sluicegate");
const VIA_11: HeaderValue = HeaderValue::from_static("1.1 sluicegate");
const VIA_2: HeaderValue = HeaderValue::from_static("2 sluicegate");

/// A request as the proxy goes on with it.
#[derive(Debug)]
pub struct Sanitized {
    /// The head.
    pub head: Box<RequestHead>,
    /// The authority as the client sent it; empty when an HTTP/1.0 client sent none.
    pub host: HeaderValue,
    /// The connection, when the client asks to speak WebSocket on it.
    pub upgrade: Option<Upgrading>,
}

/// A connection, or a stream of one, that a client wants to speak WebSocket on.
#[derive(Debug)]
pub struct Upgrading {
    /// Resolves when an answer has agreed to it: 101, or 200 in HTTP/2.
    pub connection: OnUpgrade,
    /// The stream, in HTTP/2.
    pub held: Option<Held>,
    /// Kept for as long as it is spoken.
    pub place: Place,
}

/// Takes a request's head apart.
pub fn request(mut parts: Parts, connection: &ConnectionInfo) -> Result<Sanitized, RequestError> {
    let asks_in_http2 = parts.version == Version::HTTP_2 && websocket::of_http2(&mut parts)?;
    let host = match parts.version {
        Version::HTTP_2 => {
            if has_too_many(&parts.headers) {
                return Err(RequestError::HeadTooLarge("more than 100 headers"));
            }
            let host = http2_host(&parts.uri, &mut parts.headers)?;
            http2_target(&parts, &host)?;
            host
        }
        _ => http1_host(&parts.uri, &mut parts.headers)?,
    };
    let authority = host.to_str().map_err(|_| BadRequest("the host has an invalid character"))?.to_owned();
    if let Some(session) = &connection.tls
        && !session.serves(&authority)
    {
        return Err(RequestError::Misdirected);
    }
    let connection_of = |parts: &mut Parts| {
        let held = parts.extensions.remove::<Held>();
        let place = connection.place.clone();
        parts.extensions.remove::<OnUpgrade>().map(|connection| Upgrading { connection, held, place })
    };
    let upgrade = match &connection.gate {
        Some(gate) if gate.wants_upgrade() => connection_of(&mut parts),
        None if asks_in_http2 => connection_of(&mut parts),
        _ => None,
    };
    request_headers(&mut parts.headers, parts.version)?;
    // A path that is nothing but a fragment is kept as an empty one, which would be written as no target at all.
    let path_and_query = parts.uri.into_parts().path_and_query.filter(|path| path.as_str() != "/");
    let path_and_query = path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let head = Box::new(RequestHead {
        id: RequestId::random(),
        method: parts.method,
        scheme: connection.scheme.clone(),
        authority,
        path_and_query,
        headers: parts.headers,
        attributes: Vec::new(),
        body: None,
        peer: connection.peer,
        local: connection.local,
        arrival: connection.arrival.clone(),
        version: parts.version,
        received: std::time::SystemTime::now(),
        rehearsed: false,
    });
    Ok(Sanitized { head, host, upgrade })
}

/// Adds what the proxy says to the upstream to the headers of a request for it. `host` is the authority that the client
/// sent, which filters may have changed in the head since.
///
/// `x-forwarded-proto` and `x-forwarded-host` replace what the client claims; `x-forwarded-for` and `via` grow by one
/// entry; `x-request-id` is kept when there is one.
pub fn outgoing(head: &RequestHead, host: &HeaderValue, connection: &ConnectionInfo, headers: &mut HeaderMap) {
    forwarded_for(&connection.forwarded_for, headers);
    headers.insert(X_FORWARDED_PROTO, if head.scheme == http::uri::Scheme::HTTPS { HTTPS } else { HTTP });
    if host.is_empty() {
        headers.remove(X_FORWARDED_HOST);
    } else {
        headers.insert(X_FORWARDED_HOST, host.clone());
    }
    if let Entry::Vacant(vacant) = headers.entry(X_REQUEST_ID) {
        vacant.insert(head.id.header_value());
    }
    headers.append(header::VIA, via(head.version));
}

/// The head of a request as an upstream gets it: in origin form, with these headers and the authority that filters left.
/// `host` is the authority that the client sent.
pub fn upstream_parts(head: &RequestHead, host: &HeaderValue, mut headers: HeaderMap) -> Parts {
    if host.as_bytes() == head.authority.as_bytes() {
        headers.insert(header::HOST, host.clone());
    } else if let Ok(host) = HeaderValue::from_str(&head.authority) {
        headers.insert(header::HOST, host);
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = head.method.clone();
    parts.uri = Uri::from(head.path_and_query.clone());
    parts.version = Version::HTTP_11;
    parts.headers = headers;
    parts
}

/// Leaves the end-to-end headers of an upstream's response, and adds `via`. `version` is the upstream's.
pub fn response(headers: &mut HeaderMap, version: Version) {
    let found = HopByHop::in_headers(headers);
    if found.connection {
        // An upstream is not refused for what it nominates: its response is worth more than its manners.
        let nominated: Vec<HeaderName> = nominations(headers).filter_map(|name| name.parse().ok()).collect();
        for name in nominated.into_iter().filter(|name| !is_essential(name)) {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    found.remove_others(headers);
    headers.append(header::VIA, via(version));
}

fn request_headers(headers: &mut HeaderMap, version: Version) -> Result<(), RequestError> {
    let found = HopByHop::in_headers(headers);
    if version == Version::HTTP_2 {
        if found.connection || found.other {
            return Err(BadRequest("a header for one connection in HTTP/2"));
        }
        if headers.values().any(is_padded) {
            return Err(BadRequest("a header's value begins or ends with a blank"));
        }
        join_cookies(headers);
    }
    if found.connection {
        remove_nominated(headers)?;
    }
    let trailers_welcome = found.te && accepts_trailers(headers);
    found.remove_others(headers);
    if trailers_welcome {
        headers.insert(header::TE, TRAILERS);
    }
    headers.remove(header::EXPECT);
    Ok(())
}

/// Which hop-by-hop fields there are. Most messages have none, and finding that out takes one look at each name.
struct HopByHop {
    connection: bool,
    te: bool,
    other: bool,
}

impl HopByHop {
    fn in_headers(headers: &HeaderMap) -> Self {
        let mut found = Self { connection: false, te: false, other: false };
        for name in headers.keys() {
            match name.as_str() {
                "connection" => found.connection = true,
                "te" => found.te = true,
                "keep-alive"
                | "proxy-connection"
                | "transfer-encoding"
                | "upgrade"
                | "proxy-authenticate"
                | "proxy-authorization" => found.other = true,
                _ => {}
            }
        }
        found
    }

    fn remove_others(&self, headers: &mut HeaderMap) {
        if self.te {
            headers.remove(header::TE);
        }
        if !self.other {
            return;
        }
        let others = [
            KEEP_ALIVE,
            PROXY_CONNECTION,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
            header::PROXY_AUTHENTICATE,
            header::PROXY_AUTHORIZATION,
        ];
        for name in others {
            headers.remove(name);
        }
    }
}

/// Whether HTTP/2 has more headers than a head may have; in HTTP/1 they are counted as they come. A cookie may be cut into
/// several, which count as one (RFC 9113, section 8.2.3).
fn has_too_many(headers: &HeaderMap) -> bool {
    let pieces = || headers.get_all(header::COOKIE).iter().count().saturating_sub(1);
    headers.len() > HEADER_COUNT && headers.len() - pieces() > HEADER_COUNT
}

/// Removes `connection` and what it names. Refuses a client that would have the proxy drop what a later hop relies
/// on, such as who the client is.
fn remove_nominated(headers: &mut HeaderMap) -> Result<(), RequestError> {
    let mut nominated = Vec::new();
    for name in nominations(headers) {
        let name: HeaderName = name.parse().map_err(|_| BadRequest("the connection header names no header"))?;
        if is_essential(&name) {
            return Err(BadRequest("the connection header names an end-to-end header"));
        }
        nominated.push(name);
    }
    for name in nominated {
        headers.remove(name);
    }
    headers.remove(header::CONNECTION);
    Ok(())
}

/// What `connection` names, but for the options that are no headers or are removed anyway.
fn nominations(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).into_iter();
    values.flat_map(|value| value.to_str().unwrap_or("\0").split(',')).map(str::trim).filter(|option| {
        let known = ["close", "keep-alive", "upgrade", "te", "http2-settings"];
        !option.is_empty() && !known.iter().any(|known| option.eq_ignore_ascii_case(known))
    })
}

fn is_essential(name: &HeaderName) -> bool {
    names::ESSENTIAL.contains(name)
}

/// In HTTP/2 blanks around a value are a part of it, and not allowed (RFC 9113, section 8.2.1).
fn is_padded(value: &HeaderValue) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    is_blank(value.as_bytes().first()) || is_blank(value.as_bytes().last())
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::TE).into_iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("trailers")))
}

/// HTTP/2 clients may send each cookie by itself; HTTP/1 servers expect one header (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let Entry::Occupied(mut cookies) = headers.entry(header::COOKIE) else { return };
    if cookies.iter().nth(1).is_none() {
        return;
    }
    let parts: Vec<&[u8]> = cookies.iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&parts.join(b"; ".as_slice())) {
        cookies.insert(joined);
    }
}

/// The gate has compared the two and checked that HTTP/1.1 has one of them.
fn http1_host(uri: &Uri, headers: &mut HeaderMap) -> Result<HeaderValue, RequestError> {
    let host = headers.remove(header::HOST);
    match uri.authority() {
        Some(authority) => value(authority),
        None => Ok(host.unwrap_or(EMPTY)),
    }
}

fn http2_host(uri: &Uri, headers: &mut HeaderMap) -> Result<HeaderValue, RequestError> {
    if headers.get_all(header::HOST).into_iter().nth(1).is_some() {
        return Err(BadRequest("more than one host header"));
    }
    match (uri.authority(), headers.remove(header::HOST)) {
        (Some(authority), _) if authority.as_str().contains('@') => {
            Err(BadRequest("the authority has user information"))
        }
        (Some(authority), Some(host)) if !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) => {
            Err(BadRequest("the host header differs from :authority"))
        }
        (Some(authority), _) => value(authority),
        (None, Some(host)) => Ok(host),
        (None, None) => Err(BadRequest(":authority is missing")),
    }
}

/// What the gate checks of an HTTP/1 message: the frames say where a message ends, but not what may stand in its first
/// line once it is written down for an HTTP/1 upstream (RFC 9113, section 8.2.1 and 10.3).
fn http2_target(parts: &Parts, host: &HeaderValue) -> Result<(), RequestError> {
    target::check_authority(host.as_bytes())?;
    let path_and_query = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    target::check(parts.method.as_str().as_bytes(), path_and_query.as_bytes()).map(drop)
}

fn value(authority: &Authority) -> Result<HeaderValue, RequestError> {
    HeaderValue::from_str(authority.as_str()).map_err(|_| BadRequest("the authority has an invalid character"))
}

/// `x-forwarded-for` grows by the peer of this connection.
fn forwarded_for(peer: &HeaderValue, headers: &mut HeaderMap) {
    if !headers.contains_key(X_FORWARDED_FOR) {
        headers.insert(X_FORWARDED_FOR, peer.clone());
        return;
    }
    let mut entries: Vec<&[u8]> = headers.get_all(X_FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    entries.push(peer.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&entries.join(b", ".as_slice())) {
        headers.insert(X_FORWARDED_FOR, value);
    }
}

fn via(version: Version) -> HeaderValue {
    match version {
        Version::HTTP_2 => VIA_2,
        Version::HTTP_10 => VIA_10,
        _ => VIA_11,
    }
}

#[cfg(test)]
mod tests;
