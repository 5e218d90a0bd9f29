//! What the attributes of an event may be (CloudEvents 1.0.2, section 3).

use sluicegate_sdk::{Attribute, Event};

/// An event, or part of one, that is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// The attribute, `data`, or where there is none to name, nothing.
    pub(crate) attribute: String,
    /// What was found and what was expected.
    pub(crate) reason: String,
}

impl Invalid {
    pub(crate) fn new(attribute: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { attribute: attribute.into(), reason: reason.into() }
    }
}

/// What an extension may not be called, since it would be taken for something else.
const RESERVED: [&str; 9] =
    ["id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time", "data"];

/// Sets an attribute of an event that is being read. The value is checked later, by [`check`].
pub(crate) fn set(event: &mut Event, name: &str, value: String) -> Result<(), Invalid> {
    match name {
        "specversion" if value == "1.0" => {}
        "specversion" => return Err(Invalid::new(name, format!("it is {value:?}; only \"1.0\" is understood"))),
        "id" => event.id = value,
        "source" => event.source = value,
        "type" => event.type_ = value,
        "subject" => event.subject = Some(value),
        "time" => event.time = Some(value),
        "datacontenttype" => event.datacontenttype = Some(value),
        "dataschema" => event.dataschema = Some(value),
        _ => event.extensions.push(Attribute { name: extension(name)?.to_owned(), value }),
    }
    Ok(())
}

/// The value of an attribute as text; none when it is not set.
pub(crate) fn get<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    match name {
        "specversion" => Some("1.0"),
        "id" => Some(&event.id),
        "source" => Some(&event.source),
        "type" => Some(&event.type_),
        "subject" => event.subject.as_deref(),
        "time" => event.time.as_deref(),
        "datacontenttype" => event.datacontenttype.as_deref(),
        "dataschema" => event.dataschema.as_deref(),
        _ => event.extensions.iter().find(|entry| entry.name == name).map(|entry| entry.value.as_str()),
    }
}

fn extension(name: &str) -> Result<&str, Invalid> {
    if is_extension(name) {
        return Ok(name);
    }
    let reason = "it is not a name that an extension may have: only a-z and 0-9, and not \"data\"";
    Err(Invalid::new(name, reason))
}

/// Whether an extension may be called so.
pub(crate) fn is_extension(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    !name.is_empty() && letters && !RESERVED.contains(&name)
}

/// Checks all attributes of an event.
pub(crate) fn check(event: &Event) -> Result<(), Invalid> {
    let required = [("id", &event.id), ("source", &event.source), ("type", &event.type_)];
    for (name, value) in required {
        check_text(name, value)?;
        expect(name, value, !value.is_empty(), "it is required, and may not be empty")?;
    }
    expect("source", &event.source, is_uri_reference(&event.source), "expected a URI reference")?;
    let optional = [
        ("subject", &event.subject, (|value| !value.is_empty()) as fn(&str) -> bool, "it may not be empty"),
        ("time", &event.time, is_timestamp, "expected an RFC 3339 timestamp such as 2026-01-31T18:30:00Z"),
        ("datacontenttype", &event.datacontenttype, is_media_type, "expected a media type such as application/json"),
        ("dataschema", &event.dataschema, is_absolute_uri, "expected an absolute URI"),
    ];
    for (name, value, rule, expected) in optional {
        if let Some(value) = value {
            check_text(name, value)?;
            expect(name, value, rule(value), expected)?;
        }
    }
    event.extensions.iter().try_for_each(|Attribute { name, value }| check_text(name, value))
}

fn expect(name: &str, value: &str, holds: bool, expected: &str) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid::new(name, format!("it is {value:?}; {expected}"))) }
}

/// Neither control characters nor code points that are no characters (section 3.1, String).
fn check_text(name: &str, value: &str) -> Result<(), Invalid> {
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    let forbidden = |character: char| {
        let code = u32::from(character);
        character.is_control() || code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
    };
    match value.chars().find(|&character| forbidden(character)) {
        Some(character) => {
            Err(Invalid::new(name, format!("it has the forbidden character U+{:04X}", u32::from(character))))
        }
        None => Ok(()),
    }
}

/// Only characters that RFC 3986 has, and whole percent-encodings.
fn is_uri_reference(value: &str) -> bool {
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let fits = match byte {
            b'%' => {
                [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
            }
            byte => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
        };
        if !fits {
            return false;
        }
    }
    value.matches('#').count() <= 1
}

fn is_absolute_uri(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once(':') else { return false };
    let letters = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    letters
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && !rest.is_empty()
        && is_uri_reference(value)
}

/// `type/subtype` with parameters (RFC 9110, section 8.3.1).
pub(crate) fn is_media_type(value: &str) -> bool {
    if let Some((kind, subtype)) = value.split_once('/').filter(|_| !value.contains(';')) {
        return is_token(kind) && is_token(subtype.trim_end());
    }
    let mut parts = split_parameters(value).into_iter();
    let essence = parts.next().unwrap_or_default();
    let Some((kind, subtype)) = essence.trim_end().split_once('/') else { return false };
    is_token(kind) && is_token(subtype) && parts.all(is_parameter)
}

/// Cuts at the semicolons that are not quoted.
fn split_parameters(value: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let outside = |character: char| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' => return !quoted,
            _ => {}
        }
        false
    };
    value.split(outside).collect()
}

fn is_parameter(parameter: &str) -> bool {
    let Some((name, value)) = parameter.trim_matches([' ', '\t']).split_once('=') else { return false };
    let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    is_token(name) && (is_token(value) || (quoted && value.is_ascii()))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// `2026-01-31T18:30:00.123+01:00` with seconds and offset (RFC 3339, section 5.6).
fn is_timestamp(value: &str) -> bool {
    let Some((date, time)) = value.split_once(['T', 't']) else { return false };
    let [Some(year), Some(month), Some(day)] = numbers(date, '-', [4, 2, 2]) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let Some(end) = time.find(['Z', 'z', '+', '-']) else { return false };
    let (clock, offset) = time.split_at(end);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [Some(hour), Some(minute), Some(second)] = numbers(clock, ':', [2, 2, 2]) else { return false };
    let fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    (1..=days).contains(&day) && hour < 24 && minute < 60 && second <= 60 && fraction && is_offset(offset)
}

fn is_offset(offset: &str) -> bool {
    if let Some(offset) = offset.strip_prefix(['+', '-']) {
        return matches!(numbers(offset, ':', [2, 2]), [Some(0..24), Some(0..60)]);
    }
    matches!(offset, "Z" | "z")
}

/// Numbers of exactly these lengths, with this between them; all are none when there are more.
fn numbers<const N: usize>(text: &str, between: char, lengths: [usize; N]) -> [Option<u32>; N] {
    let parts: Vec<&str> = text.split(between).collect();
    let mut index = 0;
    lengths.map(|length| {
        let part = parts.get(index).filter(|part| parts.len() == N && part.len() == length);
        index += 1;
        part.filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
    })
}

#[cfg(test)]
#[path = "attribute_tests.rs"]
mod tests;
