//! Requests that are answered over a broker: kind RequestReply.

use crate::attribute::{self, Invalid};
use crate::bridging::late;
use crate::cloudevents::write_binary;
use crate::config::Answering;
use crate::ingress::{self, Taken, refuse, refuse_method};
use crate::{address, hops};
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::{CorrelatedAnswer, ReplyWait};

/// The extension of an answering event that gives the status of the response it becomes.
const STATUS: &str = "httpstatus";

/// What is repeated of an event's id at most, in bytes: the id of its request tells it from others, and the host keeps no long
/// keys.
const REPEATED_ID: usize = 512;

/// A RequestReply.
#[derive(Debug, Clone)]
pub(crate) struct RequestReply {
    /// `NAMESPACE/NAME`.
    pub(crate) full_name: String,
    /// `file:line`.
    pub(crate) origin: String,
    /// `NAMESPACE/NAME`.
    pub(crate) broker: String,
    /// The extension that a request's event gets.
    pub(crate) correlation: String,
    /// The extension in which the answering event repeats it.
    pub(crate) reply: String,
    /// Milliseconds.
    pub(crate) timeout: u64,
    /// What comes before the extension's value in the key of an exchange.
    pub(crate) prefix: String,
}

/// Decides on a request to the host of all `RequestReply`s: `/NAMESPACE/NAME` takes requests, `/NAMESPACE/NAME/reply` replies.
pub(crate) fn decide(all: &[RequestReply], request: &Request<'_>) -> RequestDecision {
    if let Some(answer) = refuse_method(request) {
        return answer.into();
    }
    let path = request.path();
    let Some((namespace, name, rest)) = address::named(&path) else { return ingress::misplaced(&path).into() };
    let full_name = format!("{namespace}/{name}");
    let is_reply = matches!(rest, "reply" | "reply/");
    if !is_reply && !rest.is_empty() {
        return ingress::misplaced(&path).into();
    }
    let Some(known) = all.iter().find(|known| known.full_name == full_name) else {
        return respond(404).text(format!("no RequestReply is called {full_name}\n")).into();
    };
    let Taken { mut event, body } = match ingress::one(request) {
        Ok(taken) => taken,
        Err(decision) => return decision,
    };
    if is_reply && attribute::get(&event, &known.reply).is_none() {
        return refuse(&Invalid::new(known.reply.as_str(), "a reply repeats the id of its request there"), None).into();
    }
    if !hops::enter(&mut event) {
        return ingress::too_far().into();
    }
    hops::stamp(&mut event, request.attribute("request.time").and_then(|time| time.parse().ok()));
    if is_reply {
        return Taken { event, body }.publish(known.broker.clone(), respond(202)).into();
    }
    known.ask(Taken { event, body }, &request.attribute("request.id").unwrap_or_default())
}

impl RequestReply {
    /// Publishes a request's event under an id that nobody can guess, and waits for the event that repeats it.
    fn ask(&self, mut taken: Taken, request: &str) -> RequestDecision {
        let named = &taken.event.id[..taken.event.id.floor_char_boundary(REPEATED_ID)];
        let id = format!("{named}:{request}");
        hops::set(&mut taken.event, &self.correlation, id.clone());
        let key = format!("{}{id}", self.prefix);
        let wait = ReplyWait { key, timeout: self.timeout, pending: late(), keep: 0 };
        taken.publish(self.broker.clone(), respond(202)).and_wait(wait).into()
    }

    /// Such as `RequestReply default/ask`, for `explain`.
    pub(crate) fn label(&self) -> String {
        format!("RequestReply {}", self.full_name)
    }
}

/// What an event means for the requests that wait: its answer, when it names one.
pub(crate) fn answer(answering: &Answering, event: &Event) -> EventDecision {
    let Some(id) = attribute::get(event, &answering.attribute) else { return EventDecision::Ack };
    let key = format!("{}{id}", answering.prefix);
    let mut event = event.clone();
    hops::strip(&mut event);
    let mut answer = respond(200);
    if answering.unwrap {
        let status = attribute::get(&event, STATUS).and_then(|status| status.parse().ok());
        answer.status = status.filter(|status| (200..600).contains(status)).unwrap_or(200);
        answer = answer.header("x-event-id", crate::header::encode(&event.id));
        if let Some(content_type) = &event.datacontenttype {
            answer = answer.header("content-type", content_type.as_str());
        }
        answer.body = event.data.unwrap_or_default();
    } else {
        (answer.headers, answer.body) = write_binary(&event);
    }
    EventDecision::Answer(CorrelatedAnswer { key, answer })
}

#[cfg(test)]
#[path = "request_reply_tests.rs"]
mod tests;
