//! CloudEvents over HTTP, as a subscriber needs them (CloudEvents 1.0.2, HTTP protocol binding, section 3).
//!
//! Reads the binary and the structured content mode and writes the binary one. No batches: a channel delivers one event
//! at a time.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, InvalidHeaderValue};
use http::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

/// The one version there is.
const SPEC_VERSION: &str = "1.0";
/// The media type of the structured content mode.
const STRUCTURED: &str = "application/cloudevents+json";

/// An event with JSON data.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "specversion")]
    version: String,
    /// Unique together with `source`.
    pub(crate) id: String,
    /// Who it comes from.
    pub(crate) source: String,
    /// What happened.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The details.
    #[serde(default)]
    pub(crate) data: Value,
}

impl Event {
    /// A new one.
    pub(crate) fn new(id: String, source: &str, kind: &str, data: Value) -> Self {
        Self { version: SPEC_VERSION.into(), id, source: source.into(), kind: kind.into(), data }
    }

    /// The event that a request carries.
    ///
    /// # Errors
    /// When it carries none, with the reason.
    pub(crate) fn read(request: &Request<Bytes>) -> Result<Self, String> {
        let content_type = text(request.headers(), "content-type").unwrap_or_default();
        let event = if content_type.to_ascii_lowercase().starts_with(STRUCTURED) {
            serde_json::from_slice(request.body()).map_err(|error| format!("not a structured event: {error}"))?
        } else {
            Self::read_binary(request)?
        };
        event.check()
    }

    fn read_binary(request: &Request<Bytes>) -> Result<Self, String> {
        let attribute = |name: &'static str| {
            text(request.headers(), name).map(str::to_owned).ok_or_else(|| format!("the header {name} is missing"))
        };
        let data = match request.body().as_ref() {
            [] => Value::Null,
            body => serde_json::from_slice(body).map_err(|error| format!("the data is not JSON: {error}"))?,
        };
        Ok(Self {
            version: attribute("ce-specversion")?,
            id: attribute("ce-id")?,
            source: attribute("ce-source")?,
            kind: attribute("ce-type")?,
            data,
        })
    }

    fn check(self) -> Result<Self, String> {
        if self.version != SPEC_VERSION {
            return Err(format!("specversion is {:?} instead of {SPEC_VERSION}", self.version));
        }
        for (name, value) in [("id", &self.id), ("source", &self.source), ("type", &self.kind)] {
            if value.is_empty() {
                return Err(format!("the attribute {name} is empty"));
            }
        }
        Ok(self)
    }

    /// As the answer to a delivery: a 200 that holds an event is a reply. An attribute that does not fit into a header
    /// makes it a 202, which is none.
    pub(crate) fn reply(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        match self.headers() {
            Ok(headers) => {
                *response.headers_mut() = headers;
                *response.body_mut() = Bytes::from(self.data.to_string());
            }
            Err(_) => *response.status_mut() = StatusCode::ACCEPTED,
        }
        response
    }

    fn headers(&self) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("ce-specversion", HeaderValue::from_str(&self.version)?);
        headers.insert("ce-id", HeaderValue::from_str(&self.id)?);
        headers.insert("ce-source", HeaderValue::from_str(&self.source)?);
        headers.insert("ce-type", HeaderValue::from_str(&self.kind)?);
        Ok(headers)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
