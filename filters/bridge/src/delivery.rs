//! An event becomes a request; what is answered decides what happens next.

use crate::cloudevents::{parse_one, write_binary, write_structured};
use crate::hops;
use sluicegate_sdk::capability::log;
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::{DeliveryRequest, Emission, Header, Target};

/// Where an event is on its way, as far as that matters for what is sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Way<'a> {
    /// Whether it comes from a broker, which counts how far it has come.
    pub(crate) from_broker: bool,
    /// `NAMESPACE/NAME` of the broker that it goes into without leaving the process.
    pub(crate) to_broker: Option<&'a str>,
}

/// What is sent of an event that passes.
pub(crate) fn decide(event: &Event, delivery: &Delivery, way: Way<'_>) -> EventDecision {
    let mut event = event.clone();
    if let Some(broker) = way.to_broker {
        if !hops::enter(&mut event) {
            return EventDecision::DeadLetter("it has gone through as many brokers as it may".into());
        }
        return EventDecision::Emit(Emission { channel: Some(broker.to_owned()), events: vec![event] });
    }
    if way.from_broker {
        hops::strip(&mut event);
    }
    request(&event, delivery)
}

/// The POST that carries an event: binary unless the subscription asks for `json`.
pub(crate) fn request(event: &Event, delivery: &Delivery) -> EventDecision {
    let (mut headers, body) = match delivery.format.as_deref() {
        Some("json") => write_structured(event),
        _ => write_binary(event),
    };
    if delivery.target == Target::Subscriber {
        headers.push(Header { name: "prefer".into(), value: b"reply".to_vec() });
    }
    // The trace that the event belongs to goes on in the request (CloudEvents, distributed tracing extension).
    for extension in event.extensions.iter().filter(|entry| matches!(entry.name.as_str(), "traceparent" | "tracestate"))
    {
        if extension.value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            headers.push(Header { name: extension.name.clone(), value: extension.value.clone().into_bytes() });
        }
    }
    EventDecision::Deliver(DeliveryRequest { method: None, path: None, headers, body })
}

/// What an outcome means (Knative Eventing data plane, "Event delivery"). What a broker's subscriber answers has to be an
/// event, or nothing.
pub(crate) fn judge(
    event: &Event,
    delivery: &Delivery,
    from_broker: bool,
    outcome: Result<CallResponse, CallError>,
) -> DeliveryDecision {
    let response = match outcome {
        Ok(response) | Err(CallError::Status(response)) => response,
        // It took the event, and would reply the same again.
        Err(CallError::TooLarge) => return DeliveryDecision::DeadLetter("the reply is too large".into()),
        Err(_) => return DeliveryDecision::Retry(None),
    };
    match response.status {
        200 if delivery.target == Target::Subscriber && from_broker => reply_to_broker(event, delivery, &response),
        200 if delivery.target == Target::Subscriber => reply(delivery, &response),
        200..300 => DeliveryDecision::Ack,
        429 | 503 => DeliveryDecision::Retry(retry_after(&response)),
        404 | 408 | 409 | 500.. => DeliveryDecision::Retry(None),
        status => DeliveryDecision::DeadLetter(format!("{} answered {status}", delivery.uri)),
    }
}

/// A reply into the broker that the event comes from. A body that is no event is a failed delivery, which the broker's
/// filter in Knative answers 502.
fn reply_to_broker(event: &Event, delivery: &Delivery, response: &CallResponse) -> DeliveryDecision {
    match parse_one(&response.headers.as_slice().into(), &response.body) {
        Ok(Some(mut reply)) => {
            hops::inherit(&mut reply, event);
            DeliveryDecision::Emit(vec![reply])
        }
        Ok(None) if response.body.is_empty() => DeliveryDecision::Ack,
        Ok(None) => failed(delivery, "it answered with a body that is no event"),
        Err(invalid) => failed(delivery, &format!("its reply is no event: {} {}", invalid.attribute, invalid.reason)),
    }
}

fn failed(delivery: &Delivery, reason: &str) -> DeliveryDecision {
    log::warn(&format!("the delivery to subscription {} failed: {reason}", delivery.subscription));
    DeliveryDecision::Retry(None)
}

/// A subscriber's reply. What is no event is passed over: the event itself was taken.
fn reply(delivery: &Delivery, response: &CallResponse) -> DeliveryDecision {
    match parse_one(&response.headers.as_slice().into(), &response.body) {
        Ok(Some(event)) => DeliveryDecision::Emit(vec![event]),
        Ok(None) => DeliveryDecision::Ack,
        Err(invalid) => {
            let (subscription, attribute) = (&delivery.subscription, &invalid.attribute);
            log::warn(&format!("the reply to subscription {subscription} is ignored: {attribute}: {}", invalid.reason));
            DeliveryDecision::Ack
        }
    }
}

/// `Retry-After` in milliseconds. A date counts from the answer's own `Date`, so that no two clocks are compared.
fn retry_after(response: &CallResponse) -> Option<u64> {
    let value = response.header("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return seconds.checked_mul(1_000);
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = httpdate::parse_http_date(response.header("date")?).ok()?;
    let wait = until.duration_since(now).unwrap_or_default();
    u64::try_from(wait.as_millis()).ok()
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
