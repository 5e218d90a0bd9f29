//! The request as the rules see it. Every read is a call into the host, so each part is read once and only when a rule
//! asks for it.

use crate::attachment::MESH;
use crate::host;
use sluicegate_sdk::Request;
use std::cell::{OnceCell, RefCell};

/// A header's values joined by commas, as Istio compares them; none when the header is absent.
type Joined = Option<Vec<u8>>;

/// A request whose parts are read at most once.
#[derive(Debug)]
pub struct View<'a> {
    request: &'a Request<'a>,
    authority: OnceCell<String>,
    path: OnceCell<String>,
    query: OnceCell<Option<String>>,
    method: OnceCell<String>,
    scheme: OnceCell<String>,
    /// Few enough that looking through them costs less than a map.
    headers: RefCell<Vec<(String, Joined)>>,
}

impl<'a> View<'a> {
    /// A view of which nothing is read yet.
    pub fn new(request: &'a Request<'a>) -> Self {
        Self {
            request,
            authority: OnceCell::new(),
            path: OnceCell::new(),
            query: OnceCell::new(),
            method: OnceCell::new(),
            scheme: OnceCell::new(),
            headers: RefCell::new(Vec::new()),
        }
    }

    /// The authority as sent.
    pub fn authority(&self) -> &str {
        self.authority.get_or_init(|| self.request.authority())
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.path.get_or_init(|| self.request.path())
    }

    /// What follows the `?`.
    pub fn query(&self) -> Option<&str> {
        self.query.get_or_init(|| self.request.query()).as_deref()
    }

    /// The method.
    pub fn method(&self) -> &str {
        self.method.get_or_init(|| self.request.method())
    }

    /// The scheme.
    pub fn scheme(&self) -> &str {
        self.scheme.get_or_init(|| self.request.scheme())
    }

    /// The port that the client takes itself to speak to. A Gateway's port is the one that the request came in on. In
    /// the mesh that is the port of the service, and every listener of the proxy stands for all of them.
    pub fn addressed_port(&self) -> Option<u16> {
        let authority = self.authority();
        let written = || authority.get(host::without_port(authority).len() + 1..)?.parse().ok();
        match self.attribute("listener.name") {
            Some(name) if name == MESH => written().or_else(|| default_port(self.scheme())),
            _ => self.listener_port().or_else(written),
        }
    }

    /// The port that the request came in on, where the host tells it.
    pub fn listener_port(&self) -> Option<u16> {
        self.attribute("listener.port")?.parse().ok()
    }

    /// What the host or an earlier filter knows of the request.
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.request.attribute(name)
    }

    /// Hands a header to `read`, all its values joined by commas. Takes pseudo headers too, and `host` for the
    /// authority; the name is in lower case.
    pub fn with_header<T>(&self, name: &str, read: impl FnOnce(Option<&[u8]>) -> T) -> T {
        match name {
            ":authority" | "host" => read(Some(self.authority().as_bytes())),
            ":method" => read(Some(self.method().as_bytes())),
            ":scheme" => read(Some(self.scheme().as_bytes())),
            ":path" => read(Some(self.path_and_query().as_bytes())),
            _ => {
                let mut headers = self.headers.borrow_mut();
                if let Some((_, value)) = headers.iter().find(|(known, _)| known == name) {
                    return read(value.as_deref());
                }
                let value = joined(self.request.header_values(name));
                let result = read(value.as_deref());
                headers.push((name.to_owned(), value));
                result
            }
        }
    }

    /// The first value of a header. Unlike [`Self::with_header`] it is read anew each time.
    pub fn first_value(&self, name: &str) -> Option<Vec<u8>> {
        self.request.header_bytes(name)
    }

    /// The first value of a query parameter, as it stands there; empty where it has none.
    pub fn query_parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn path_and_query(&self) -> String {
        match self.query() {
            Some(query) => format!("{}?{query}", self.path()),
            None => self.path().to_owned(),
        }
    }
}

/// The port that a URL of this scheme means when it names none.
pub fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn joined(mut values: Vec<Vec<u8>>) -> Joined {
    match values.len() {
        0 | 1 => values.pop(),
        _ => Some(values.join(&b',')),
    }
}
