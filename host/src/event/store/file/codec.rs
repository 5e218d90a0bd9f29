//! An event as bytes: a version, the attributes in a fixed order with their lengths, the data.

use crate::wasm::bindings::sluicegate::filter::types::{Attribute, Event};

/// The first byte of what is written here; another one is of a later version.
const VERSION: u8 = 1;
/// In place of the length of an attribute that is not there.
const ABSENT: u32 = u32::MAX;

/// Writes an event; none when one of its parts is over what a length holds.
pub(super) fn encode(event: &Event) -> Option<Vec<u8>> {
    let data = event.data.as_deref();
    let mut bytes = Vec::with_capacity(128 + data.map_or(0, <[u8]>::len));
    bytes.push(VERSION);
    for text in [&event.id, &event.source, &event.type_] {
        put(&mut bytes, Some(text.as_bytes()))?;
    }
    for text in [&event.subject, &event.time, &event.datacontenttype, &event.dataschema] {
        put(&mut bytes, text.as_ref().map(String::as_bytes))?;
    }
    bytes.extend_from_slice(&u32::try_from(event.extensions.len()).ok()?.to_le_bytes());
    for Attribute { name, value } in &event.extensions {
        put(&mut bytes, Some(name.as_bytes()))?;
        put(&mut bytes, Some(value.as_bytes()))?;
    }
    put(&mut bytes, data)?;
    Some(bytes)
}

/// Reads an event; none when the bytes are not one.
pub(super) fn decode(bytes: &[u8]) -> Option<Event> {
    let (version, mut rest) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    let rest = &mut rest;
    let event = Event {
        id: text(rest)??,
        source: text(rest)??,
        type_: text(rest)??,
        subject: text(rest)?,
        time: text(rest)?,
        datacontenttype: text(rest)?,
        dataschema: text(rest)?,
        extensions: extensions(rest)?,
        data: get(rest)?.map(<[u8]>::to_vec),
    };
    rest.is_empty().then_some(event)
}

fn extensions(rest: &mut &[u8]) -> Option<Vec<Attribute>> {
    let count = number(rest)?;
    (0..count).map(|_| Some(Attribute { name: text(rest)??, value: text(rest)?? })).collect()
}

fn put(bytes: &mut Vec<u8>, part: Option<&[u8]>) -> Option<()> {
    let Some(part) = part else {
        bytes.extend_from_slice(&ABSENT.to_le_bytes());
        return Some(());
    };
    let length = u32::try_from(part.len()).ok().filter(|length| *length != ABSENT)?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(part);
    Some(())
}

/// The next part; the outer option says whether there is one, the inner whether it is absent from the event.
#[allow(clippy::option_option, reason = "an absent attribute is not a damaged event")]
fn get<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = number(rest)?;
    if length == ABSENT {
        return Some(None);
    }
    let (part, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(Some(part))
}

#[allow(clippy::option_option, reason = "an absent attribute is not a damaged event")]
fn text(rest: &mut &[u8]) -> Option<Option<String>> {
    match get(rest)? {
        None => Some(None),
        Some(bytes) => Some(Some(String::from_utf8(bytes.to_vec()).ok()?)),
    }
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::tests::harness::event;
    use super::*;

    #[test]
    fn every_part_of_an_event_comes_back() {
        let attribute = |name: &str, value: &str| Attribute { name: name.into(), value: value.into() };
        let full = Event {
            subject: Some("teapot".into()),
            time: Some("2026-11-25T10:00:00Z".into()),
            datacontenttype: Some("application/json".into()),
            dataschema: Some(String::new()),
            extensions: vec![attribute("partitionkey", "ä"), attribute("x", "")],
            data: Some(vec![0, 255, 10]),
            ..event("1")
        };
        for event in [full, Event { data: None, ..event("2") }, Event { data: Some(Vec::new()), ..event("3") }] {
            assert_eq!(decode(&encode(&event).unwrap()), Some(event));
        }
    }

    #[test]
    fn bytes_that_are_no_event_are_none() {
        let bytes = encode(&event("1")).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "cut after {length} bytes");
        }
        assert_eq!(decode(&[bytes.clone(), vec![0]].concat()), None, "a byte too many");
        let mut later = bytes;
        later[0] = VERSION + 1;
        assert_eq!(decode(&later), None);
    }
}
