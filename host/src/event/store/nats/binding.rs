//! Events as messages: the binary mode of CloudEvents' NATS binding, in headers.

use crate::event::store::remote::attributes::{self, ENCODED};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use async_nats::HeaderMap;
use percent_encoding::{percent_decode_str, utf8_percent_encode};

const PREFIX: &str = "ce-";

/// The headers of an event; its data is the message's.
pub(super) fn headers(event: &Event) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in attributes::of(event) {
        headers.insert(format!("{PREFIX}{name}"), utf8_percent_encode(value, ENCODED).to_string());
    }
    headers
}

/// The event of a message; none when it is not one.
pub(super) fn event(headers: &HeaderMap, data: &[u8]) -> Option<Event> {
    let mut all = Vec::with_capacity(8);
    for (name, values) in headers.iter() {
        let name = AsRef::<str>::as_ref(name).to_ascii_lowercase();
        let Some(name) = name.strip_prefix(PREFIX) else { continue };
        let value = percent_decode_str(values.first()?.as_str()).decode_utf8().ok()?.into_owned();
        all.push((name.to_owned(), value));
    }
    attributes::event(all, data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::harness::event as plain;
    use crate::wasm::bindings::sluicegate::filter::types::Attribute;

    #[test]
    fn an_event_comes_back_from_its_headers() {
        let sent = Event {
            subject: Some("Euro € 😀".into()),
            datacontenttype: Some("application/json; charset=\"utf-8\"".into()),
            extensions: vec![Attribute { name: "partitionkey".into(), value: "a%20b".into() }],
            ..plain("1")
        };
        let headers = headers(&sent);
        let value = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
        assert_eq!(value("ce-subject").as_deref(), Some("Euro%20%E2%82%AC%20%F0%9F%98%80"));
        assert_eq!(value("ce-partitionkey").as_deref(), Some("a%2520b"));
        assert_eq!(value("ce-datacontenttype").as_deref(), Some("application/json;%20charset=%22utf-8%22"));
        assert_eq!(event(&headers, b"data"), Some(sent));
    }

    #[test]
    fn what_is_no_event_is_none() {
        assert_eq!(event(&HeaderMap::new(), b"data"), None);
        let mut nameless = headers(&plain("1"));
        nameless.insert("ce-id", "");
        assert_eq!(event(&nameless, b"data"), None);
    }
}
