//! The events of a channel for clients that listen: browsers and the like.
//!
//! A client gets what comes as it comes, by server-sent events or over WebSocket. It is read from the channel's history
//! as fast as the client reads, so a slow client holds a batch of events and nothing else; one that does not read at
//! all is cut, and goes on where it was when it comes back. What is not kept any more by then it is told of.

mod sse;
mod websocket;

pub use sse::server_sent;
pub use websocket::{PROTOCOL, serve_websocket};

use crate::error::RequestError;
use crate::event::{Channels, FollowError, Listening, Seen, Start};
use crate::wasm::types::{Attribute, Event, SubscriptionStream};

/// The type of what tells a client that it has missed something.
const MISSED: &str = "dev.sluicegate.missed";

/// A client that listens.
#[derive(Debug)]
pub struct Listener {
    listening: Listening,
    attributes: Vec<Attribute>,
    /// It has asked to go on behind something that is no position.
    is_lost: bool,
}

/// What a listener is told at once.
#[derive(Debug, Default)]
struct Told {
    missed: bool,
    events: Vec<Seen>,
}

/// Finds a client's place in the channel that it wants to listen to.
///
/// # Errors
/// When there is no such channel, or too many listen to it.
pub fn open(channels: &Channels, wanted: &SubscriptionStream) -> Result<Listener, RequestError> {
    let after = wanted.after.as_deref().map(|after| after.trim().parse::<u64>().ok());
    let start = match after {
        Some(Some(position)) => Start::Position(position.saturating_add(1)),
        Some(None) | None => Start::Next,
    };
    let refused = |error: FollowError| {
        let (channel, reason) = (wanted.channel.clone(), error.to_string());
        RequestError::Publish { channel, reason }
    };
    let listening = channels.listen(&wanted.channel, start).map_err(refused)?;
    Ok(Listener { listening, attributes: wanted.attributes.clone(), is_lost: after == Some(None) })
}

impl Listener {
    /// Waits for what comes next; none once the channel is gone. May be given up and asked again.
    async fn next(&mut self) -> Option<Told> {
        if std::mem::take(&mut self.is_lost) {
            return Some(Told { missed: true, events: Vec::new() });
        }
        loop {
            let glimpse = self.listening.follower.next().await?;
            let events = glimpse.events.into_iter();
            let events: Vec<Seen> = events.filter(|seen| has(&seen.event, &self.attributes)).collect();
            if glimpse.missed || !events.is_empty() {
                self.listening.sent(events.len());
                return Some(Told { missed: glimpse.missed, events });
            }
        }
    }

    /// The position of the last event that it has seen or passed over.
    fn position(&self) -> u64 {
        self.listening.follower.position().saturating_sub(1)
    }
}

/// Whether an event has all attributes; an empty value says that one has to be there.
fn has(event: &Event, attributes: &[Attribute]) -> bool {
    attributes.iter().all(|wanted| {
        let found = event.value_of(&wanted.name);
        found.is_some_and(|found| wanted.value.is_empty() || found == wanted.value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_attributes_by_value_or_at_all() {
        let extensions = vec![Attribute { name: "region".into(), value: "eu".into() }];
        let event = Event { extensions, ..Event::new("1", "/shop", "order.placed") };
        let with = |name: &str, value: &str| Attribute { name: name.into(), value: value.into() };
        for (wanted, expected) in [
            (vec![], true),
            (vec![with("type", "order.placed"), with("region", "")], true),
            (vec![with("type", "order")], false),
            (vec![with("type", "order.placed"), with("subject", "")], false),
            (vec![with("region", "us")], false),
        ] {
            assert_eq!(has(&event, &wanted), expected, "{wanted:?}");
        }
    }
}
