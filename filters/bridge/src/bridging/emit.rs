//! An event becomes other events.

use super::making::{EventValues, Making};
use crate::cloudevents::for_each_attribute;
use crate::{attribute, hops};
use serde_json::value::RawValue;
use sluicegate_sdk::{Emission, Event, EventDecision};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The most events that one becomes: a quarter of a subscription's queue, as for a batch.
const MOST: usize = 256;
/// The most extensions that they have together: 64 each of that many, which is a part of what a call has time for.
const MOST_EXTENSIONS: usize = 64 * MOST;
/// The most bytes that their attributes have together: an eighth of what a decision may hand over.
const MOST_BYTES: usize = 1 << 20;

/// What the events are like and where they go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Emit {
    /// `NAMESPACE/NAME`.
    pub(crate) channel: String,
    pub(crate) is_broker: bool,
    /// Where in the data the array is of which each item becomes an event; a JSON pointer.
    pub(crate) split: Option<String>,
    pub(crate) making: Making,
    /// Extensions to take away.
    pub(crate) remove: Vec<String>,
}

impl Emit {
    /// The events, all of them or none.
    pub(crate) fn decide(&self, event: &Event) -> EventDecision {
        match self.events(event) {
            Ok(events) => EventDecision::Emit(Emission { channel: Some(self.channel.clone()), events }),
            Err(reason) => EventDecision::DeadLetter(reason),
        }
    }

    fn events(&self, event: &Event) -> Result<Vec<Event>, String> {
        let mut events = self.split(event)?;
        for event in &mut events {
            event.extensions.retain(|entry| !self.remove.contains(&entry.name));
            let given = event.clone();
            let values = EventValues::new(&given, self.making.reads_data());
            let missing = |name| format!("the event lacks a value of the bridge's {name}");
            self.making.apply(event, &values).map_err(missing)?;
            attribute::check(event).map_err(|invalid| format!("{}: {}", invalid.attribute, invalid.reason))?;
            if self.is_broker && !hops::enter(event) {
                return Err("it has gone through too many brokers".into());
            }
            if !self.is_broker {
                hops::strip(event);
            }
        }
        Ok(events)
    }

    /// An event for each item, with the bytes that it was written in, and ids that stay the same when it is done again.
    fn split(&self, event: &Event) -> Result<Vec<Event>, String> {
        let Some(pointer) = &self.split else { return Ok(vec![event.clone()]) };
        let text = event.data.as_deref().and_then(|data| std::str::from_utf8(data).ok()).unwrap_or_default();
        let items = at(text, pointer).and_then(|array| serde_json::from_str::<Vec<&RawValue>>(array).ok());
        let items = items.ok_or_else(|| format!("there is no array at {pointer:?} in its data"))?;
        if items.len() > MOST {
            return Err(format!("it has {} items; {MOST} are the most", items.len()));
        }
        check_repeated(event, items.len())?;
        // Each has its own part of the data, and no copy of the whole.
        let whole = Event { data: None, ..event.clone() };
        let part = |(index, item): (usize, &&RawValue)| Event {
            id: format!("{}-{index}", event.id),
            data: Some(item.get().as_bytes().to_vec()),
            datacontenttype: Some("application/json".into()),
            ..whole.clone()
        };
        Ok(items.iter().enumerate().map(part).collect())
    }
}

/// Refuses to repeat the attributes of an event so often that it would take too long.
fn check_repeated(event: &Event, items: usize) -> Result<(), String> {
    let extensions = event.extensions.len().saturating_mul(items);
    if extensions > MOST_EXTENSIONS {
        return Err(format!("its {items} items would have {extensions} extensions; {MOST_EXTENSIONS} are the most"));
    }
    let mut bytes = event.datacontenttype.as_ref().map_or(0, String::len);
    for_each_attribute(event, |name, value| bytes += name.len() + value.len());
    let bytes = bytes.saturating_mul(items);
    if bytes > MOST_BYTES {
        return Err(format!("its {items} items would have {bytes} bytes of attributes; {MOST_BYTES} are the most"));
    }
    Ok(())
}

/// What a JSON pointer finds in a text, as it was written.
fn at<'a>(text: &'a str, pointer: &str) -> Option<&'a str> {
    let mut found = text;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        found = if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(found) {
            items.get(token.parse::<usize>().ok()?)?.get()
        } else {
            let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(found).ok()?;
            members.get(token.as_str())?.get()
        };
    }
    Some(found)
}
