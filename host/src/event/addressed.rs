//! Events that are for one subscription of their channel alone: those that are put back from its dead letters, or
//! replayed to it; and those that are replayed to all.
//!
//! They go through the channel's log like any other, which keeps them as safe and gives them out in turn; who they are
//! for stands in an extension that nobody outside sees. Other subscriptions pass them over.

use crate::wasm::bindings::sluicegate::filter::types::{Attribute, Event};

/// Names the subscription, then what makes the event another one than the first time. Publishers cannot set it.
const EXTENSION: &str = "sluicegateto";

/// The event, for one subscription (`NAMESPACE/NAME`).
pub(super) fn to(mut event: Event, subscription: &str) -> Event {
    strip(&mut event);
    // A store may know an event by its source and id, and drop what it has had.
    let value = format!("{subscription} {:016x}", fastrand::u64(..));
    event.extensions.push(Attribute { name: EXTENSION.to_owned(), value });
    event
}

/// The event, for all subscriptions once more.
pub(super) fn again(event: Event) -> Event {
    to(event, "")
}

/// What tells apart the times that an event is put in; nothing for the first.
pub(super) fn mark(event: &Event) -> Option<&str> {
    event.extensions.iter().find(|attribute| attribute.name == EXTENSION).map(|attribute| attribute.value.as_str())
}

/// The subscription that an event is for, unless it is for all.
pub(super) fn receiver(event: &Event) -> Option<&str> {
    mark(event).map(|mark| mark.split_once(' ').map_or(mark, |(name, _)| name)).filter(|name| !name.is_empty())
}

/// The event as it was published.
pub(super) fn strip(event: &mut Event) {
    event.extensions.retain(|attribute| attribute.name != EXTENSION);
}

#[cfg(test)]
mod tests {
    use super::super::tests::harness::event;
    use super::*;

    #[test]
    fn an_event_says_whom_it_is_for_and_then_no_more() {
        let mut addressed = to(to(event("1"), "default/one"), "default/other");
        assert_eq!(receiver(&addressed), Some("default/other"));
        assert_ne!(mark(&addressed), mark(&to(event("1"), "default/other")));
        let all = again(event("1"));
        assert_eq!((receiver(&all), mark(&all).is_some()), (None, true));
        strip(&mut addressed);
        assert_eq!((receiver(&addressed), format!("{addressed:?}")), (None, format!("{:?}", event("1"))));
    }
}
