//! What the host insists on for every event, whichever filter made it.

use crate::wasm::bindings::sluicegate::filter::types::{Attribute, Event};
use jiff::Timestamp;

/// Why an event is refused: the attributes that every event has are there, names are names (CloudEvents 1.0.2,
/// sections 3.1 and 3.1.1). Values beyond that are the filter's to check.
pub(super) fn check(event: &Event) -> Result<(), String> {
    for (name, value) in [("id", &event.id), ("source", &event.source), ("type", &event.type_)] {
        if value.is_empty() {
            return Err(format!("its attribute {name:?} is empty"));
        }
    }
    for Attribute { name, .. } in &event.extensions {
        let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if name.is_empty() || !letters {
            return Err(format!("{name:?} is not a name of an extension: only a-z and 0-9 may be in it"));
        }
    }
    Ok(())
}

/// Gives an event without `time` the present one, in milliseconds as RFC 3339 writes it.
pub(super) fn stamp(event: &mut Event) {
    if event.time.is_none() {
        event.time = Some(Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string());
    }
}

/// Sets an extension, in place of what it was.
pub(super) fn set_extension(event: &mut Event, name: &str, value: String) {
    event.extensions.retain(|attribute| attribute.name != name);
    event.extensions.push(Attribute { name: name.to_owned(), value });
}
