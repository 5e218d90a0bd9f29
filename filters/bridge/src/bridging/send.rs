//! An event becomes a request.

use super::making::EventValues;
use super::template::Template;
use crate::cloudevents::write_binary;
use crate::hops;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sluicegate_sdk::{DeliveryRequest, Event, EventDecision, Header};

/// Everything but what RFC 3986, section 2.3 calls unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Methods that take no body.
const WITHOUT_BODY: [&str; 3] = ["GET", "HEAD", "DELETE"];

/// What the request is like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Send {
    pub(crate) method: Option<String>,
    /// Path and query, in place of those of the receiver.
    pub(crate) path: Option<Template>,
    /// In lower case.
    pub(crate) headers: Vec<(String, Template)>,
}

impl Send {
    /// Whether a channel that gets the request takes the event from it.
    pub(crate) fn is_event(&self) -> bool {
        let posted = self.method.as_deref().is_none_or(|method| method == "POST");
        posted && !self.headers.iter().any(|(name, _)| name == "content-type")
    }

    /// The request, with the event's attributes as headers. A header whose value is not there is left out; a path of which
    /// something is missing leads nowhere.
    pub(crate) fn request(&self, event: &Event) -> EventDecision {
        let mut templates = self.path.iter().chain(self.headers.iter().map(|(_, template)| template));
        let values = EventValues::new(event, templates.any(Template::reads_data));
        let encode = |value: String| utf8_percent_encode(&value, ENCODED).to_string();
        let path = match self.path.as_ref().map(|path| path.fill_with(&values, encode)) {
            Some(None) => return EventDecision::DeadLetter("the event lacks a value of the bridge's path".into()),
            Some(path) => path,
            None => None,
        };
        let mut stripped = event.clone();
        hops::strip(&mut stripped);
        let (mut headers, mut body) = write_binary(&stripped);
        for (name, template) in &self.headers {
            let Some(value) = template.fill(&values) else { continue };
            headers.retain(|header| header.name != *name);
            let value = value.bytes().filter(|byte| !byte.is_ascii_control()).collect();
            headers.push(Header { name: name.clone(), value });
        }
        if self.method.as_deref().is_some_and(|method| WITHOUT_BODY.contains(&method)) {
            body.clear();
            headers.retain(|header| header.name != "content-type");
        }
        EventDecision::Deliver(DeliveryRequest { method: self.method.clone(), path, headers, body })
    }
}
