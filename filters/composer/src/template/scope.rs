//! What templates can speak of: the request, what the calls gave, and elements of lists.

use super::{Reference, Source, Step};
use crate::output::Output;
use crate::part::{Body, Good, Part, Slot};
use crate::view::View;
use sluicegate_sdk::json::{self, Kind};
use std::borrow::Cow;
use std::cell::Cell;

/// What templates can speak of.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The request.
    pub view: &'a View<'a>,
    /// What the calls gave.
    pub parts: &'a [Part],
    /// The calls.
    pub slots: &'a [Slot],
    /// Set once a value was larger than a text may be, and so was cut: what is made of it means nothing.
    pub cut: &'a Cell<bool>,
}

/// Elements of lists that are in scope, the innermost first.
pub type Items<'v> = Option<&'v Item<'v>>;

/// An element of a list.
#[derive(Debug)]
pub struct Item<'v> {
    /// Its place among the items in scope.
    pub slot: usize,
    /// Its JSON text.
    pub value: &'v str,
    /// Those around it.
    pub outer: Items<'v>,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'v> {
    /// JSON text.
    Json(Cow<'v, str>),
    /// Plain text.
    Text(Cow<'v, str>),
}

impl<'v> Value<'v> {
    pub(super) fn json(text: &'v str) -> Self {
        Self::Json(text.into())
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Json(text) if text == "null")
    }

    /// As JSON text.
    pub fn into_json(self) -> Cow<'v, str> {
        match self {
            Self::Json(text) => text,
            Self::Text(text) => json::string(&text).into(),
        }
    }

    /// As plain text; `null` has none.
    pub fn into_plain(self) -> Option<Cow<'v, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Json(text) if text == "null" => None,
            Self::Json(Cow::Borrowed(text)) => Some(json::plain(text)),
            Self::Json(Cow::Owned(text)) => Some(Cow::Owned(json::plain(&text).into_owned())),
        }
    }
}

impl<'a> Scope<'a> {
    /// What a reference stands for.
    pub(super) fn reference<'v>(&'v self, reference: &'v Reference, items: Items<'v>) -> Option<Value<'v>> {
        let value = self.source(&reference.source, items)?;
        reference.steps.iter().try_fold(value, |value, step| {
            let named;
            let step = match step {
                Step::Named(inner) => {
                    named = self.reference(inner, items)?.into_plain()?.into_owned();
                    Within::Named(&named)
                }
                Step::Member(name) => Within::Member(name),
                Step::Element(index) => Within::Element(*index),
            };
            match value {
                Value::Text(_) => None,
                Value::Json(Cow::Borrowed(text)) => Some(Value::json(step.find(text)?)),
                Value::Json(Cow::Owned(text)) => Some(Value::Json(step.find(&text)?.to_owned().into())),
            }
        })
    }

    fn source<'v>(&'v self, source: &'v Source, items: Items<'v>) -> Option<Value<'v>> {
        let text = |text: Cow<'v, str>| Some(Value::Text(text));
        match source {
            Source::Path(index) => text(self.view.parameters.get(*index)?.into()),
            Source::Query(name) => text(self.view.query(name)?.into()),
            Source::Header(name) => text(self.view.request.header(name)?.into()),
            Source::Method => text(self.view.method().into()),
            Source::Host => text(self.view.host().into()),
            Source::Id => text(self.view.request.attribute("request.id")?.into()),
            Source::Body => Some(Value::json(self.view.body.as_deref()?)),
            Source::CallBody(call) => self.body(*call).map(Value::Json),
            Source::CallStatus(call) => Some(Value::Json(self.status(*call)?.to_string().into())),
            Source::CallHeader(call, name) => text(self.good(*call)?.header(name)?.into()),
            Source::CallError(call) => Some(Value::Json(self.failure(*call)?.into())),
            Source::Item(slot) => {
                let mut item = items?;
                while item.slot != *slot {
                    item = item.outer?;
                }
                Some(Value::json(item.value))
            }
            Source::Errors => Some(Value::Json(self.errors()?.into())),
        }
    }

    /// The good answer of a call that has one.
    pub fn good(&self, call: usize) -> Option<&'a Good> {
        match self.parts.get(call)? {
            Part::Good(good) => Some(good),
            // A choice is no choice of choices.
            Part::Same(other) => match self.parts.get(*other)? {
                Part::Good(good) => Some(good),
                _ => None,
            },
            _ => None,
        }
    }

    /// The status that a call was answered with, whether it is a good one or not.
    pub fn status(&self, call: usize) -> Option<u16> {
        match self.parts.get(call)? {
            Part::Failed(failure) => failure.status,
            _ => self.good(call).map(|good| good.status),
        }
    }

    fn default(&self, call: usize) -> Option<&'a str> {
        self.slots.get(call)?.default.as_deref()
    }

    /// The body of a call that is looked into, or what stands in for it.
    fn body(&self, call: usize) -> Option<Cow<'a, str>> {
        match self.parts.get(call)? {
            Part::Good(good) => good.json().map(Cow::Borrowed),
            Part::Same(other) => self.body(*other),
            Part::Each(_) | Part::All(_) => {
                let mut out = Output::default();
                self.write_body(call, &mut out).then(|| self.taken(out).into())
            }
            Part::NotYet | Part::Skipped | Part::Failed(_) => self.default(call).map(Cow::Borrowed),
        }
    }

    /// Writes the body of a call, wherever it is, or what stands in for it.
    pub(super) fn write_body(&self, call: usize, out: &mut Output) -> bool {
        let Some(slot) = self.slots.get(call) else { return false };
        match self.parts.get(call) {
            Some(Part::Good(good)) => write_good(good, || slot.name.clone(), out),
            Some(Part::Same(other)) => self.write_body(*other, out),
            Some(Part::Each(parts)) => {
                let default = slot.default.as_deref().unwrap_or("null");
                for (index, part) in parts.iter().enumerate() {
                    out.push(if index > 0 { "," } else { "[" });
                    let written = match part {
                        Part::Good(good) => write_good(good, || format!("{}[{index}]", slot.name), out),
                        _ => false,
                    };
                    out.push(if written { "" } else { default });
                }
                out.push(if parts.is_empty() { "[]" } else { "]" });
                true
            }
            Some(Part::All(others)) => {
                for (index, other) in others.iter().enumerate() {
                    out.push(if index > 0 { "," } else { "[" });
                    if !self.write_body(*other, out) {
                        out.push("null");
                    }
                }
                out.push(if others.is_empty() { "[]" } else { "]" });
                true
            }
            _ => match &slot.default {
                Some(default) => {
                    out.push(default);
                    true
                }
                None => false,
            },
        }
    }

    /// The text of an output that is a part of something else, which has to know that it is not whole.
    pub(super) fn taken(&self, out: Output) -> String {
        if out.is_too_large() {
            self.cut.set(true);
        }
        out.into_text()
    }

    /// Why a call failed, as JSON text.
    fn failure(&self, call: usize) -> Option<String> {
        match self.parts.get(call)? {
            Part::Failed(failure) => Some(failure.text()),
            _ => None,
        }
    }

    /// All failures as a JSON object; none when there is none. What happened to an alternative does not matter where
    /// there were enough others.
    pub fn errors(&self) -> Option<String> {
        let mut members = Vec::new();
        for (slot, part) in self.slots.iter().zip(self.parts) {
            let covered = slot.set.and_then(|set| self.parts.get(set)).is_some_and(Part::is_good);
            match part {
                Part::Failed(failure) if !covered => {
                    members.push(format!("{}:{}", json::string(&slot.name), failure.text()));
                }
                Part::Each(parts) => {
                    for (index, part) in parts.iter().enumerate() {
                        if let Part::Failed(failure) = part {
                            members.push(format!(
                                "{}:{}",
                                json::string(&format!("{}[{index}]", slot.name)),
                                failure.text()
                            ));
                        }
                    }
                }
                _ => {}
            }
        }
        (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
    }
}

fn write_good(good: &Good, name: impl FnOnce() -> String, out: &mut Output) -> bool {
    match &good.body {
        Body::Json(_) => out.push(good.json().unwrap_or_default()),
        Body::Host => out.body_of(name()),
        Body::Unused => return false,
    }
    true
}

/// A step whose name is known.
enum Within<'s> {
    Member(&'s str),
    Element(i64),
    Named(&'s str),
}

impl Within<'_> {
    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Element(index) => json::element(text, *index),
            Self::Named(name) if json::kind(text) == Kind::List => json::element(text, name.parse().ok()?),
            Self::Member(name) | Self::Named(name) => json::member(text, name),
        }
    }
}
