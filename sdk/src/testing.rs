//! A native test host: requests, responses and outcomes to call hooks with, without WebAssembly.
//!
//! ```
//! use sluicegate_sdk::testing::TestRequest;
//! let request = TestRequest::get("/orders?page=2").authority("shop").header("accept", "application/json");
//! assert_eq!(request.request().query().as_deref(), Some("page=2"));
//! ```

use crate::bindings::imports::sluicegate::filter::types::ResourceDocument;
use crate::configuration::{Configure, Diagnostics, Environment, Resource};
use crate::decision::Header;
use crate::gather::{CallError, CallResponse, Outcome, Outcomes};
use crate::request::Request;
use crate::response::Response;
use std::collections::BTreeMap;

mod trial;

pub use trial::{Trial, answer_json, trial};

/// Headers with the host's semantics: names without case, several values each, order kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestHeaders(Vec<Header>);

impl TestHeaders {
    fn push(&mut self, name: &str, value: &[u8]) {
        self.0.push(Header { name: name.to_ascii_lowercase(), value: value.to_vec() });
    }

    pub(crate) fn first(&self, name: &str) -> Option<Vec<u8>> {
        self.0.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.clone())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<Vec<u8>> {
        let same = self.0.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        same.map(|header| header.value.clone()).collect()
    }

    pub(crate) fn list(&self) -> Vec<Header> {
        self.0.clone()
    }
}

/// A request to call hooks with.
#[derive(Debug, Clone)]
pub struct TestRequest {
    pub(crate) method: String,
    pub(crate) scheme: String,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: TestHeaders,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) body: Option<Vec<u8>>,
}

impl TestRequest {
    /// A request with a method, a path and perhaps a query.
    pub fn new(method: &str, path_and_query: &str) -> Self {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path_and_query, None),
        };
        Self {
            method: method.into(),
            scheme: "http".into(),
            authority: "localhost".into(),
            path: path.into(),
            query,
            headers: TestHeaders::default(),
            attributes: BTreeMap::from([("request.id".to_owned(), "test-request".to_owned())]),
            body: None,
        }
    }

    /// A GET.
    pub fn get(path_and_query: &str) -> Self {
        Self::new("GET", path_and_query)
    }

    /// A POST whose body has not been inspected yet.
    pub fn post(path_and_query: &str) -> Self {
        Self::new("POST", path_and_query)
    }

    /// Sets the authority.
    #[must_use]
    pub fn authority(mut self, authority: &str) -> Self {
        self.authority = authority.into();
        self
    }

    /// Sets the scheme.
    #[must_use]
    pub fn scheme(mut self, scheme: &str) -> Self {
        self.scheme = scheme.into();
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value.as_bytes());
        self
    }

    /// Sets an attribute, as the host or an earlier filter would.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Sets the body, as if it had been inspected.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The view that hooks take.
    pub fn request(&self) -> Request<'_> {
        Request::from_test(self)
    }
}

/// A response to call hooks with.
#[derive(Debug, Clone)]
pub struct TestResponse {
    pub(crate) status: u16,
    pub(crate) headers: TestHeaders,
}

impl TestResponse {
    /// A response without headers.
    pub fn new(status: u16) -> Self {
        Self { status, headers: TestHeaders::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value.as_bytes());
        self
    }

    /// The view that hooks take.
    pub fn response(&self) -> Response<'_> {
        Response::from_test(self)
    }
}

/// The outcome of a call that was answered.
pub fn answered(name: &str, status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Outcome {
    let headers = vec![Header { name: "content-type".into(), value: content_type.into() }];
    Outcome { name: name.into(), response: Ok(CallResponse { status, headers, body: body.into() }) }
}

/// The outcome of a call whose status it does not accept.
pub fn unaccepted(name: &str, status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Outcome {
    let Outcome { name, response } = answered(name, status, content_type, body);
    Outcome { name, response: response.and_then(|response| Err(CallError::Status(response))) }
}

/// The outcome of a call whose body stays with the host.
pub fn spliced(name: &str, status: u16, content_type: &str) -> Outcome {
    answered(name, status, content_type, Vec::new())
}

/// The outcomes of a plan.
pub fn outcomes(outcomes: impl IntoIterator<Item = Outcome>) -> Outcomes {
    outcomes.into_iter().collect()
}

/// The outcome of a call that failed.
pub fn failed(name: &str, error: CallError) -> Outcome {
    Outcome { name: name.into(), response: Err(error) }
}

/// What the test's thread has counted in a filter's own metrics: the value of a counter or a gauge, or how many values a
/// histogram has; none where no series has this name and these labels.
pub fn metric(name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    crate::capability::metrics::counted(name, labels)
}

/// A document, as the host hands it over.
///
/// # Panics
/// When the text is not JSON or has no `kind` or `metadata.name`.
#[allow(clippy::expect_used, reason = "a test's own input")]
pub fn resource(index: u32, json: &str) -> Resource {
    let value: serde_json::Value = serde_json::from_str(json).expect("the document is JSON");
    let text = |pointer: &str| value.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
    let document = ResourceDocument {
        api_version: text("/apiVersion").unwrap_or_default(),
        kind: text("/kind").expect("the document has a kind"),
        namespace: text("/metadata/namespace").unwrap_or_else(|| "default".into()),
        name: text("/metadata/name").expect("the document has a name"),
        origin: format!("test.yaml:{}", index + 1),
        json: json.to_owned(),
    };
    Resource::new(index, document)
}

/// Configures a filter as the host would, in namespace `default` and domain `cluster.local`.
pub fn configure<T: Configure>(settings: T::Settings, resources: &[Resource]) -> (T, Diagnostics) {
    let environment = Environment { namespace: "default".into(), cluster_domain: "cluster.local".into() };
    let mut diagnostics = Diagnostics::default();
    let filter = T::configure(&environment, settings, resources, &mut diagnostics);
    (filter, diagnostics)
}
