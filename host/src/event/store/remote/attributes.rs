//! Events as names and values, which is what every binding of CloudEvents writes and reads.

use crate::event::addressed;
use crate::wasm::bindings::sluicegate::filter::types::{Attribute, Event};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What is written as `%` and two digits where only plain characters may stand: as in HTTP, all but U+0021 to U+007E, and
/// `"` and `%`.
pub(in crate::event::store) const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');
const VERSION: &str = "1.0";
/// The one attribute that most bindings put where the protocol has a place for it.
pub(in crate::event::store) const CONTENT_TYPE: &str = "datacontenttype";
/// By which events go together.
#[cfg(feature = "kafka")]
pub(in crate::event::store) const KEY: &str = "partitionkey";

/// The attributes of an event that it has, `specversion` first.
pub(in crate::event::store) fn of(event: &Event) -> impl Iterator<Item = (&str, &str)> {
    let required = [("specversion", VERSION), ("id", &event.id), ("source", &event.source), ("type", &event.type_)];
    let optional = [
        ("subject", &event.subject),
        ("time", &event.time),
        (CONTENT_TYPE, &event.datacontenttype),
        ("dataschema", &event.dataschema),
    ];
    let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let extensions = event.extensions.iter().map(|Attribute { name, value }| (name.as_str(), value.as_str()));
    required.into_iter().chain(optional).chain(extensions)
}

/// The event of these attributes, in whichever order; none when it is not one. No data and empty data are the same to
/// servers, and are none.
pub(in crate::event::store) fn event(
    attributes: impl IntoIterator<Item = (String, String)>,
    data: &[u8],
) -> Option<Event> {
    let mut event = Event::new("", "", "");
    event.data = (!data.is_empty()).then(|| data.to_vec());
    let mut is_event = false;
    for (name, value) in attributes {
        match name.as_str() {
            "specversion" => is_event = value == VERSION,
            "id" => event.id = value,
            "source" => event.source = value,
            "type" => event.type_ = value,
            "subject" => event.subject = Some(value),
            "time" => event.time = Some(value),
            CONTENT_TYPE => event.datacontenttype = Some(value),
            "dataschema" => event.dataschema = Some(value),
            _ => event.extensions.push(Attribute { name, value }),
        }
    }
    // Servers need not keep the order, and that of extensions means nothing.
    event.extensions.sort_by(|one, other| one.name.cmp(&other.name));
    (is_event && crate::event::check::check(&event).is_ok()).then_some(event)
}

/// What a duplicate is known by: an event is its source and its id. Plain characters.
pub(in crate::event::store) fn identity(event: &Event) -> String {
    // The length keeps apart what a plain join would not.
    // What is put back is not what it was the first time.
    let mark = addressed::mark(event).unwrap_or_default();
    let joined = format!("{}:{}{}{mark}", event.source.len(), event.source, event.id);
    utf8_percent_encode(&joined, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::harness::event as plain;

    fn owned(event: &Event) -> Vec<(String, String)> {
        of(event).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn an_event_comes_back_from_its_attributes_in_any_order() {
        let extension = |name: &str| Attribute { name: name.into(), value: "a%20b".into() };
        let sent = Event {
            subject: Some("Euro € 😀".into()),
            dataschema: Some("https://example.test/schema".into()),
            extensions: vec![extension("another"), extension("partitionkey")],
            ..plain("1")
        };
        let mut attributes = owned(&sent);
        assert_eq!(attributes[0], ("specversion".into(), "1.0".into()));
        attributes.reverse();
        assert_eq!(event(attributes, b"data"), Some(sent));
    }

    #[test]
    fn what_is_no_event_is_none() {
        assert_eq!(event(Vec::new(), b"data"), None);
        let with = |name: &str, value: &str| {
            let mut attributes = owned(&plain("1"));
            attributes.retain(|(known, _)| known != name);
            attributes.push((name.into(), value.into()));
            event(attributes, b"data")
        };
        assert_eq!((with("id", ""), with("specversion", "2.0")), (None, None));
        assert!(with("id", "1").is_some());
    }

    #[test]
    fn duplicates_are_known_by_source_and_id_and_nothing_else() {
        let of = |source: &str, id: &str| identity(&Event { source: source.into(), ..plain(id) });
        assert_eq!(of("/a", "1"), of("/a", "1"));
        assert_ne!(of("/a", "11"), of("/a1", "1"));
    }
}
