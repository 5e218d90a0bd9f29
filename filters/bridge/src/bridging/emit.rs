//! An event becomes other events.

use super::making::{EventValues, Making};
use crate::attribute;
use crate::hops;
use serde_json::value::RawValue;
use sluicegate_sdk::{Emission, Event, EventDecision};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The most events that one becomes: a quarter of a subscription's queue, as for a batch.
const MOST: usize = 256;

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
        let part = |(index, item): (usize, &&RawValue)| Event {
            id: format!("{}-{index}", event.id),
            data: Some(item.get().as_bytes().to_vec()),
            datacontenttype: Some("application/json".into()),
            ..event.clone()
        };
        Ok(items.iter().enumerate().map(part).collect())
    }
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
