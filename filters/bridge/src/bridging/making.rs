//! The attributes that a bridge gives to an event.

use super::template::Selector;
use super::template::{Template, Values, found};
use crate::{attribute, hops};
use serde_json::Value;
use sluicegate_sdk::Event;

/// The extension that says which events belong together (CloudEvents, partitioning extension).
const KEY: &str = "partitionkey";

/// Templates of attributes; those that are not given stay what they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Making {
    pub(crate) kind: Option<Template>,
    pub(crate) source: Option<Template>,
    pub(crate) subject: Option<Template>,
    pub(crate) key: Option<Template>,
    pub(crate) extensions: Vec<(String, Template)>,
}

impl Making {
    /// Sets the attributes of an event. An optional one whose value is not there is left as it is; for the others the
    /// name is the error.
    pub(crate) fn apply(&self, event: &mut Event, values: &impl Values) -> Result<(), &'static str> {
        let fill = |template: Option<&Template>| template.and_then(|template| template.fill(values));
        if let Some(template) = &self.kind {
            event.type_ = template.fill(values).ok_or("type")?;
        }
        if let Some(template) = &self.source {
            event.source = template.fill(values).ok_or("source")?;
        }
        if let Some(subject) = fill(self.subject.as_ref()).filter(|subject| !subject.is_empty()) {
            event.subject = Some(subject);
        }
        let key = self.key.iter().map(|template| (KEY, template));
        let extensions = self.extensions.iter().map(|(name, template)| (name.as_str(), template));
        for (name, template) in key.chain(extensions) {
            if let Some(value) = fill(Some(template)) {
                hops::set(event, name, value);
            }
        }
        Ok(())
    }

    /// Whether a value is taken from the data.
    pub(crate) fn reads_data(&self) -> bool {
        let single = [&self.kind, &self.source, &self.subject, &self.key].into_iter().flatten();
        single.chain(self.extensions.iter().map(|(_, template)| template)).any(Template::reads_data)
    }
}

/// The values of an event.
pub(crate) struct EventValues<'a> {
    event: &'a Event,
    data: Option<Value>,
}

impl<'a> EventValues<'a> {
    /// The data is parsed only where a template reads it.
    pub(crate) fn new(event: &'a Event, reads_data: bool) -> Self {
        let data = event.data.as_ref().filter(|_| reads_data);
        Self { event, data: data.and_then(|data| serde_json::from_slice(data).ok()) }
    }
}

impl Values for EventValues<'_> {
    fn value(&self, selector: &Selector) -> Option<String> {
        match selector {
            Selector::Attribute(name) => attribute::get(self.event, name).map(str::to_owned),
            Selector::Data(pointer) => found(self.data.as_ref(), pointer),
            _ => None,
        }
    }
}
