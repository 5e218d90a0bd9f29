//! Events as entries of a stream: a field for each attribute, by its name, and one for the data. `data` is no attribute's
//! name (CloudEvents, 3), so that they are apart.

use crate::event::store::remote::attributes;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use redis::{FromRedisValue, ParsingError, Value};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

const DATA: &str = "data";

/// Where an entry is in its stream: the milliseconds since 1970 when it came, and its number among those of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::event::store) struct Id {
    pub(super) milliseconds: u64,
    pub(super) number: u64,
}

impl Id {
    /// When it came.
    pub(super) fn since(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.milliseconds)
    }
}

impl FromStr for Id {
    type Err = ParsingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('-').and_then(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?)));
        let (milliseconds, number) = parts.ok_or_else(|| ParsingError::from("an entry has no number"))?;
        Ok(Self { milliseconds, number })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.milliseconds, self.number)
    }
}

/// An entry as the server gives it: without fields once it is removed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: Id,
    pub(super) fields: Option<Fields>,
}

/// Names and values.
type Fields = Vec<(String, Vec<u8>)>;

impl FromRedisValue for Entry {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (id, fields): (String, Option<Fields>) = FromRedisValue::from_redis_value(value)?;
        Ok(Self { id: id.parse()?, fields })
    }
}

/// The fields of an event.
pub(super) fn fields(event: &Event) -> Vec<(&str, &[u8])> {
    let mut fields: Vec<(&str, &[u8])> = attributes::of(event).map(|(name, value)| (name, value.as_bytes())).collect();
    fields.extend(event.data.as_deref().map(|data| (DATA, data)));
    fields
}

/// The event of an entry; none when it is not one.
pub(super) fn event(fields: Fields) -> Option<Event> {
    let (mut data, mut all) = (Vec::new(), Vec::with_capacity(fields.len()));
    for (name, value) in fields {
        if name == DATA {
            data = value;
        } else {
            all.push((name, String::from_utf8(value).ok()?));
        }
    }
    attributes::event(all, &data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::harness::event as plain;

    #[test]
    fn an_event_comes_back_from_its_fields() {
        let sent = Event { subject: Some("Euro € 😀".into()), data: Some(vec![0, 159, 146]), ..plain("1") };
        let fields: Fields =
            fields(&sent).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(event(fields.clone()), Some(sent));
        assert_eq!(event(fields[1..].to_vec()), None, "without a version");
    }

    #[test]
    fn entries_are_read_with_fields_and_without() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let entry = |fields| Entry::from_redis_value(Value::Array(vec![text("1700000000000-3"), fields]));
        let id = Id { milliseconds: 1_700_000_000_000, number: 3 };
        assert_eq!(entry(Value::Nil).unwrap(), Entry { id, fields: None });
        let fields = Value::Array(vec![text("id"), text("1")]);
        assert_eq!(entry(fields).unwrap().fields, Some(vec![("id".into(), b"1".to_vec())]));
        assert_eq!(id.to_string(), "1700000000000-3");
        assert!(Entry::from_redis_value(Value::Array(vec![text("7"), Value::Nil])).is_err());
    }
}
