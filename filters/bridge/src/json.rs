//! Events as JSON (CloudEvents JSON format 1.0.2). JSON data keeps the very bytes that it was written in.

use crate::attribute::{Invalid, check, set};
use crate::cloudevents::{for_each_attribute, is_unicode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use sluicegate_sdk::Event;
use std::collections::BTreeSet;

/// Members that are compared one by one, which is quicker than a tree and enough for most events.
const FEW: usize = 16;

/// The event that a JSON object is.
pub(crate) fn parse(body: &[u8]) -> Result<Event, Invalid> {
    let members: Members<'_> = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
    read(&members)
}

/// The events that a JSON array has; an invalid one is named by its place.
pub(crate) fn parse_batch(body: &[u8]) -> Result<Vec<Event>, (usize, Invalid)> {
    let batch: Vec<Members<'_>> = serde_json::from_slice(body).map_err(|error| (0, not_json(&error)))?;
    batch.iter().enumerate().map(|(index, members)| read(members).map_err(|invalid| (index, invalid))).collect()
}

/// An event as a JSON object.
pub(crate) fn write(event: &Event) -> Vec<u8> {
    // Only strings and JSON that has been parsed are written, neither of which can fail.
    serde_json::to_vec(&Document(event)).unwrap_or_default()
}

/// Whether data of this type is a JSON value.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// Whether data of this type is text that a JSON string can hold.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let text = essence.starts_with("text/") || essence.ends_with("/xml") || essence.ends_with("+xml");
    text && is_unicode(content_type)
}

fn not_json(error: &serde_json::Error) -> Invalid {
    Invalid::new("", format!("the body is not a JSON event: {error}"))
}

fn read(Members(members): &Members<'_>) -> Result<Event, Invalid> {
    let mut event = Event::new("", "", "");
    let (mut data, mut binary, mut versioned) = (None, None, false);
    for (name, raw) in members {
        match name.as_str() {
            "data" => data = Some(*raw),
            "data_base64" => binary = attribute(name, raw, false)?,
            _ => {
                let extensible = !matches!(
                    name.as_str(),
                    "specversion" | "id" | "source" | "type" | "subject" | "time" | "datacontenttype" | "dataschema"
                );
                let Some(value) = attribute(name, raw, extensible)? else { continue };
                versioned |= name == "specversion";
                set(&mut event, name, value)?;
            }
        }
    }
    if !versioned {
        return Err(Invalid::new("specversion", "it is required"));
    }
    event.data = match (data, binary) {
        (Some(_), Some(_)) => {
            return Err(Invalid::new("data", "there is data_base64 as well; only one of them is allowed"));
        }
        (None, None) => None,
        (None, Some(text)) => {
            let bytes = BASE64_STANDARD.decode(text.as_bytes());
            Some(bytes.map_err(|error| Invalid::new("data_base64", format!("it is not base64: {error}")))?)
        }
        (Some(raw), None) => Some(json_data(&mut event, raw)?),
    };
    check(&event)?;
    Ok(event)
}

/// The bytes of a `data` member. Without a content type it is JSON, which other modes have to be told.
fn json_data(event: &mut Event, raw: &RawValue) -> Result<Vec<u8>, Invalid> {
    let content_type = event.datacontenttype.get_or_insert_with(|| "application/json".to_owned());
    if is_json(content_type) {
        return Ok(raw.get().as_bytes().to_vec());
    }
    match serde_json::from_str(raw.get()) {
        Ok(Value::String(text)) => Ok(text.into_bytes()),
        _ => Err(Invalid::new("data", format!("data of type {content_type} has to be a JSON string"))),
    }
}

/// The canonical string of an attribute; none when it is `null`, which means unset.
fn attribute(name: &str, raw: &RawValue, extensible: bool) -> Result<Option<String>, Invalid> {
    let value: Value = serde_json::from_str(raw.get()).map_err(|error| Invalid::new(name, error.to_string()))?;
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(value) if extensible => Ok(Some(value.to_string())),
        Value::Number(number) if extensible && number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => {
            Ok(Some(number.to_string()))
        }
        _ => {
            let expected = if extensible { "a string, a boolean or an integer of 32 bits" } else { "a string" };
            Err(Invalid::new(name, format!("it is {}; expected {expected}", raw.get())))
        }
    }
}

/// The members of an object as they were written, none of them twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &RawValue)> = Vec::new();
                // Of many, so that an object does not take the square of its length.
                let mut names: BTreeSet<String> = BTreeSet::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.len() == FEW {
                        names.extend(members.iter().map(|(known, _)| known.clone()));
                    }
                    let is_known = match members.len() {
                        0..FEW => members.iter().any(|(known, _)| *known == name),
                        _ => !names.insert(name.clone()),
                    };
                    if is_known {
                        return Err(serde::de::Error::custom(format_args!("{name:?} is there twice")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

struct Document<'a>(&'a Event);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        let mut result = Ok(());
        for_each_attribute(event, |name, value| {
            if result.is_ok() {
                result = map.serialize_entry(name, value);
            }
        });
        result?;
        let content_type = event.datacontenttype.as_deref();
        if let Some(content_type) = content_type {
            map.serialize_entry("datacontenttype", content_type)?;
        }
        if let Some(data) = &event.data {
            // Without a content type `data` would be taken for JSON, which nobody said it is.
            let json =
                content_type.filter(|name| is_json(name)).and_then(|_| serde_json::from_slice::<&RawValue>(data).ok());
            let text = content_type.filter(|name| is_text(name)).and_then(|_| std::str::from_utf8(data).ok());
            match (json, text) {
                (Some(json), _) => map.serialize_entry("data", json)?,
                (_, Some(text)) => map.serialize_entry("data", text)?,
                _ => map.serialize_entry("data_base64", &BASE64_STANDARD.encode(data))?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
