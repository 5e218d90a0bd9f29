//! An event's attributes, made and read by name.

use crate::wasm::bindings::sluicegate::filter::types::Event;

impl Event {
    /// An event with the attributes that every event has, and nothing else.
    pub fn new(id: impl Into<String>, source: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            type_: kind.into(),
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: Vec::new(),
            data: None,
        }
    }

    /// The value of an attribute, `specversion` and extensions among them; none when it is not set.
    pub fn value_of(&self, name: &str) -> Option<&str> {
        match name {
            "specversion" => Some("1.0"),
            "id" => Some(&self.id),
            "source" => Some(&self.source),
            "type" => Some(&self.type_),
            "subject" => self.subject.as_deref(),
            "time" => self.time.as_deref(),
            "datacontenttype" => self.datacontenttype.as_deref(),
            "dataschema" => self.dataschema.as_deref(),
            _ => self.extensions.iter().find(|entry| entry.name == name).map(|entry| entry.value.as_str()),
        }
    }
}
