//! An event that is sent to any address of HTTP, as a service would send it.

use super::{ANSWER, AdminClient, ClientError};
use crate::config::AdminAddress;
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::Full;
use std::net::ToSocketAddrs;

/// Sends an event, in the JSON format of CloudEvents, to any address of HTTP that takes them; gives the status.
///
/// # Errors
/// When it is no address of HTTP, or nobody answers there.
pub fn post(url: &str, headers: &[(String, String)], body: Vec<u8>) -> Result<u16, ClientError> {
    let uri: http::Uri = url.parse().map_err(|_| not_http(url))?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(|| not_http(url))?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let place = (host, authority.port_u16().unwrap_or(80));
    let address = place.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    let client = AdminClient::new(AdminAddress::Tcp(address.ok_or_else(|| not_http(url))?));
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut request = Request::post(path).header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header(HOST, authority.as_str());
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|error| client.invalid(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| client.unreachable(&error))?;
    let (status, _) = runtime.block_on(client.exchange(request, ANSWER))?;
    Ok(status.as_u16())
}

fn not_http(url: &str) -> ClientError {
    ClientError::Refused {
        status: 0,
        message: format!("{url} is no address that can be sent to: write http://HOST[:PORT]/PATH"),
    }
}
