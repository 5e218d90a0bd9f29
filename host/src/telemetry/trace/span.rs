//! One span: something that took time, from its beginning to when it is dropped.

use super::context::SpanContext;
use super::tracer::{Lineage, Parent, Tracing};
use http::HeaderValue;
use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The longest text of an attribute, in bytes: enough to recognise what a client sent, too little to fill the queue with.
const TEXT: usize = 1024;

/// A span under way. Nothing when traces are off or this one is not kept; then all of its methods do nothing. It ends
/// when it is dropped.
#[derive(Debug, Default)]
pub struct Span(Option<(Arc<Tracing>, Box<SpanData>)>);

/// What a span says.
#[derive(Debug)]
pub struct SpanData {
    pub(super) context: SpanContext,
    /// The span above, and whether it is another process's.
    pub(super) parent: Option<(NonZeroU64, bool)>,
    pub(super) state: Option<HeaderValue>,
    pub(super) name: Cow<'static, str>,
    pub(super) kind: Kind,
    pub(super) start: SystemTime,
    /// None as long as it is under way.
    pub(super) end: Option<SystemTime>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) events: Vec<Event>,
    pub(super) links: Vec<SpanContext>,
    /// Whether it counts as given up when it is dropped, unless its end is said before.
    pub(super) pending: bool,
    /// Why it failed; it is not said to be fine otherwise, which is for applications to say.
    pub(super) failed: Option<Cow<'static, str>>,
}

/// A name and its value.
pub(super) type Attribute = (&'static str, Value);

/// Which side of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Inside of the proxy.
    Internal,
    /// A request that came in.
    Server,
    /// A request that went out.
    Client,
    /// An event that was published.
    Producer,
    /// An event that was delivered.
    Consumer,
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// Something that happened at one moment of a span.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) time: SystemTime,
    pub(super) attributes: Vec<Attribute>,
}

impl Span {
    /// One that begins now, at this place.
    pub(super) fn begin(
        tracing: &Arc<Tracing>,
        context: SpanContext,
        kind: Kind,
        describe: impl FnOnce(&mut SpanData),
    ) -> Self {
        let mut data = Box::new(SpanData {
            context,
            parent: None,
            state: None,
            name: Cow::Borrowed(""),
            kind,
            start: SystemTime::now(),
            end: None,
            attributes: Vec::with_capacity(ATTRIBUTES),
            events: Vec::new(),
            links: Vec::new(),
            pending: false,
            failed: None,
        });
        describe(&mut data);
        Self(Some((Arc::clone(tracing), data)))
    }

    /// Adds to what it says. `describe` is called only when the span is kept.
    pub fn describe(&mut self, describe: impl FnOnce(&mut SpanData)) {
        if let Some((_, data)) = &mut self.0 {
            describe(data);
        }
    }

    /// Where it is, if it is kept.
    pub fn context(&self) -> Option<SpanContext> {
        self.0.as_ref().map(|(_, data)| data.context)
    }

    /// What spans below it begin from.
    pub fn parent(&self) -> Parent {
        Parent::of(self.0.as_ref().map(|(tracing, data)| {
            let (context, state) = (data.context, data.state.clone());
            Arc::new(Lineage { tracing: Arc::clone(tracing), context, state })
        }))
    }
}

/// Room for the attributes that spans usually have.
const ATTRIBUTES: usize = 12;

impl Drop for Span {
    fn drop(&mut self) {
        if let Some((tracing, mut data)) = self.0.take() {
            if data.pending {
                data.fail("cancelled", "it was given up");
            }
            data.end.get_or_insert_with(SystemTime::now);
            tracing.queue.push(data);
        }
    }
}

impl SpanData {
    /// Names it: few names, so that spans can be counted by them.
    pub fn name(&mut self, name: impl Into<Cow<'static, str>>) {
        self.name = name.into();
    }

    /// Adds an attribute. Each key once.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.attributes.push((key, value.into()));
    }

    /// Says that it failed, and how: `error.type` is one word, the message a sentence.
    pub fn fail(&mut self, kind: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) {
        self.set("error.type", Value::Text(kind.into()));
        self.failed = Some(short(message.into()));
    }

    /// Says that something happened now.
    pub fn event(&mut self, name: &'static str, attributes: impl Into<Vec<(&'static str, Value)>>) {
        self.events.push(Event { name, time: SystemTime::now(), attributes: attributes.into() });
    }

    /// Says that another span, in this trace or another, has to do with it.
    pub fn link(&mut self, other: SpanContext) {
        self.links.push(other);
    }

    /// Puts its end so long after its beginning, instead of where it is dropped.
    pub fn lasts(&mut self, duration: Duration) {
        self.end = self.start.checked_add(duration);
    }

    /// Puts its beginning so long before now, where it also ends.
    pub(super) fn ended_after(&mut self, duration: Duration) {
        self.end = Some(self.start);
        self.start = self.start.checked_sub(duration).unwrap_or(self.start);
    }
}

/// Cut to [`TEXT`], between characters.
fn short(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= TEXT {
        return text;
    }
    let kept = text.floor_char_boundary(TEXT);
    Cow::Owned(text.get(..kept).unwrap_or_default().to_owned())
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(short(Cow::Owned(text)))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = format!("{}ä", "x".repeat(TEXT - 1));
        assert_eq!(Value::from(long), Value::Text("x".repeat(TEXT - 1).into()));
        assert_eq!(Value::from("short".to_owned()), Value::from("short"));
    }
}
