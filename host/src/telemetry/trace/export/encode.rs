//! Spans as OTLP has them.

use super::message::{
    AnyValue, Content, Event, ExportRequest, KeyValue, Link, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status,
};
use crate::telemetry::trace::context::SpanContext;
use crate::telemetry::trace::span::{Attribute, Kind, SpanData, Value};
use bytes::Bytes;
use prost::Message;
use std::time::{SystemTime, UNIX_EPOCH};

/// The version of the semantic conventions that attributes are named after.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.30.0";
/// `STATUS_CODE_ERROR`.
const FAILED: i32 = 2;
/// Whether the parent is another process's is known, and it is (`SpanFlags`).
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Writes exports, each with what is said of this process.
pub(super) struct Encoder {
    resource: Resource,
}

impl Encoder {
    /// `attributes` are the operator's, `service.name` included; they beat what the proxy says by itself.
    pub(super) fn new(attributes: &[(String, String)]) -> Self {
        let own = [
            ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id", instance()),
            ("process.pid", std::process::id().to_string()),
            ("telemetry.sdk.name", "sluicegate".to_owned()),
            ("telemetry.sdk.language", "rust".to_owned()),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let is_given = |key: &str| attributes.iter().any(|(name, _)| name == key);
        let own = own.into_iter().filter(|(key, _)| !is_given(key)).map(|(key, value)| match key {
            "process.pid" => pair(key.to_owned(), Content::Number(i64::from(std::process::id()))),
            _ => pair(key.to_owned(), Content::Text(value)),
        });
        let given = attributes.iter().map(|(name, value)| pair(name.clone(), Content::Text(value.clone())));
        Self { resource: Resource { attributes: given.chain(own).collect() } }
    }

    /// One request.
    pub(super) fn encode(&self, batch: &[Box<SpanData>]) -> Bytes {
        let scope = Scope { name: "sluicegate".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let spans = batch.iter().map(|span| encode(span)).collect();
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: SCHEMA.to_owned() }];
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: SCHEMA.to_owned() }];
        ExportRequest { resource_spans }.encode_to_vec().into()
    }
}

/// Unlike any other process's, as a UUID of version 4.
fn instance() -> String {
    let random = fastrand::u128(..);
    let number = (random & !(0xf000_c000_u128 << 48)) | (0x4000_8000_u128 << 48);
    let digits = format!("{number:032x}");
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

fn encode(span: &SpanData) -> Span {
    let context = span.context;
    let flags = u32::from(context.flags()) | HAS_IS_REMOTE;
    let remote = span.parent.is_some_and(|(_, remote)| remote);
    Span {
        trace_id: context.trace().get().to_be_bytes().to_vec(),
        span_id: context.span().get().to_be_bytes().to_vec(),
        trace_state: span.state.as_ref().and_then(|state| state.to_str().ok()).unwrap_or_default().to_owned(),
        parent_span_id: span.parent.map(|(id, _)| id.get().to_be_bytes().to_vec()).unwrap_or_default(),
        name: span.name.clone().into_owned(),
        kind: kind(span.kind),
        start_time_unix_nano: nanoseconds(span.start),
        // A clock that was put back ends no span before its beginning.
        end_time_unix_nano: nanoseconds(span.end.unwrap_or(span.start).max(span.start)),
        attributes: attributes(&span.attributes),
        events: span
            .events
            .iter()
            .map(|event| Event {
                time_unix_nano: nanoseconds(event.time),
                name: event.name.to_owned(),
                attributes: attributes(&event.attributes),
            })
            .collect(),
        links: span.links.iter().map(|other| link(*other)).collect(),
        status: span.failed.clone().map(|message| Status { message: message.into_owned(), code: FAILED }),
        flags: if remote { flags | IS_REMOTE } else { flags },
    }
}

fn link(other: SpanContext) -> Link {
    Link {
        trace_id: other.trace().get().to_be_bytes().to_vec(),
        span_id: other.span().get().to_be_bytes().to_vec(),
        flags: u32::from(other.flags()) | HAS_IS_REMOTE | IS_REMOTE,
    }
}

fn kind(kind: Kind) -> i32 {
    match kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
        Kind::Producer => 4,
        Kind::Consumer => 5,
    }
}

fn attributes(attributes: &[Attribute]) -> Vec<KeyValue> {
    let attribute = |(key, value): &Attribute| {
        pair(
            (*key).to_owned(),
            match value {
                Value::Text(text) => Content::Text(text.clone().into_owned()),
                Value::Number(number) => Content::Number(*number),
                Value::Flag(flag) => Content::Flag(*flag),
            },
        )
    };
    attributes.iter().map(attribute).collect()
}

fn pair(key: String, content: Content) -> KeyValue {
    KeyValue { key, value: Some(AnyValue { content: Some(content) }) }
}

/// Since 1970.
fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_a_uuid_of_version_4() {
        let (one, other) = (instance(), instance());
        assert_ne!(one, other);
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]), "{one}");
    }
}
