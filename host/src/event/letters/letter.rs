//! A dead letter as its log keeps it: an event of its own, whose data is the event that was given up.

use crate::event::check::stamp;
use crate::event::json::{Exact, parse};
use crate::wasm::bindings::sluicegate::filter::types::{Attribute, Event};

/// What its log's events are.
const TYPE: &str = "dev.sluicegate.dead-letter";
const SOURCE: &str = "/dead-letters";
/// What is kept of a reason, in characters: enough for any of the host's, and for the beginning of a filter's.
const REASON: usize = 1_024;

/// The beginning of what a filter or a client wrote, on one line.
pub(in crate::event) fn shortened(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(REASON).collect()
}

/// An event that a subscription has given up.
#[derive(Debug, Clone)]
pub struct Letter {
    /// `NAMESPACE/NAME` of the subscription.
    pub subscription: String,
    /// Where it could not be delivered; empty where the filter gave it up before.
    pub uri: String,
    /// Why.
    pub reason: String,
    /// The status that was answered last; none where there was no answer.
    pub status: Option<u16>,
    /// How often it was tried.
    pub tries: u32,
    /// The event, as it was published.
    pub event: Event,
}

impl Letter {
    /// As its log keeps it; none where it cannot be written.
    pub(super) fn to_event(&self) -> Option<Event> {
        let status = self.status.map(|status| status.to_string());
        let extensions = [
            ("subscription", Some(self.subscription.clone())),
            ("uri", Some(self.uri.clone())),
            ("reason", Some(shortened(&self.reason))),
            ("status", status),
            ("tries", Some(self.tries.to_string())),
        ];
        let extensions = extensions.into_iter();
        let mut letter = Event {
            subject: Some(self.event.id.clone()),
            datacontenttype: Some("application/cloudevents+json".to_owned()),
            extensions: extensions
                .filter_map(|(name, value)| Some(Attribute { name: name.to_owned(), value: value? }))
                .collect(),
            data: Some(serde_json::to_vec(&Exact(&self.event)).ok()?),
            ..Event::new(format!("{:032x}", fastrand::u128(..)), SOURCE, TYPE)
        };
        stamp(&mut letter);
        Some(letter)
    }

    /// Reads what [`to_event`](Self::to_event) wrote; none when it is something else.
    pub(super) fn of_event(event: &Event) -> Option<Self> {
        let get =
            |name: &str| event.extensions.iter().find(|entry| entry.name == name).map(|entry| entry.value.clone());
        Some(Self {
            subscription: get("subscription").filter(|_| event.type_ == TYPE)?,
            uri: get("uri").unwrap_or_default(),
            reason: get("reason").unwrap_or_default(),
            status: get("status").and_then(|status| status.parse().ok()),
            tries: get("tries").and_then(|tries| tries.parse().ok()).unwrap_or_default(),
            event: parse(event.data.as_deref()?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::harness::event;
    use super::*;

    #[test]
    fn a_letter_comes_back_as_it_was_put_and_each_is_another_event() {
        let status = Some(503);
        let (subscription, uri) = ("default/stock".to_owned(), "http://stock/".to_owned());
        let letter = Letter { subscription, uri, reason: "it\nfailed".into(), status, tries: 4, event: event("1") };
        let (one, other) = (letter.to_event().unwrap(), letter.to_event().unwrap());
        assert!(one.time.is_some(), "it says since when it is there");
        assert_ne!(one.id, other.id, "a store that drops duplicates keeps both");
        let read = Letter::of_event(&one).unwrap();
        assert_eq!((read.reason.as_str(), read.status, read.tries), ("itfailed", status, 4));
        assert_eq!(format!("{:?}", read.event), format!("{:?}", letter.event));
        assert!(Letter::of_event(&event("2")).is_none());
    }
}
