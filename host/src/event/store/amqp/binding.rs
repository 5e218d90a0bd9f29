//! Events as messages: the binary mode of CloudEvents' AMQP binding. What that calls application properties are headers in
//! AMQP 0-9-1.

use super::short;
use crate::event::store::StoreError;
use crate::event::store::remote::attributes::{self, CONTENT_TYPE};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

/// What is written, and the two that are read.
const PREFIX: &str = "cloudEvents_";
const PREFIXES: [&str; 2] = [PREFIX, "cloudEvents:"];

/// The properties of an event, whose data is the message's.
pub(super) fn properties(event: &Event) -> Result<BasicProperties, StoreError> {
    let mut headers = FieldTable::default();
    let mut properties = BasicProperties::default();
    for (name, value) in attributes::of(event) {
        if name == CONTENT_TYPE {
            properties = properties.with_content_type(short(value.to_owned())?);
        } else {
            headers.insert(short(format!("{PREFIX}{name}"))?, AMQPValue::LongString(value.into()));
        }
    }
    Ok(properties.with_headers(headers))
}

/// The event of a message; none when it is not one.
pub(super) fn event(properties: &BasicProperties, data: &[u8]) -> Option<Event> {
    let mut all = Vec::with_capacity(8);
    for (name, value) in properties.headers().as_ref()? {
        let name = PREFIXES.iter().find_map(|prefix| name.as_str().strip_prefix(prefix));
        if let Some(name) = name {
            all.push((name.to_owned(), text(value)?));
        }
    }
    all.extend(properties.content_type().as_ref().map(|value| (CONTENT_TYPE.to_owned(), value.to_string())));
    attributes::event(all, data)
}

/// The canonical text of a value: AMQP has types of its own for numbers and booleans.
fn text(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok()?,
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Timestamp(seconds) => jiff::Timestamp::from_second(i64::try_from(*seconds).ok()?).ok()?.to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::harness::event as plain;
    use crate::wasm::bindings::sluicegate::filter::types::Attribute;
    use lapin::types::ShortString;

    fn sent() -> Event {
        Event {
            subject: Some("Euro € 😀".into()),
            datacontenttype: Some("application/json".into()),
            extensions: vec![Attribute { name: "partitionkey".into(), value: "a%20b".into() }],
            ..plain("1")
        }
    }

    #[test]
    fn an_event_comes_back_from_its_properties() {
        let properties = properties(&sent()).unwrap();
        let headers = properties.headers().as_ref().unwrap();
        assert!(
            headers.contains_key("cloudEvents_specversion") && !headers.contains_key("cloudEvents_datacontenttype")
        );
        assert_eq!(headers.inner().get("cloudEvents_subject"), Some(&AMQPValue::LongString("Euro € 😀".into())));
        assert_eq!(properties.content_type().as_ref().map(ShortString::as_str), Some("application/json"));
        assert_eq!(event(&properties, b"data"), Some(sent()));
    }

    #[test]
    fn the_other_prefix_and_types_are_read_too() {
        let mut headers = FieldTable::default();
        for (name, value) in [("specversion", "1.0"), ("id", "1"), ("source", "/s"), ("type", "t")] {
            headers.insert(format!("cloudEvents:{name}").into(), AMQPValue::LongString(value.into()));
        }
        headers.insert("cloudEvents:sequence".into(), AMQPValue::LongLongInt(7));
        headers.insert("cloudEvents:urgent".into(), AMQPValue::Boolean(true));
        headers.insert("cloudEvents:time".into(), AMQPValue::Timestamp(1_700_000_000));
        headers.insert("x-death".into(), AMQPValue::Void);
        let event = event(&BasicProperties::default().with_headers(headers), b"").unwrap();
        let extensions: Vec<(&str, &str)> =
            event.extensions.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
        assert_eq!(extensions, [("sequence", "7"), ("urgent", "true")]);
        assert_eq!((event.time.as_deref(), event.data), (Some("2023-11-14T22:13:20Z"), None));
    }

    #[test]
    fn what_is_no_event_is_none_and_what_does_not_fit_is_refused() {
        assert_eq!(event(&BasicProperties::default(), b"data"), None);
        let long = Event { datacontenttype: Some("x".repeat(256)), ..sent() };
        assert!(matches!(properties(&long), Err(StoreError::TooLarge(_))));
    }
}
