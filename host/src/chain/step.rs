//! What a filter decided, checked: what the host has to do next.

use crate::body::ProxyBody;
use crate::config::limits;
use crate::decision;
use crate::gather::Plan;
use crate::mirror::Mirror;
use crate::wasm::{Failure, types};
use http::Response;
use std::time::Duration;

/// What the host has to do next.
#[derive(Debug)]
pub enum Step {
    /// Send the request.
    Forward(Forward),
    /// Answer it.
    Respond(Response<ProxyBody>),
    /// Make these calls, then go on with [`Chain::gathered`].
    Gather(Plan),
    /// Publish these events, then answer, or wait for the answer that an event brings.
    Publish(Publishing),
    /// Send the events of a channel to the client as they come.
    Subscribe(Box<types::SubscriptionStream>),
    /// Buffer the body up to this many bytes, then go on with [`Chain::decide`].
    InspectBody(u64),
    /// No filter settled it.
    End,
}

impl Step {
    /// Whether the filter answers with an error that is its own. What it answers where an event should have brought the answer
    /// is not: whoever should have sent that may be down.
    pub(super) fn is_error(&self) -> bool {
        let answer = match self {
            Self::Respond(answer) => Some(answer),
            Self::Publish(Publishing { answer, answered: Answered::Stored | Answered::Unacknowledged, .. }) => {
                Some(answer)
            }
            _ => None,
        };
        answer.is_some_and(|answer| answer.status().is_server_error())
    }
}

/// Events to publish, and the answer.
#[derive(Debug)]
pub struct Publishing {
    /// The events.
    pub publications: Vec<types::Publication>,
    /// The request's body, up to this many bytes, is the data of the only one of them.
    pub body: Option<u64>,
    /// The answer; where an event answers, what is answered when nothing is known of it.
    pub answer: Response<ProxyBody>,
    /// When it is given.
    pub answered: Answered,
}

impl Publishing {
    /// Understands what a filter wants to publish. Of a request's body it may take so many bytes.
    ///
    /// # Errors
    /// When the answer cannot be, or it is not clear whose data the body is.
    pub(super) fn check(publish: types::Publish, largest: u64) -> Result<Self, Failure> {
        let types::Publish { publications, body_as_data, acknowledge, answer, reply } = publish;
        if body_as_data.is_some() && !matches!(publications.as_slice(), [only] if only.event.data.is_none()) {
            return Err(Failure::invalid("it gives the request's body to something else than one event without data"));
        }
        let answered = match (reply.map(Reply::check).transpose()?, acknowledge) {
            (Some(reply), _) => Answered::ByEvent(Box::new(reply)),
            (None, types::Acknowledgement::Stored) => Answered::Stored,
            (None, types::Acknowledgement::None) => Answered::Unacknowledged,
        };
        let body = body_as_data.map(|most| most.min(largest));
        Ok(Self { publications, body, answer: decision::response(answer)?, answered })
    }
}

/// When a request is answered that publishes events.
#[derive(Debug)]
pub enum Answered {
    /// Once they are stored.
    Stored,
    /// At once.
    Unacknowledged,
    /// By an event.
    ByEvent(Box<Reply>),
}

/// An answer that an event brings, and what is answered until then.
#[derive(Debug)]
pub struct Reply {
    /// Names the exchange.
    pub key: String,
    /// How long to wait.
    pub timeout: Duration,
    /// How long after that the answer is kept.
    pub keep: Duration,
    /// Given when there is none in time.
    pub pending: Response<ProxyBody>,
}

impl Reply {
    fn check(wait: types::ReplyWait) -> Result<Self, Failure> {
        if wait.key.is_empty() {
            return Err(Failure::invalid("it waits for an answer without a key"));
        }
        Ok(Self {
            key: wait.key,
            timeout: Duration::from_millis(wait.timeout).min(limits::REPLY_WAIT),
            keep: Duration::from_millis(wait.keep).min(limits::REPLY_KEPT),
            pending: decision::response(wait.pending)?,
        })
    }
}

/// Where to send a request, its edits applied already.
#[derive(Debug)]
pub struct Forward {
    /// The service.
    pub destination: types::Destination,
    /// For the whole exchange, in milliseconds.
    pub timeout: Option<u64>,
    /// When to try again.
    pub retries: Option<types::RetryPolicy>,
    /// Who gets a copy.
    pub mirrors: Vec<Mirror>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_filters_own_unless_an_event_should_have_brought_the_answer() {
        let answer = |status: u16| {
            let head = decision::head(status, Vec::new()).unwrap();
            head.map(|()| ProxyBody::empty())
        };
        let publishing = |status, answered| {
            Step::Publish(Publishing { publications: Vec::new(), body: None, answer: answer(status), answered })
        };
        let wait = Duration::from_secs(1);
        let reply = || Reply { key: "1".into(), timeout: wait, keep: wait, pending: answer(504) };
        assert!(Step::Respond(answer(500)).is_error() && !Step::Respond(answer(404)).is_error());
        assert!(publishing(503, Answered::Stored).is_error() && publishing(503, Answered::Unacknowledged).is_error());
        assert!(!publishing(202, Answered::Stored).is_error());
        assert!(!publishing(503, Answered::ByEvent(Box::new(reply()))).is_error());
    }
}
