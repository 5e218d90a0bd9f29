//! An HTTP message, the event that it carries, and the messages that this event becomes.
//!
//! The message is written as lines of `name: value`, an empty line and the body.
//!
//! - What is taken for an event keeps the rules for attributes.
//! - It comes back the same from each mode: binary, structured, and twice in a batch.
//! - In binary mode every header is one that HTTP can carry.

use crate::envelope;
use http::{HeaderName, HeaderValue};
use sluicegate_bridge::fuzzing::{check, milliseconds, parse, parse_batch, write_binary, write_structured};
use sluicegate_sdk::{Event, Header};

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let (lines, body) = envelope::split(bytes);
    let fields = lines.iter().filter_map(|line| envelope::field(line));
    let headers: Vec<Header> =
        fields.map(|(name, value)| Header { name: name.to_ascii_lowercase(), value: value.to_vec() }).collect();
    for line in lines.iter().filter_map(|line| std::str::from_utf8(line).ok()) {
        assert!(milliseconds(line).is_none() || line.starts_with('P'), "{line}");
    }
    let one = parse(&headers, body).ok().flatten();
    for event in one.into_iter().chain(parse_batch(body).unwrap_or_default()) {
        check_event(&event);
    }
}

fn check_event(event: &Event) {
    check(event).unwrap_or_else(|reason| panic!("{reason}: {event:?}"));
    let (headers, body) = write_binary(event);
    for Header { name, value } in &headers {
        let carried = HeaderName::try_from(name).is_ok() && HeaderValue::from_bytes(value).is_ok();
        assert!(carried, "{name}: {}", value.escape_ascii());
    }
    assert_same(parse(&headers, &body), event, "binary");
    let (headers, body) = write_structured(event);
    assert_same(parse(&headers, &body), event, "structured");
    let batch = [b"[".as_slice(), &body, b" , ", &body, b"]"].concat();
    let events = parse_batch(&batch).unwrap_or_else(|reason| panic!("{reason}: {}", batch.escape_ascii()));
    assert_eq!(events.len(), 2);
    for one in events {
        assert_same(Ok(Some(one)), event, "batch");
    }
}

fn assert_same(parsed: Result<Option<Event>, String>, event: &Event, mode: &str) {
    let Ok(Some(parsed)) = parsed else { panic!("{mode}: {parsed:?} comes of {event:?}") };
    assert_eq!(plain(&parsed), plain(event), "{mode}");
}

/// An event without what modes may differ in: whether data is empty or not there, and white space around JSON.
fn plain(event: &Event) -> Event {
    let data = event.data.as_deref().map(<[u8]>::trim_ascii).filter(|data| !data.is_empty());
    Event { data: data.map(<[u8]>::to_vec), ..event.clone() }
}
