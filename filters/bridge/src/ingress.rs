//! A request to a channel's address becomes an event.

use crate::address;
use crate::attribute::{Invalid, check};
use crate::cloudevents::{Mode, content_type, parse_binary};
use crate::config::Channel;
use crate::{header, json};
use serde_json::json;
use sluicegate_sdk::{Attribute, Header, Publication, Publish, prelude::*};

/// The largest body, in bytes; what the host buffers for a filter by default. Intermediaries have to carry 64 KiB.
const LARGEST_BODY: u64 = 256 << 10;
/// The most events of a batch: a quarter of a subscription's queue, so that no batch is refused for ever.
const LONGEST_BATCH: usize = 256;
/// The type of the event that a plain request becomes.
const REQUEST_TYPE: &str = "dev.sluicegate.http.request";
/// What a channel takes.
const METHODS: &str = "POST, OPTIONS";

/// Decides on a request to a channel.
pub(crate) fn decide(channel: &Channel, request: &Request<'_>) -> RequestDecision {
    match request.method().as_str() {
        "POST" => {}
        "OPTIONS" => return handshake().into(),
        method => {
            let text = format!("a channel takes events by POST; this is a {method} request\n");
            return respond(405).header("allow", METHODS).text(text).into();
        }
    }
    let headers = request.headers();
    let mode = match Mode::of(&headers) {
        Ok(Mode::Unknown(format)) => return unsupported(&format).into(),
        Ok(mode) => mode,
        Err(invalid) => return refuse(&invalid, None).into(),
    };
    let Some(body) = request.body() else { return inspect_body(LARGEST_BODY) };
    let event = match mode {
        Mode::Batch => return batch(channel, &body),
        Mode::Structured => json::parse(&body),
        Mode::Binary => parse_binary(&headers, &body),
        Mode::Plain | Mode::Unknown(_) => wrap(request, &headers, body),
    };
    match event {
        Ok(event) => {
            let answer = respond(202).header("x-event-id", header::encode(&event.id));
            publish(channel.full_name(), event, answer).into()
        }
        Err(invalid) => refuse(&invalid, None).into(),
    }
}

/// Grants what a webhook's sender asks for (CloudEvents webhooks 1.0.2, section 4).
fn handshake() -> Answer {
    respond(200).header("allow", METHODS).header("webhook-allowed-origin", "*").header("webhook-allowed-rate", "*")
}

fn unsupported(format: &str) -> Answer {
    let supported = ["application/cloudevents+json", "application/cloudevents-batch+json"];
    respond(415).json(&json!({
        "error": "unsupported event format",
        "message": format!("{format} is not understood"),
        "supported": supported,
    }))
}

fn refuse(invalid: &Invalid, index: Option<usize>) -> Answer {
    let Invalid { attribute, reason } = invalid;
    let message = if attribute.is_empty() { reason.clone() } else { format!("attribute {attribute:?}: {reason}") };
    let mut body = json!({ "error": "invalid event", "message": message });
    if !attribute.is_empty() {
        body["attribute"] = attribute.as_str().into();
    }
    if let Some(index) = index {
        body["event"] = index.into();
    }
    respond(400).json(&body)
}

fn batch(channel: &Channel, body: &[u8]) -> RequestDecision {
    let events = match json::parse_batch(body) {
        Ok(events) => events,
        Err((index, invalid)) => return refuse(&invalid, Some(index)).into(),
    };
    if events.len() > LONGEST_BATCH {
        let text = format!("a batch may have {LONGEST_BATCH} events; this one has {}\n", events.len());
        return respond(413).text(text).into();
    }
    if events.is_empty() {
        return respond(202).into();
    }
    let publication = |event| Publication { channel: channel.full_name(), event };
    Publish { publications: events.into_iter().map(publication).collect(), answer: respond(202) }.into()
}

/// Makes an event of a request that carries none.
fn wrap(request: &Request<'_>, headers: &[Header], body: Vec<u8>) -> Result<Event, Invalid> {
    let id = request.attribute("request.id").unwrap_or_default();
    let source = format!("/{}", address::host(&request.authority()).to_ascii_lowercase());
    let mut event = Event::new(id, source, REQUEST_TYPE);
    event.subject = Some(request.path());
    event.datacontenttype = content_type(headers)?.map(str::to_owned);
    event.data = (!body.is_empty()).then_some(body);
    for name in ["traceparent", "tracestate"] {
        // A trace header that is no attribute is left out: it is no reason to refuse the event.
        if let Some(value) = request.header(name).filter(|value| value.bytes().all(|byte| matches!(byte, b' '..=b'~')))
        {
            event.extensions.push(Attribute { name: name.into(), value });
        }
    }
    check(&event)?;
    Ok(event)
}

#[cfg(test)]
#[path = "ingress_tests.rs"]
mod tests;
