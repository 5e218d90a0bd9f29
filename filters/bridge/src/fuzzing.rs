//! Doors for the fuzz targets (`fuzz/`) to what nobody else outside has to do with. No part of the library's interface.

use crate::attribute::{self, Invalid};
use crate::{cloudevents, duration, json};
use sluicegate_sdk::{Event, Header};

/// The event of a message in either mode; none when it carries none.
///
/// # Errors
/// With what is wrong with it.
pub fn parse(headers: &[Header], body: &[u8]) -> Result<Option<Event>, String> {
    cloudevents::parse_one(&headers.into(), body).map_err(described)
}

/// The events of a batch.
///
/// # Errors
/// With what is wrong with one of them.
pub fn parse_batch(body: &[u8]) -> Result<Vec<Event>, String> {
    json::parse_batch(body).map_err(|(index, invalid)| format!("event {index}: {}", described(invalid)))
}

/// An event in binary mode.
pub fn write_binary(event: &Event) -> (Vec<Header>, Vec<u8>) {
    cloudevents::write_binary(event)
}

/// An event in structured mode.
pub fn write_structured(event: &Event) -> (Vec<Header>, Vec<u8>) {
    cloudevents::write_structured(event)
}

/// Whether an event is valid.
///
/// # Errors
/// With what is wrong with it.
pub fn check(event: &Event) -> Result<(), String> {
    attribute::check(event).map_err(described)
}

/// An ISO 8601 duration in milliseconds.
pub fn milliseconds(text: &str) -> Option<u64> {
    duration::milliseconds(text)
}

fn described(Invalid { attribute, reason }: Invalid) -> String {
    format!("{attribute}: {reason}")
}
