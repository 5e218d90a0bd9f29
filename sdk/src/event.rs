//! Events and what becomes of them.

use crate::decision::{Answer, Attribute, HeaderEdit, RequestDecision};

pub use crate::bindings::imports::sluicegate::filter::types::{
    Acknowledgement, CorrelatedAnswer, Delivery, DeliveryDecision, DeliveryRequest, Emission, Event, EventDecision,
    Publication, Publish, ReplyWait, StreamFormat, SubscriptionStream, Target,
};

/// Publishes one event to a channel (`NAMESPACE/NAME`), then answers.
pub fn publish(channel: impl Into<String>, event: Event, answer: Answer) -> Publish {
    let publications = vec![Publication { channel: channel.into(), event }];
    Publish { publications, body_as_data: None, acknowledge: Acknowledgement::Stored, answer, reply: None }
}

/// Sends the events of a channel (`NAMESPACE/NAME`) to the client as they come.
pub fn subscribe(channel: impl Into<String>, format: StreamFormat) -> SubscriptionStream {
    SubscriptionStream {
        channel: channel.into(),
        format,
        attributes: Vec::new(),
        after: None,
        response_edits: Vec::new(),
    }
}

impl SubscriptionStream {
    /// Only events whose attribute is this; an empty value says that it has to be there.
    #[must_use]
    pub fn only(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push(Attribute { name: name.into(), value: value.into() });
        self
    }

    /// Goes on behind the last event that the client has, by the position that it was told.
    #[must_use]
    pub fn after(mut self, position: Option<String>) -> Self {
        self.after = position;
        self
    }

    /// Edits the headers of the response that begins the stream.
    #[must_use]
    pub fn with_response(mut self, edit: HeaderEdit) -> Self {
        self.response_edits.push(edit);
        self
    }
}

impl Publish {
    /// The request's body, of at most so many bytes, is the data of the only event, which has none yet. Cheaper than
    /// [`inspect_body`](crate::inspect_body) where the data need not be looked into.
    #[must_use]
    pub fn with_body(mut self, most: u64) -> Self {
        self.body_as_data = Some(most);
        self
    }

    /// Answers as soon as there is room for the events, and does not wait until they are stored.
    #[must_use]
    pub fn unacknowledged(mut self) -> Self {
        self.acknowledge = Acknowledgement::None;
        self
    }

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

impl From<SubscriptionStream> for RequestDecision {
    fn from(stream: SubscriptionStream) -> Self {
        Self::Subscribe(stream)
    }
}

impl From<Publish> for RequestDecision {
    fn from(publish: Publish) -> Self {
        Self::Publish(publish)
    }
}
