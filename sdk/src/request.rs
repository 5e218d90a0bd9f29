//! The request as a filter sees it.

use crate::bindings::imports::sluicegate::filter::types;
use crate::decision::Header;
use crate::declared::Declared;
use crate::field_lines::FieldLines;
use crate::testing::TestRequest;

/// A read-only view of the request as it stands at this point of the chain.
///
/// Each read copies just what it returns, so ask for the headers you need rather than for all of them. Headers that most
/// calls read are cheaper still when [`export!`](crate::export!) names them in `reads`.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    source: Source<'a>,
    declared: Option<&'a Declared>,
}

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Host(&'a types::Request),
    Test(&'a TestRequest),
}

impl<'a> Request<'a> {
    #[doc(hidden)]
    pub fn from_host(request: &'a types::Request) -> Self {
        Self { source: Source::Host(request), declared: None }
    }

    /// The same view, with headers that came with the call.
    #[doc(hidden)]
    #[must_use]
    pub fn with_declared(self, declared: &'a Declared) -> Self {
        Self { declared: Some(declared), ..self }
    }

    pub(crate) fn from_test(request: &'a TestRequest) -> Self {
        Self { source: Source::Test(request), declared: None }
    }

    /// The method, such as `GET`.
    pub fn method(&self) -> String {
        match self.source {
            Source::Host(request) => request.method(),
            Source::Test(request) => request.method.clone(),
        }
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> String {
        match self.source {
            Source::Host(request) => request.scheme(),
            Source::Test(request) => request.scheme.clone(),
        }
    }

    /// The authority as the client sent it, port included.
    pub fn authority(&self) -> String {
        match self.source {
            Source::Host(request) => request.authority(),
            Source::Test(request) => request.authority.clone(),
        }
    }

    /// The path without the query.
    pub fn path(&self) -> String {
        match self.source {
            Source::Host(request) => request.path(),
            Source::Test(request) => request.path.clone(),
        }
    }

    /// What follows the `?`, if there is one.
    pub fn query(&self) -> Option<String> {
        match self.source {
            Source::Host(request) => request.query(),
            Source::Test(request) => request.query.clone(),
        }
    }

    /// Path and query, as they stand in a request line.
    pub fn path_and_query(&self) -> String {
        match self.query() {
            Some(query) => format!("{}?{query}", self.path()),
            None => self.path(),
        }
    }

    /// The first value of a header, where it is UTF-8. The name's case does not matter.
    pub fn header(&self, name: &str) -> Option<String> {
        String::from_utf8(self.header_bytes(name)?).ok()
    }

    /// The first value of a header as bytes.
    pub fn header_bytes(&self, name: &str) -> Option<Vec<u8>> {
        let host = || match self.source {
            Source::Host(request) => request.header(name),
            Source::Test(request) => request.headers.first(name),
        };
        match self.declared {
            Some(declared) => declared.first(name, host),
            None => host(),
        }
    }

    /// All values of a header, in order.
    pub fn header_values(&self, name: &str) -> Vec<Vec<u8>> {
        match self.source {
            Source::Host(request) => request.header_values(name),
            Source::Test(request) => request.headers.all(name),
        }
    }

    /// All headers, in order, with names in lower case.
    pub fn headers(&self) -> Vec<Header> {
        match self.source {
            Source::Host(_) => self.field_lines().headers(),
            Source::Test(request) => request.headers.list(),
        }
    }

    /// All headers in one piece, which is cheaper than a list of them.
    pub fn field_lines(&self) -> FieldLines {
        match self.source {
            Source::Host(request) => FieldLines::new(request.field_lines()),
            Source::Test(request) => request.headers.list().as_slice().into(),
        }
    }

    /// What the host or an earlier filter knows of the request.
    ///
    /// The host sets `request.id`, `peer.address`, `protocol`, `listener.name` (`mesh`, or `gateway`), `listener.port` and, over
    /// TLS, `tls.sni`.
    pub fn attribute(&self, name: &str) -> Option<String> {
        match self.source {
            Source::Host(request) => request.attribute(name),
            Source::Test(request) => request.attributes.get(name).cloned(),
        }
    }

    /// The whole body, once [`inspect_body`](crate::inspect_body) has asked for it.
    pub fn body(&self) -> Option<Vec<u8>> {
        match self.source {
            Source::Host(request) => request.body(),
            Source::Test(request) => request.body.clone(),
        }
    }
}
