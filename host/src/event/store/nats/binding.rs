//! Events as messages: the binary mode of CloudEvents' NATS binding, in headers.

use crate::event::addressed;
use crate::wasm::bindings::sluicegate::filter::types::{Attribute, Event};
use async_nats::HeaderMap;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What is written as `%` and two digits in a header: as in HTTP, all but U+0021 to U+007E, and `"` and `%`.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');
const PREFIX: &str = "ce-";
const VERSION: &str = "1.0";

/// The headers of an event; its data is the message's.
pub(super) fn headers(event: &Event) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name: &str, value: &str| {
        headers.insert(format!("{PREFIX}{name}"), utf8_percent_encode(value, ENCODED).to_string());
    };
    put("specversion", VERSION);
    for (name, value) in [("id", &event.id), ("source", &event.source), ("type", &event.type_)] {
        put(name, value);
    }
    let optional = [
        ("subject", &event.subject),
        ("time", &event.time),
        ("datacontenttype", &event.datacontenttype),
        ("dataschema", &event.dataschema),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            put(name, value);
        }
    }
    for Attribute { name, value } in &event.extensions {
        put(name, value);
    }
    headers
}

/// What the server knows a duplicate by: an event is its source and its id.
pub(super) fn message_id(event: &Event) -> String {
    // The length keeps apart what a plain join would not. What is put back is not what it was the first time.
    let mark = addressed::mark(event).unwrap_or_default();
    let joined = format!("{}:{}{}{mark}", event.source.len(), event.source, event.id);
    utf8_percent_encode(&joined, ENCODED).to_string()
}

/// The event of a message; none when it is not one.
pub(super) fn event(headers: &HeaderMap, data: &[u8]) -> Option<Event> {
    let mut event = Event {
        id: String::new(),
        source: String::new(),
        type_: String::new(),
        subject: None,
        time: None,
        datacontenttype: None,
        dataschema: None,
        extensions: Vec::new(),
        data: (!data.is_empty()).then(|| data.to_vec()),
    };
    let mut is_event = false;
    for (name, values) in headers.iter() {
        let name = AsRef::<str>::as_ref(name).to_ascii_lowercase();
        let Some(name) = name.strip_prefix(PREFIX) else { continue };
        let value = percent_decode_str(values.first()?.as_str()).decode_utf8().ok()?.into_owned();
        match name {
            "specversion" => is_event = value == VERSION,
            "id" => event.id = value,
            "source" => event.source = value,
            "type" => event.type_ = value,
            "subject" => event.subject = Some(value),
            "time" => event.time = Some(value),
            "datacontenttype" => event.datacontenttype = Some(value),
            "dataschema" => event.dataschema = Some(value),
            _ => event.extensions.push(Attribute { name: name.to_owned(), value }),
        }
    }
    // The order of headers is not kept, and that of extensions means nothing.
    event.extensions.sort_by(|one, other| one.name.cmp(&other.name));
    (is_event && crate::event::check::check(&event).is_ok()).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::harness::event as plain;

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
        let mut later = headers(&plain("1"));
        later.insert("ce-specversion", "2.0");
        assert_eq!(event(&later, b"data"), None);
    }

    #[test]
    fn duplicates_are_known_by_source_and_id_and_nothing_else() {
        let of = |source: &str, id: &str| message_id(&Event { source: source.into(), ..plain(id) });
        assert_eq!(of("/a", "1"), of("/a", "1"));
        assert_ne!(of("/a", "11"), of("/a1", "1"));
    }
}
