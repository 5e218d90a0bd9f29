//! Events as JSON objects (CloudEvents JSON format 1.0.2), for whoever is not a filter: operators, browsers, dead letters.

use super::check::check;
use crate::wasm::bindings::sluicegate::filter::types::{Attribute, Event};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// An event that is written as a JSON object, its data as JSON or text where it says that it is.
#[derive(Debug, Clone, Copy)]
pub struct Readable<'a>(pub &'a Event);

/// An event that is written as a JSON object whose data comes back byte for byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exact<'a>(pub(super) &'a Event);

/// Data as a member of the object.
enum Data<'a> {
    Json(&'a RawValue),
    Text(&'a str),
    Binary(&'a [u8]),
}

impl<'a> Data<'a> {
    fn of(event: &'a Event) -> Option<Self> {
        let bytes = event.data.as_deref()?;
        let essence = event.datacontenttype.as_deref().map(essence);
        let text = std::str::from_utf8(bytes).ok();
        let readable = match (essence, text) {
            // Without a type the member says that it is JSON, which it need not be.
            (Some(essence), Some(text)) if is_json(&essence) => serde_json::from_str(text).ok().map(Data::Json),
            (Some(essence), Some(text)) if is_text(&essence) => Some(Data::Text(text)),
            _ => None,
        };
        Some(readable.unwrap_or(Data::Binary(bytes)))
    }
}

impl Serialize for Readable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self.0, Data::of(self.0).as_ref(), serializer)
    }
}

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self.0, self.0.data.as_deref().map(Data::Binary).as_ref(), serializer)
    }
}

fn write<S: Serializer>(event: &Event, data: Option<&Data<'_>>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("specversion", "1.0")?;
    for (name, value) in [("id", &event.id), ("source", &event.source), ("type", &event.type_)] {
        map.serialize_entry(name, value)?;
    }
    let optional = [
        ("subject", &event.subject),
        ("time", &event.time),
        ("datacontenttype", &event.datacontenttype),
        ("dataschema", &event.dataschema),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            map.serialize_entry(name, value)?;
        }
    }
    for Attribute { name, value } in &event.extensions {
        map.serialize_entry(name, value)?;
    }
    match data {
        None => {}
        Some(Data::Json(raw)) => map.serialize_entry("data", raw)?,
        Some(Data::Text(text)) => map.serialize_entry("data", text)?,
        Some(Data::Binary(bytes)) => map.serialize_entry("data_base64", &BASE64_STANDARD.encode(bytes))?,
    }
    map.end()
}

/// The event that a JSON object is.
///
/// # Errors
/// With what is wrong with it, for people.
pub fn parse(text: &[u8]) -> Result<Event, String> {
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_slice(text).map_err(|error| format!("it is no JSON object: {error}"))?;
    let mut attributes = Map::new();
    for (name, raw) in &members {
        if name != "data" {
            attributes.insert(name.clone(), serde_json::from_str(raw.get()).map_err(|error| error.to_string())?);
        }
    }
    match attributes.remove("specversion") {
        Some(Value::String(version)) if version == "1.0" => {}
        _ => return Err("its `specversion` has to be \"1.0\"".to_owned()),
    }
    let binary = text_of(&mut attributes, "data_base64")?;
    let mut event = Event {
        id: text_of(&mut attributes, "id")?.unwrap_or_default(),
        source: text_of(&mut attributes, "source")?.unwrap_or_default(),
        type_: text_of(&mut attributes, "type")?.unwrap_or_default(),
        subject: text_of(&mut attributes, "subject")?,
        time: text_of(&mut attributes, "time")?,
        datacontenttype: text_of(&mut attributes, "datacontenttype")?,
        dataschema: text_of(&mut attributes, "dataschema")?,
        extensions: Vec::new(),
        data: None,
    };
    event.extensions = extensions(attributes)?;
    event.data = match (members.get("data"), binary) {
        (Some(_), Some(_)) => return Err("it has both `data` and `data_base64`".to_owned()),
        (None, None) => None,
        (None, Some(text)) => Some(BASE64_STANDARD.decode(text).map_err(|error| format!("`data_base64`: {error}"))?),
        (Some(raw), None) => Some(data(&mut event, raw)?),
    };
    check(&event)?;
    Ok(event)
}

/// The bytes of a `data` member. Without a content type it is JSON, which the event then says.
fn data(event: &mut Event, raw: &RawValue) -> Result<Vec<u8>, String> {
    let content_type = event.datacontenttype.get_or_insert_with(|| "application/json".to_owned());
    if is_json(&essence(content_type)) {
        return Ok(raw.get().as_bytes().to_vec());
    }
    let text: Result<String, _> = serde_json::from_str(raw.get());
    text.map(String::into_bytes).map_err(|_| format!("`data` of type {content_type} has to be a string"))
}

fn text_of(attributes: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match attributes.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("its `{name}` is {other}; expected a string")),
    }
}

fn extensions(attributes: Map<String, Value>) -> Result<Vec<Attribute>, String> {
    let mut extensions = Vec::with_capacity(attributes.len());
    for (name, value) in attributes {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Bool(value) => value.to_string(),
            Value::Number(number) if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => {
                number.to_string()
            }
            other => return Err(format!("its `{name}` is {other}; expected a string, a boolean or an integer")),
        };
        extensions.push(Attribute { name, value });
    }
    Ok(extensions)
}

/// A media type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(essence: &str) -> bool {
    essence.ends_with("/json") || essence.ends_with("+json")
}

fn is_text(essence: &str) -> bool {
    essence.starts_with("text/") || essence.ends_with("/xml") || essence.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::super::tests::harness::event;
    use super::*;

    fn with(content_type: Option<&str>, data: &[u8]) -> Event {
        let extensions = vec![Attribute { name: "region".into(), value: "eu".into() }];
        let datacontenttype = content_type.map(str::to_owned);
        Event { datacontenttype, extensions, data: Some(data.to_vec()), ..event("1") }
    }

    fn same(one: &Event, other: &Event) -> bool {
        format!("{one:?}") == format!("{other:?}")
    }

    #[test]
    fn every_event_comes_back_byte_for_byte() {
        let datas: [(Option<&str>, &[u8]); 6] = [
            (None, b"{}"),
            (Some("application/json"), b"{ \"spaced\" :  1.0 }"),
            (Some("application/json"), b"not JSON"),
            (Some("text/plain"), "Gr\u{fc}\u{df}e".as_bytes()),
            (Some("text/plain"), b"\xff\xfe"),
            (Some("application/octet-stream"), b"\0\x01"),
        ];
        for (content_type, bytes) in datas {
            let event = with(content_type, bytes);
            for text in [serde_json::to_vec(&Readable(&event)), serde_json::to_vec(&Exact(&event))] {
                assert!(same(&parse(&text.unwrap()).unwrap(), &event), "{content_type:?}");
            }
        }
        let empty = Event { data: None, ..event("1") };
        assert!(same(&parse(&serde_json::to_vec(&Exact(&empty)).unwrap()).unwrap(), &empty));
    }

    #[test]
    fn what_can_be_read_is_written_so() {
        let written = |event: &Event| serde_json::to_value(Readable(event)).unwrap();
        assert_eq!(written(&with(Some("application/json"), b"{\"a\":1}"))["data"]["a"], 1);
        assert_eq!(written(&with(Some("text/plain; charset=utf-8"), b"hi"))["data"], "hi");
        assert_eq!(written(&with(None, b"hi"))["data_base64"], "aGk=");
    }

    #[test]
    fn what_is_no_event_is_refused_with_the_reason() {
        for (text, reason) in [
            ("[]", "no JSON object"),
            ("{}", "specversion"),
            (r#"{"specversion":"1.0","id":1,"source":"/","type":"t"}"#, "`id` is 1"),
            (r#"{"specversion":"1.0","id":"1","source":"/"}"#, "\"type\" is empty"),
            (r#"{"specversion":"1.0","id":"1","source":"/","type":"t","data":1,"data_base64":""}"#, "both"),
            (r#"{"specversion":"1.0","id":"1","source":"/","type":"t","data_base64":"!"}"#, "data_base64"),
            (r#"{"specversion":"1.0","id":"1","source":"/","type":"t","myExt":"a"}"#, "myExt"),
            (
                r#"{"specversion":"1.0","id":"1","source":"/","type":"t","datacontenttype":"text/plain","data":1}"#,
                "string",
            ),
        ] {
            let refused = parse(text.as_bytes()).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
        let read = parse(br#"{"specversion":"1.0","id":"1","source":"/","type":"t","count":3,"data":[1]}"#).unwrap();
        assert_eq!((read.extensions[0].value.as_str(), read.data.as_deref()), ("3", Some(b"[1]".as_slice())));
        assert_eq!(read.datacontenttype.as_deref(), Some("application/json"));
    }
}
