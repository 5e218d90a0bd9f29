//! A request to the address of a channel or a broker becomes an event.

use crate::address;
use crate::attribute::{Invalid, check};
use crate::cloudevents::{Mode, content_type, parse_binary};
use crate::config::Channel;
use crate::{header, hops, json};
use serde_json::json;
use sluicegate_sdk::{Acknowledgement, Attribute, FieldLines, Publication, Publish, prelude::*};

/// The largest body, in bytes; what the host buffers for a filter by default. Intermediaries have to carry 64 KiB.
pub(crate) const LARGEST_BODY: u64 = 256 << 10;
/// The most events of a batch: a quarter of a subscription's queue, so that no batch is refused for ever.
const LONGEST_BATCH: usize = 256;
/// The type of the event that a plain request becomes.
const REQUEST_TYPE: &str = "dev.sluicegate.http.request";
/// What a channel takes.
pub(crate) const METHODS: &str = "POST, OPTIONS";

/// Decides on a request to the host of all brokers, whose path has to be `/NAMESPACE/NAME`.
pub(crate) fn of_path(channels: &[Channel], request: &Request<'_>) -> RequestDecision {
    if let Some(answer) = refuse_method(request) {
        return answer.into();
    }
    let path = request.path();
    match address::named(&path) {
        Some((namespace, name, "")) => {
            let same =
                |channel: &&Channel| channel.is_broker() && channel.namespace == namespace && channel.name == name;
            match channels.iter().find(same) {
                Some(broker) => decide(broker, request),
                None => respond(404).text(format!("no broker is called {namespace}/{name}\n")).into(),
            }
        }
        _ => misplaced(&path).into(),
    }
}

/// Decides on a request to a channel.
pub(crate) fn decide(channel: &Channel, request: &Request<'_>) -> RequestDecision {
    if let Some(answer) = refuse_method(request) {
        return answer.into();
    }
    let headers = request.field_lines();
    let mode = match mode(&headers) {
        Ok(mode) => mode,
        Err(answer) => return answer.into(),
    };
    if mode == Mode::Batch {
        let Some(body) = request.body() else { return inspect_body(LARGEST_BODY) };
        return batch(channel, request, &body);
    }
    let taken = match mode {
        // What a broker takes are events; only a channel makes one of anything.
        Mode::Plain if channel.is_broker() => Err(refuse(&no_event(), None).into()),
        Mode::Plain => {
            wrap(request, &headers).map(Taken::beside_its_data).map_err(|invalid| refuse(&invalid, None).into())
        }
        mode => Taken::read(&mode, &headers, request),
    };
    let Taken { event, body } = match taken {
        Ok(taken) => taken,
        Err(decision) => return decision,
    };
    match enter(channel, request, event) {
        Ok(event) => {
            let answer = respond(202).header("x-event-id", header::encode(&event.id));
            Taken { event, body }.publish(channel.full_name(), answer).into()
        }
        Err(invalid) => refuse(&invalid, None).into(),
    }
}

/// An event that a request carries.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) event: Event,
    /// Whether its data is the request's body, which nobody has looked into.
    pub(crate) body: bool,
}

impl Taken {
    /// An event whose data is the request's body.
    pub(crate) fn beside_its_data(event: Event) -> Self {
        Self { event, body: true }
    }

    /// The one event of a request in this mode, or what to do instead.
    #[expect(clippy::result_large_err, reason = "an event is as large as a decision, so a box would save nothing")]
    pub(crate) fn read(mode: &Mode, headers: &FieldLines, request: &Request<'_>) -> Result<Self, RequestDecision> {
        if *mode != Mode::Structured {
            return parsed(mode, headers, &[])
                .map(Self::beside_its_data)
                .map_err(|invalid| refuse(&invalid, None).into());
        }
        let Some(body) = request.body() else { return Err(inspect_body(LARGEST_BODY)) };
        parsed(mode, headers, &body)
            .map(|event| Self { event, body: false })
            .map_err(|invalid| refuse(&invalid, None).into())
    }

    /// Publishes it.
    pub(crate) fn publish(self, channel: impl Into<String>, answer: Answer) -> Publish {
        let published = publish(channel, self.event, answer);
        if self.body { published.with_body(LARGEST_BODY) } else { published }
    }
}

/// The one event of a request, or what to do instead.
#[expect(clippy::result_large_err, reason = "an event is as large as a decision, so a box would save nothing")]
pub(crate) fn one(request: &Request<'_>) -> Result<Taken, RequestDecision> {
    let headers = request.field_lines();
    Taken::read(&mode(&headers)?, &headers, request)
}

/// How a request carries events, or the answer to one that carries them in no way that is understood.
pub(crate) fn mode(headers: &FieldLines) -> Result<Mode, Answer> {
    match Mode::of(headers) {
        Ok(Mode::Unknown(format)) => Err(unsupported(&format)),
        Ok(mode) => Ok(mode),
        Err(invalid) => Err(refuse(&invalid, None)),
    }
}

/// The event of a request as far as it can be told, for `explain`: without its body where that is not there.
pub(crate) fn preview(request: &Request<'_>) -> Option<Event> {
    let headers = request.field_lines();
    let mode = Mode::of(&headers).ok()?;
    parsed(&mode, &headers, &request.body().unwrap_or_default()).ok()
}

/// The one event of a message in this mode.
pub(crate) fn parsed(mode: &Mode, headers: &FieldLines, body: &[u8]) -> Result<Event, Invalid> {
    match mode {
        Mode::Structured => json::parse(body),
        Mode::Binary => parse_binary(headers, body),
        Mode::Batch => Err(Invalid::new("", "one event is expected here, not a batch")),
        Mode::Plain | Mode::Unknown(_) => Err(no_event()),
    }
}

fn no_event() -> Invalid {
    Invalid::new("", "this is no event: it has neither the header ce-specversion nor an event's Content-Type")
}

/// Lets an event into the channel; a broker counts how far it has come.
fn enter(channel: &Channel, request: &Request<'_>, mut event: Event) -> Result<Event, Invalid> {
    if channel.is_broker() {
        if !hops::enter(&mut event) {
            return Err(Invalid::new("knativebrokerttl", TOO_FAR));
        }
        hops::stamp(&mut event, request.attribute("request.time").and_then(|time| time.parse().ok()));
    }
    Ok(event)
}

const TOO_FAR: &str = "the event has gone through as many brokers as it may";

/// The answer to an event that has gone through too many brokers.
pub(crate) fn too_far() -> Answer {
    refuse(&Invalid::new("knativebrokerttl", TOO_FAR), None)
}

/// The answer to a path that names nothing: 404 for `/`, 400 for another form (Knative, broker ingress).
pub(crate) fn misplaced(path: &str) -> Answer {
    let status = if path == "/" { 404 } else { 400 };
    respond(status).text(format!("the path is /NAMESPACE/NAME; this is {path}\n"))
}

/// The answer to a request that is no POST, which OPTIONS gets too.
pub(crate) fn refuse_method(request: &Request<'_>) -> Option<Answer> {
    match request.method().as_str() {
        "POST" => None,
        "OPTIONS" => Some(handshake(request)),
        method => {
            let text = format!("events are taken by POST; this is a {method} request\n");
            Some(respond(405).header("allow", METHODS).text(text))
        }
    }
}

/// Grants what a webhook's sender asks for (CloudEvents webhooks 1.0.2, section 4): its origin and its rate.
fn handshake(request: &Request<'_>) -> Answer {
    let answer = respond(200).header("allow", METHODS);
    let Some(origin) = request.header("webhook-request-origin") else {
        return answer.header("webhook-allowed-origin", "*").header("webhook-allowed-rate", "*");
    };
    let rate = request.header("webhook-request-rate");
    let rate = rate.filter(|rate| rate.parse::<u32>().is_ok_and(|rate| rate > 0));
    answer.header("webhook-allowed-origin", origin).header("webhook-allowed-rate", rate.unwrap_or_else(|| "*".into()))
}

/// The answer to events in a format that is not understood.
fn unsupported(format: &str) -> Answer {
    let supported = ["application/cloudevents+json", "application/cloudevents-batch+json"];
    respond(415).json(&json!({
        "error": "unsupported event format",
        "message": format!("{format} is not understood"),
        "supported": supported,
    }))
}

/// The answer to what is no event.
pub(crate) fn refuse(invalid: &Invalid, index: Option<usize>) -> Answer {
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

fn batch(channel: &Channel, request: &Request<'_>, body: &[u8]) -> RequestDecision {
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
    let mut publications = Vec::with_capacity(events.len());
    for (index, event) in events.into_iter().enumerate() {
        match enter(channel, request, event) {
            Ok(event) => publications.push(Publication { channel: channel.full_name(), event }),
            Err(invalid) => return refuse(&invalid, Some(index)).into(),
        }
    }
    let acknowledge = Acknowledgement::Stored;
    Publish { publications, body_as_data: None, acknowledge, answer: respond(202), reply: None }.into()
}

/// The id of the event that a request becomes: what the client says that it is, so that the same request sent again is
/// the same event; otherwise the request's own.
pub(crate) fn event_id(request: &Request<'_>) -> String {
    let given = ["idempotency-key", "x-request-id"].into_iter().find_map(|name| request.header(name));
    // The draft of Idempotency-Key makes it a quoted string; many leave the quotes out.
    let given = given.map(|id| id.trim().trim_matches('"').to_owned()).filter(|id| !id.is_empty());
    given.or_else(|| request.attribute("request.id")).unwrap_or_default()
}

/// Makes an event of a request that carries none; its data is the request's body.
fn wrap(request: &Request<'_>, headers: &FieldLines) -> Result<Event, Invalid> {
    let id = event_id(request);
    let source = format!("/{}", address::host(&request.authority()).to_ascii_lowercase());
    let mut event = Event::new(id, source, REQUEST_TYPE);
    event.subject = Some(request.path());
    event.datacontenttype = content_type(headers)?.map(str::to_owned);
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
