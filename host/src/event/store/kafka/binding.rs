//! Events as messages: the binary mode of CloudEvents' Kafka binding, in headers.

use crate::event::store::remote::attributes::{self, CONTENT_TYPE, KEY};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use rdkafka::message::{Header, Headers, OwnedHeaders};

const PREFIX: &str = "ce_";
/// Of the message, which has the event's.
const TYPE_OF_CONTENT: &str = "content-type";

/// The headers of an event; its data is the message's value, and no data is no value.
pub(super) fn headers(event: &Event) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new();
    for (name, value) in attributes::of(event) {
        let name = if name == CONTENT_TYPE { TYPE_OF_CONTENT } else { &format!("{PREFIX}{name}") };
        headers = headers.insert(Header { key: name, value: Some(value) });
    }
    headers
}

/// What has events go to one partition: what subscriptions order them by.
pub(super) fn key(event: &Event) -> Option<&str> {
    let extension = event.extensions.iter().find(|extension| extension.name == KEY);
    extension.map(|extension| extension.value.as_str()).or(event.subject.as_deref())
}

/// The event of a message; none when it is not one.
pub(super) fn event(headers: &impl Headers, data: &[u8]) -> Option<Event> {
    let mut all = Vec::with_capacity(8);
    for header in headers.iter() {
        let name = header.key.to_ascii_lowercase();
        let name = if name == TYPE_OF_CONTENT { Some(CONTENT_TYPE) } else { name.strip_prefix(PREFIX) };
        if let Some(name) = name {
            all.push((name.to_owned(), String::from_utf8(header.value?.to_vec()).ok()?));
        }
    }
    attributes::event(all, data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::harness::event as plain;
    use crate::wasm::bindings::sluicegate::filter::types::Attribute;

    #[test]
    fn an_event_comes_back_from_its_headers_and_has_the_key_that_it_is_ordered_by() {
        let mut sent =
            Event {
                subject: Some("Euro € 😀".into()), datacontenttype: Some("application/json".into()), ..plain("1")
            };
        assert_eq!((key(&sent), key(&plain("1"))), (Some("Euro € 😀"), None));
        sent.extensions.push(Attribute { name: "partitionkey".into(), value: "a%20b".into() });
        assert_eq!(key(&sent), Some("a%20b"));
        let headers = headers(&sent);
        let value = |name: &str| headers.iter().find(|header| header.key == name).and_then(|header| header.value);
        assert_eq!(value("ce_subject"), Some("Euro € 😀".as_bytes()));
        assert_eq!((value("content-type"), value("ce_datacontenttype")), (Some(&b"application/json"[..]), None));
        assert_eq!(event(&headers, b"data"), Some(sent));
        assert_eq!(event(&OwnedHeaders::new(), b"data"), None);
    }
}
