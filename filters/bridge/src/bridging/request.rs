//! A request becomes an event, and perhaps an event its response.

use super::making::Making;
use super::template::{Selector, Values, found};
use crate::attribute::{Invalid, check};
use crate::cloudevents::{Mode, content_type};
use crate::ingress::{LARGEST_BODY, Taken, event_id, mode, refuse};
use crate::{address, header, hops};
use serde_json::Value;
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::{Acknowledgement, FieldLines, Publish, ReplyWait};

/// Where answers are that were not waited for.
const REPLIES: &str = "/replies/";

/// Which requests become events, and what they become.
#[derive(Debug, Clone)]
pub(crate) struct RequestBridge {
    /// `NAMESPACE/NAME`.
    pub(crate) name: String,
    /// `file:line`.
    pub(crate) origin: String,
    /// In lower case, without port.
    pub(crate) host: String,
    /// This path and what is below it; `/` is all.
    pub(crate) path: String,
    pub(crate) methods: Vec<String>,
    /// `NAMESPACE/NAME`.
    pub(crate) channel: String,
    pub(crate) is_broker: bool,
    pub(crate) making: Making,
    pub(crate) reply: Option<Reply>,
    /// Whether the answer waits until the event is stored.
    pub(crate) acknowledged: bool,
}

/// How a response comes back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The extension that the event gets.
    pub(crate) correlation: String,
    /// What comes before its value in the key of the exchange.
    pub(crate) prefix: String,
    /// Milliseconds.
    pub(crate) timeout: u64,
    /// Milliseconds that a response is kept after that; none answers 504 when it is late.
    pub(crate) keep: Option<u64>,
}

impl RequestBridge {
    /// Whether a request is for it, or asks for one of its late answers.
    pub(crate) fn takes(&self, request: &Request<'_>) -> bool {
        if address::host(&request.authority()).to_ascii_lowercase() != self.host {
            return false;
        }
        let (path, method) = (request.path(), request.method());
        self.is_below(&path) && (self.methods.contains(&method) || (method == "GET" && self.asked(&path).is_some()))
    }

    /// Why a request is not for it.
    pub(crate) fn lost(&self, request: &Request<'_>) -> String {
        let authority = request.authority();
        if address::host(&authority).to_ascii_lowercase() != self.host {
            return format!("{authority:?} is not {}", self.host);
        }
        let path = request.path();
        if !self.is_below(&path) {
            return format!("{path:?} is not at or below {}", self.path);
        }
        format!("{} is not among {}", request.method(), self.methods.join(", "))
    }

    fn is_below(&self, path: &str) -> bool {
        let own = self.path.trim_end_matches('/');
        path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The exchange that a request asks for the answer of.
    fn asked<'p>(&self, path: &'p str) -> Option<&'p str> {
        self.reply.as_ref()?.keep?;
        let key = path.strip_prefix(self.path.trim_end_matches('/'))?.strip_prefix(REPLIES)?;
        (!key.is_empty() && !key.contains('/')).then_some(key)
    }

    /// Decides on a request that it takes.
    pub(crate) fn decide(&self, request: &Request<'_>) -> RequestDecision {
        let path = request.path();
        if let (Some(key), Some(reply)) = (self.asked(&path).filter(|_| request.method() == "GET"), &self.reply) {
            return self.fetch(reply, key, request);
        }
        let headers = request.field_lines();
        let mode = match mode(&headers) {
            Ok(mode) => mode,
            Err(answer) => return answer.into(),
        };
        let taken = match mode {
            Mode::Batch => {
                return refuse(&Invalid::new("", "a request becomes one event; send a batch to the channel"), None)
                    .into();
            }
            Mode::Plain if self.making.reads_data() && request.body().is_none() => return inspect_body(LARGEST_BODY),
            Mode::Plain => {
                let event = self.wrap(request, &headers).map(Taken::beside_its_data);
                event.map_err(|invalid| refuse(&invalid, None).into())
            }
            mode => Taken::read(&mode, &headers, request),
        };
        match taken {
            Ok(taken) => self.publish(request, taken),
            Err(decision) => decision,
        }
    }

    /// Makes an event of a request that carries none; its data is the request's body.
    fn wrap(&self, request: &Request<'_>, headers: &FieldLines) -> Result<Event, Invalid> {
        let mut event = Event::new(event_id(request), "", "");
        event.datacontenttype = content_type(headers)?.map(str::to_owned);
        let body = if self.making.reads_data() { request.body() } else { None };
        let values = RequestValues { request, data: body.and_then(|body| serde_json::from_slice(&body).ok()) };
        let missing = |name| Invalid::new(name, "the request lacks a value that it is made of");
        self.making.apply(&mut event, &values).map_err(missing)?;
        check(&event)?;
        Ok(event)
    }

    fn publish(&self, request: &Request<'_>, mut taken: Taken) -> RequestDecision {
        let event = &mut taken.event;
        if self.is_broker {
            if !hops::enter(event) {
                return refuse(&Invalid::new("knativebrokerttl", "it has gone through too many brokers"), None).into();
            }
            hops::stamp(event, request.attribute("request.time").and_then(|time| time.parse().ok()));
        }
        let id = header::encode(&event.id);
        let answer = respond(202).header("x-event-id", id.clone());
        let Some(reply) = &self.reply else {
            let published = taken.publish(self.channel.clone(), answer);
            return if self.acknowledged { published.into() } else { published.unacknowledged().into() };
        };
        let key = request.attribute("request.id").unwrap_or_default();
        hops::set(event, &reply.correlation, key.clone());
        let (timeout, pending) = match reply.keep {
            None => (reply.timeout, late()),
            Some(_) => (preferred(request).unwrap_or(reply.timeout).min(reply.timeout), self.pending(&key, id)),
        };
        let wait = ReplyWait {
            key: format!("{}{key}", reply.prefix),
            timeout,
            pending,
            // From the time on at which the longest wait would have ended.
            keep: reply.keep.map_or(0, |keep| keep.saturating_add(reply.timeout - timeout)),
        };
        taken.publish(self.channel.clone(), answer).and_wait(wait).into()
    }

    /// The answer of an exchange whose request did not wait for it.
    fn fetch(&self, reply: &Reply, key: &str, request: &Request<'_>) -> RequestDecision {
        let wait = ReplyWait {
            key: format!("{}{key}", reply.prefix),
            timeout: preferred(request).unwrap_or(0).min(reply.timeout),
            pending: self.pending(key, String::new()),
            keep: 0,
        };
        let unknown = respond(404).text("no answer is waited for under this name, or it was kept long enough\n");
        let (publications, acknowledge) = (Vec::new(), Acknowledgement::Stored);
        Publish { publications, body_as_data: None, acknowledge, answer: unknown, reply: Some(wait) }.into()
    }

    fn pending(&self, key: &str, id: String) -> Answer {
        let location = format!("{}{REPLIES}{key}", self.path.trim_end_matches('/'));
        let answer = respond(202).header("location", location).header("retry-after", "1");
        if id.is_empty() { answer } else { answer.header("x-event-id", id) }
    }
}

/// What is answered when no reply comes in time.
pub(crate) fn late() -> Answer {
    respond(504).text("the event was taken, but no reply came in time\n")
}

/// How long the client wants to wait (RFC 7240, sections 4.1 and 4.3), in milliseconds.
fn preferred(request: &Request<'_>) -> Option<u64> {
    let header = request.header("prefer")?;
    let mut preferences = header.split([',', ';']).map(str::trim);
    let wanted = preferences.find(|one| *one == "respond-async" || one.starts_with("wait="))?;
    match wanted.strip_prefix("wait=") {
        Some(seconds) => seconds.trim_matches('"').parse::<u64>().ok()?.checked_mul(1_000),
        None => Some(0),
    }
}

/// The values of a request.
struct RequestValues<'a, 'r> {
    request: &'a Request<'r>,
    data: Option<Value>,
}

impl Values for RequestValues<'_, '_> {
    fn value(&self, selector: &Selector) -> Option<String> {
        let request = self.request;
        match selector {
            Selector::Method => Some(request.method()),
            Selector::Host => Some(address::host(&request.authority()).to_ascii_lowercase()),
            Selector::Path => Some(request.path()),
            Selector::Segment(index) => {
                let path = request.path();
                let segment = path.split('/').nth(*index).filter(|segment| !segment.is_empty());
                segment.map(decoded)
            }
            Selector::Query(name) => parameter(&request.query()?, name),
            Selector::Header(name) => request.header(name),
            Selector::Attribute(_) => Some(event_id(request)),
            Selector::Data(pointer) => found(self.data.as_ref(), pointer),
        }
    }
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| decoded(key) == name).map(|(_, value)| decoded(&value.replace('+', " ")))
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
