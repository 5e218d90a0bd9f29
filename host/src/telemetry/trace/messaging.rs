//! What spans say of events, after OpenTelemetry's semantic conventions for messaging and the distributed tracing
//! extension of CloudEvents.
//!
//! An event carries the place of the span that published it, as its extensions `traceparent` and `tracestate`; the
//! spans of its deliveries begin traces of their own that are linked to it. An event that came with a `traceparent` of
//! its producer's keeps it, and the publishing span is linked to that one too.

use super::context::SpanContext;
use super::request::RequestTrace;
use super::span::{Kind, Span, SpanData};
use super::tracer::Tracer;
use crate::error::RequestError;
use crate::wasm::types::{Attribute, CallError, CallResponse, Delivery, Event, Publication};

/// What this messaging system is called.
const SYSTEM: &str = "sluicegate";

/// The spans of events that are being published.
#[derive(Debug, Default)]
pub struct Publishing(Vec<Span>);

impl Publishing {
    /// Says what became of them, and ends their spans.
    pub fn end<T>(mut self, published: Result<T, RequestError>) -> Result<T, RequestError> {
        published.inspect_err(|error| {
            for span in &mut self.0 {
                span.describe(|span| span.fail(error.kind(), error.to_string()));
            }
        })
    }
}

impl RequestTrace {
    /// Spans for events that the request publishes; each event says where it comes from. They end with what is given
    /// back.
    pub fn publish(&self, publications: &mut [Publication]) -> Publishing {
        let Some(own) = self.context() else { return Publishing::default() };
        let parent = self.parent();
        let mut spans = Vec::new();
        for Publication { channel, event } in publications {
            // A filter that makes an event of a request copies the request's own place.
            let producer = context_of(event).filter(|context| *context != own);
            let span = parent.span(Kind::Producer, |span| {
                describe(span, "publish", "send", channel, event);
                producer.into_iter().for_each(|producer| span.link(producer));
            });
            if producer.is_none() {
                set_extension(event, "traceparent", Some(span.context().unwrap_or(own).to_string()));
                let state = parent.state().and_then(|state| state.to_str().ok());
                set_extension(event, "tracestate", state.map(str::to_owned));
            }
            if span.context().is_some() {
                spans.push(span);
            }
        }
        Publishing(spans)
    }
}

impl Tracer {
    /// A span for a try to deliver an event, linked to where the event comes from.
    pub fn deliver(&self, event: &Event, delivery: &Delivery) -> Span {
        if !self.is_on() {
            return Span::default();
        }
        self.linked(context_of(event), Kind::Consumer, |span| {
            describe(span, "deliver", "process", &delivery.channel, event);
            span.set("messaging.destination.subscription.name", delivery.subscription.clone());
            span.set("sluicegate.delivery.attempt", delivery.attempt);
            span.set("sluicegate.delivery.target", format!("{:?}", delivery.target).to_ascii_lowercase());
        })
    }
}

/// Says what a delivery brought.
pub fn delivered(span: &mut Span, outcome: &Result<CallResponse, CallError>) {
    span.describe(|span| match outcome {
        Ok(CallResponse { status: status @ 400.., .. }) => span.fail(status.to_string(), ""),
        Ok(_) => {}
        Err(error) => span.fail(word(error), ""),
    });
}

/// One word for a failure.
pub fn word(error: &CallError) -> &'static str {
    match error {
        CallError::Deadline => "deadline",
        CallError::NoEndpoint => "no_endpoint",
        CallError::Refused => "refused",
        CallError::Reset => "reset",
        CallError::TooLarge => "too_large",
        CallError::Cancelled => "cancelled",
        CallError::NotJson => "not_json",
        CallError::Status(_) => "status",
    }
}

fn describe(span: &mut SpanData, name: &'static str, kind: &'static str, channel: &str, event: &Event) {
    span.name(format!("{name} {channel}"));
    span.set("messaging.system", SYSTEM);
    span.set("messaging.operation.name", name);
    span.set("messaging.operation.type", kind);
    span.set("messaging.destination.name", channel.to_owned());
    span.set("messaging.message.id", event.id.clone());
    span.set("cloudevents.event_id", event.id.clone());
    span.set("cloudevents.event_source", event.source.clone());
    span.set("cloudevents.event_type", event.type_.clone());
}

fn context_of(event: &Event) -> Option<SpanContext> {
    let extension = event.extensions.iter().find(|extension| extension.name == "traceparent")?;
    SpanContext::parse(extension.value.as_bytes())
}

fn set_extension(event: &mut Event, name: &str, value: Option<String>) {
    event.extensions.retain(|extension| extension.name != name);
    event.extensions.extend(value.map(|value| Attribute { name: name.to_owned(), value }));
}
