//! A request that is to be explained, and the request that the chain sees for it.

use crate::request::{Arrival, RequestHead, RequestId};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use rustls::pki_types::DnsName;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// Where explained requests come from and go to, as no connection says it.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A request to be explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// Such as `GET`.
    #[serde(default = "get")]
    pub method: String,
    /// With scheme and authority: `http://shop/orders?page=2`.
    pub url: String,
    /// Name and value, in order. A `host` takes the place of the URL's authority.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// By which listener it comes in.
    #[serde(default, skip_serializing_if = "ExplainListener::is_unnamed")]
    pub listener: ExplainListener,
}

impl Default for ExplainRequest {
    /// A `GET` of nothing yet.
    fn default() -> Self {
        Self {
            method: get(),
            url: String::new(),
            headers: Vec::new(),
            body: None,
            listener: ExplainListener::default(),
        }
    }
}

impl ExplainRequest {
    /// The request as the chain sees it.
    ///
    /// # Errors
    /// With what is wrong with it, for people.
    pub fn to_head(&self) -> Result<RequestHead, String> {
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| format!("`{}` is not a method: it has characters other than a token's", self.method))?;
        let (scheme, mut authority, path_and_query) = self.target()?;
        self.listener.check()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let parsed =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header name"))?;
            if parsed == http::header::HOST {
                authority.clone_from(value);
                continue;
            }
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("the value of `{name}` has characters that no header value may have"))?;
            headers.append(parsed, value);
        }
        Ok(RequestHead {
            id: RequestId::random(),
            method,
            scheme,
            authority,
            path_and_query,
            headers,
            attributes: Vec::new(),
            body: None,
            peer: NOWHERE,
            local: NOWHERE,
            arrival: Arrival::default(),
            version: Version::HTTP_11,
            received: std::time::SystemTime::now(),
            rehearsed: true,
        })
    }

    /// Host and port of the URL, which is where a client connects to whatever `host` says.
    pub fn place(&self) -> Option<(String, Option<u16>)> {
        let uri: Uri = self.url.parse().ok()?;
        Some((uri.host()?.to_owned(), uri.port_u16()))
    }

    fn target(&self) -> Result<(Scheme, String, http::uri::PathAndQuery), String> {
        let help = "write it with scheme and host, such as `http://shop/orders?page=2`";
        let uri: Uri = self.url.parse().map_err(|error| format!("`{}` is not a URL ({error}); {help}", self.url))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let (Some(scheme), Some(authority)) = (scheme, parts.authority) else {
            return Err(format!("`{}` has no scheme `http` or `https`; {help}", self.url));
        };
        let path = parts.path_and_query.unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
        Ok((scheme, authority.to_string(), path))
    }
}

/// The listener by which an explained request comes in. What is left open is chosen as
/// [`crate::explain::arrive`] says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainListener {
    /// The port, as a Gateway document declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The server name of the TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// It is the proxy's own listener, whatever Gateway documents declare.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mesh: bool,
}

impl ExplainListener {
    /// Whether a client could name the server so.
    ///
    /// # Errors
    /// With what is wrong with the name, for people.
    pub fn check(&self) -> Result<(), String> {
        let Some(name) = &self.sni else { return Ok(()) };
        let checked = DnsName::try_from(name.as_str());
        checked.map(drop).map_err(|_| format!("`{name}` is not a server name: TLS takes DNS names alone"))
    }

    /// Whether nothing is said of it.
    pub fn is_unnamed(&self) -> bool {
        *self == Self::default()
    }
}

fn get() -> String {
    "GET".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> ExplainRequest {
        ExplainRequest { url: url.into(), ..ExplainRequest::default() }
    }

    #[test]
    fn a_host_header_takes_the_place_of_the_authority() {
        let mut request = request("http://127.0.0.1:8080/orders?page=2");
        request.headers = vec![("Host".into(), "shop".into()), ("x-user".into(), "ada".into())];
        let head = request.to_head().unwrap();
        assert_eq!((head.authority.as_str(), head.path_and_query.as_str()), ("shop", "/orders?page=2"));
        assert_eq!(head.headers.len(), 1);
        assert_eq!(head.headers["x-user"], "ada");
    }

    #[test]
    fn a_url_without_a_path_means_the_root() {
        assert_eq!(request("http://shop").to_head().unwrap().path_and_query, "/");
    }

    #[test]
    fn says_what_is_wrong_with_a_request() {
        assert!(request("/orders").to_head().unwrap_err().contains("no scheme"));
        assert!(request("ftp://shop/").to_head().unwrap_err().contains("no scheme"));
        assert!(request("http://sh op/").to_head().unwrap_err().contains("not a URL"));
        let odd = ExplainRequest { method: "GET IT".into(), ..request("http://shop/") };
        assert!(odd.to_head().unwrap_err().contains("not a method"));
        let odd = ExplainRequest { headers: vec![("a b".into(), String::new())], ..request("http://shop/") };
        assert!(odd.to_head().unwrap_err().contains("not a header name"));
        let listener = ExplainListener { sni: Some("10.0.0.1".into()), ..ExplainListener::default() };
        let odd = ExplainRequest { listener, ..request("https://shop/") };
        assert!(odd.to_head().unwrap_err().contains("not a server name"));
    }
}
