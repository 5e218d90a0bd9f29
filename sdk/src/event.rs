//! Events and what becomes of them.

use crate::decision::{Answer, RequestDecision};

pub use crate::bindings::imports::sluicegate::filter::types::{
    CorrelatedAnswer, Delivery, DeliveryDecision, DeliveryRequest, Emission, Event, EventDecision, Publication,
    Publish, ReplyWait, Target,
};

/// Publishes one event to a channel (`NAMESPACE/NAME`), then answers.
pub fn publish(channel: impl Into<String>, event: Event, answer: Answer) -> Publish {
    Publish { publications: vec![Publication { channel: channel.into(), event }], answer, reply: None }
}

impl Publish {
    /// Waits for the answer that an event brings, instead of answering at once.
    #[must_use]
    pub fn and_wait(mut self, reply: ReplyWait) -> Self {
        self.reply = Some(reply);
        self
    }
}

impl Event {
    /// An event with the three attributes that every event has (CloudEvents 1.0.2, section 3.1) and no data.
    pub fn new(id: impl Into<String>, source: impl Into<String>, r#type: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            type_: r#type.into(),
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: Vec::new(),
            data: None,
        }
    }
}

impl From<Publish> for RequestDecision {
    fn from(publish: Publish) -> Self {
        Self::Publish(publish)
    }
}
