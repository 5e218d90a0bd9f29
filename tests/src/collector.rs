//! A real collector of traces: it takes OTLP over HTTP and decodes it with OpenTelemetry's own messages.

use crate::upstream::{Behaviour, Recorded, Upstream};
use crate::wait::wait_until;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use prost::Message;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Spans are sent about a second after they ended; the rest is for busy machines.
const ARRIVAL: Duration = Duration::from_secs(20);

/// Where a proxy sends its traces. Dropping it closes it.
#[derive(Debug)]
pub struct Collector(Upstream);

/// A span as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// 32 digits.
    pub trace: String,
    /// 16 digits.
    pub id: String,
    /// The span above; empty for the first of a trace.
    pub parent: String,
    /// The name.
    pub name: String,
    /// `Server`, `Client`, `Internal`, `Producer` or `Consumer`.
    pub kind: String,
    /// What it says, numbers and flags as text.
    pub attributes: BTreeMap<String, String>,
    /// The names of its events.
    pub events: Vec<String>,
    /// Trace and span of each link.
    pub links: Vec<(String, String)>,
    /// Whether its status is an error.
    pub failed: bool,
    /// When it began and ended, in nanoseconds since 1970.
    pub times: (u64, u64),
    /// What is said of the process.
    pub resource: BTreeMap<String, String>,
}

impl Traced {
    /// An attribute; empty when there is none.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Its place, as a `traceparent` of a request that comes from it.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-", self.trace, self.id)
    }
}

impl Collector {
    /// Takes everything.
    pub fn start() -> Self {
        Self::with(Behaviour::status(200))
    }

    /// Answers every export like this.
    pub fn with(behaviour: Behaviour) -> Self {
        Self(Upstream::with(behaviour))
    }

    /// What `--trace-endpoint` takes.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address())
    }

    /// The exports, as they arrived.
    pub fn exports(&self) -> Vec<Recorded> {
        self.0.requests()
    }

    /// The spans that have arrived, in the order in which they ended.
    pub fn spans(&self) -> Vec<Traced> {
        let mut spans: Vec<Traced> = self.exports().iter().flat_map(decoded).collect();
        spans.sort_by_key(|span| span.times.1);
        spans
    }

    /// The spans, once there are so many.
    ///
    /// # Panics
    /// When there are not within the limit.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Traced> {
        wait_until(ARRIVAL, || self.spans().len() >= count);
        self.spans()
    }
}

/// The one span of this name.
///
/// # Panics
/// When there is none, or more than one.
#[track_caller]
pub fn named<'a>(spans: &'a [Traced], name: &str) -> &'a Traced {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name} in {spans:#?}");
    found[0]
}

fn decoded(export: &Recorded) -> Vec<Traced> {
    assert_eq!((export.method.as_str(), export.target.as_str()), ("POST", "/v1/traces"));
    assert_eq!(export.header("content-type").as_deref(), Some("application/x-protobuf"));
    let request = ExportTraceServiceRequest::decode(export.body.clone()).expect("an export is protobuf");
    let mut spans = Vec::new();
    for of_resource in request.resource_spans {
        let resource = attributes(of_resource.resource.unwrap_or_default().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(traced(span, &resource));
        }
    }
    spans
}

fn traced(span: Span, resource: &BTreeMap<String, String>) -> Traced {
    assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8), "{span:#?}");
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:#?}");
    Traced {
        kind: format!("{:?}", span.kind()),
        trace: hexadecimal(&span.trace_id),
        id: hexadecimal(&span.span_id),
        parent: hexadecimal(&span.parent_span_id),
        failed: span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error),
        times: (span.start_time_unix_nano, span.end_time_unix_nano),
        events: span.events.into_iter().map(|Event { name, .. }| name).collect(),
        links: span
            .links
            .iter()
            .map(|Link { trace_id, span_id, .. }| (hexadecimal(trace_id), hexadecimal(span_id)))
            .collect(),
        attributes: attributes(span.attributes),
        name: span.name,
        resource: resource.clone(),
    }
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    let count = pairs.len();
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => panic!("no value that the proxy sends: {other:?}"),
    };
    let attributes: BTreeMap<_, _> = pairs.into_iter().map(|pair| (pair.key, text(pair.value))).collect();
    assert_eq!(attributes.len(), count, "each key once: {attributes:#?}");
    attributes
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
