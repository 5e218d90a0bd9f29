//! Events in HTTP messages (CloudEvents HTTP binding 1.0.2): which mode a message is in, and its event.

use crate::attribute::{Invalid, check, set};
use crate::{header, json};
use sluicegate_sdk::{Event, FieldLines, Header};
use std::borrow::Cow;

/// What the names of attributes begin with as headers.
const PREFIX: &str = "ce-";

/// How a message carries events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Several events as a JSON array.
    Batch,
    /// One event as a JSON object.
    Structured,
    /// One event: attributes in headers, data in the body.
    Binary,
    /// A format of events that is not understood; its media type.
    Unknown(String),
    /// No event.
    Plain,
}

impl Mode {
    /// The mode of a message with these headers.
    pub(crate) fn of(headers: &FieldLines) -> Result<Self, Invalid> {
        let content_type = content_type(headers)?.unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !essence.starts_with("application/cloudevents") {
            let binary = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("ce-specversion"));
            return Ok(if binary { Self::Binary } else { Self::Plain });
        }
        if !is_unicode(content_type) {
            return Ok(Self::Unknown(content_type.to_owned()));
        }
        // The batch type begins with the other's name, so both are compared as a whole.
        Ok(match essence.as_str() {
            "application/cloudevents-batch+json" => Self::Batch,
            "application/cloudevents+json" => Self::Structured,
            _ => Self::Unknown(essence),
        })
    }
}

/// The event of a message in binary mode.
pub(crate) fn parse_binary(headers: &FieldLines, body: &[u8]) -> Result<Event, Invalid> {
    let mut event = Event::new("", "", "");
    let mut seen: Vec<Cow<'_, str>> = Vec::with_capacity(8);
    for (name, value) in headers.iter() {
        let Some(attribute) = attribute_of(name) else { continue };
        if attribute == "datacontenttype" {
            return Err(Invalid::new(
                &*attribute,
                "in binary mode it is the Content-Type header, and ce-datacontenttype is not allowed",
            ));
        }
        if seen.contains(&attribute) {
            return Err(Invalid::new(&*attribute, format!("header ce-{attribute} is there more than once")));
        }
        let value = header::decode(value).map_err(|reason| Invalid::new(&*attribute, reason))?;
        set(&mut event, &attribute, value)?;
        seen.push(attribute);
    }
    event.datacontenttype = content_type(headers)?.map(str::to_owned);
    event.data = (!body.is_empty()).then(|| body.to_vec());
    check(&event)?;
    Ok(event)
}

/// The attribute that a header is, in lower case, as the host has names already.
fn attribute_of(name: &str) -> Option<Cow<'_, str>> {
    let (prefix, attribute) = name.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then(|| {
        if attribute.bytes().any(|byte| byte.is_ascii_uppercase()) {
            attribute.to_ascii_lowercase().into()
        } else {
            attribute.into()
        }
    })
}

/// The event of a message that carries one, in either mode; none when it carries none.
pub(crate) fn parse_one(headers: &FieldLines, body: &[u8]) -> Result<Option<Event>, Invalid> {
    match Mode::of(headers)? {
        Mode::Binary => parse_binary(headers, body).map(Some),
        Mode::Structured => json::parse(body).map(Some),
        Mode::Plain => Ok(None),
        Mode::Batch => Err(Invalid::new("", "a batch was not asked for")),
        Mode::Unknown(format) => Err(Invalid::new("", format!("the format {format} is not understood"))),
    }
}

/// An event as the headers and the body of a message in binary mode.
pub(crate) fn write_binary(event: &Event) -> (Vec<Header>, Vec<u8>) {
    let mut headers = Vec::with_capacity(8 + event.extensions.len());
    let mut add = |name: &str, value: &str| {
        headers.push(Header { name: format!("{PREFIX}{name}"), value: header::encode(value).into_bytes() });
    };
    add("specversion", "1.0");
    for_each_attribute(event, &mut add);
    if let Some(value) = &event.datacontenttype {
        headers.push(Header { name: "content-type".into(), value: value.as_bytes().to_vec() });
    }
    (headers, event.data.clone().unwrap_or_default())
}

/// An event as the headers and the body of a message in structured mode.
pub(crate) fn write_structured(event: &Event) -> (Vec<Header>, Vec<u8>) {
    let value = b"application/cloudevents+json; charset=utf-8".to_vec();
    (vec![Header { name: "content-type".into(), value }], json::write(event))
}

/// All attributes but `specversion` and `datacontenttype`, which modes differ in.
pub(crate) fn for_each_attribute(event: &Event, mut take: impl FnMut(&str, &str)) {
    take("id", &event.id);
    take("source", &event.source);
    take("type", &event.type_);
    for (name, value) in [("subject", &event.subject), ("time", &event.time), ("dataschema", &event.dataschema)] {
        if let Some(value) = value {
            take(name, value);
        }
    }
    for extension in &event.extensions {
        take(&extension.name, &extension.value);
    }
}

/// The one `Content-Type` of a message.
pub(crate) fn content_type(headers: &FieldLines) -> Result<Option<&str>, Invalid> {
    let mut values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let Some((_, first)) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Invalid::new("datacontenttype", "the Content-Type header is there more than once"));
    }
    match std::str::from_utf8(first) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(Invalid::new("datacontenttype", "the Content-Type header is not text")),
    }
}

/// Whether text of a media type is UTF-8, as far as it says.
pub(crate) fn is_unicode(content_type: &str) -> bool {
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    charset.is_none_or(|(_, value)| {
        let value = value.trim().trim_matches('"');
        value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("us-ascii")
    })
}

#[cfg(test)]
#[path = "cloudevents_tests.rs"]
mod tests;
