//! Renders templates: bytes that are there already are copied, bodies that stay with the host are only named.

use super::{Chain, Node, Operand, Operator, Piece, Reference, Source, Step, Text, operate};
use crate::json::{self, Kind};
use crate::output::Output;
use crate::part::{Body, Good, Part, Slot};
use crate::view::View;
use std::borrow::Cow;

/// What templates can speak of.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The request.
    pub view: &'a View<'a>,
    /// What the calls gave.
    pub parts: &'a [Part],
    /// The calls.
    pub slots: &'a [Slot],
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
    fn json(text: &'v str) -> Self {
        Self::Json(text.into())
    }

    fn is_null(&self) -> bool {
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
    /// Writes a template's value. False, with nothing written, when it is missing.
    pub fn write(&self, node: &Node, items: Items<'_>, out: &mut Output) -> bool {
        match node {
            Node::Literal(text) => out.push(text),
            Node::Value(chain) => return self.write_chain(chain, items, out),
            Node::Text(text) => out.push(&json::string(&self.text(text, items).unwrap_or_default())),
            Node::Object(members) => {
                out.push("{");
                let mut first = true;
                for (key, value) in members {
                    let before = out.mark();
                    out.push(if first { "" } else { "," });
                    out.push(key);
                    out.push(":");
                    if self.write(value, items, out) {
                        first = false;
                    } else {
                        out.back_to(before);
                    }
                }
                out.push("}");
            }
            Node::List(elements) => {
                out.push("[");
                let mut first = true;
                for element in elements {
                    let before = out.mark();
                    out.push(if first { "" } else { "," });
                    if self.write(element, items, out) {
                        first = false;
                    } else {
                        out.back_to(before);
                    }
                }
                out.push("]");
            }
            Node::Operator(operator) => {
                let mut text = String::new();
                let there = self.operate(operator, items, &mut text);
                if there {
                    out.push(&text);
                }
                return there;
            }
        }
        true
    }

    /// A template's value as JSON text.
    pub fn render<'v>(&'v self, node: &'v Node, items: Items<'v>) -> Option<Cow<'v, str>> {
        match node {
            Node::Literal(text) => Some(text.into()),
            Node::Value(chain) => Some(self.chain(chain, items)?.into_json()),
            other => {
                let mut out = Output::default();
                self.write(other, items, &mut out).then(|| out.into_text().into())
            }
        }
    }

    /// A text with its values; a value that is missing is nothing, and a text that is only such a value is missing itself.
    pub fn text<'v>(&'v self, text: &'v Text, items: Items<'v>) -> Option<Cow<'v, str>> {
        match text.0.as_slice() {
            [Piece::Literal(literal)] => Some(literal.into()),
            [Piece::Value(chain)] => self.chain(chain, items)?.into_plain(),
            pieces => {
                let mut out = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Literal(literal) => out.push_str(literal),
                        Piece::Value(chain) => {
                            out.push_str(&self.chain(chain, items).and_then(Value::into_plain).unwrap_or_default());
                        }
                    }
                }
                Some(out.into())
            }
        }
    }

    /// The first of the values that is there and not `null`, or the last one if it is there.
    pub fn chain<'v>(&'v self, chain: &'v Chain, items: Items<'v>) -> Option<Value<'v>> {
        let mut found = None;
        for operand in &chain.operands {
            found = match operand {
                Operand::Literal(text) => Some(Value::json(text)),
                Operand::Reference(reference) => self.reference(reference, items),
            };
            if found.as_ref().is_some_and(|value| !value.is_null()) {
                break;
            }
        }
        found
    }

    fn write_chain(&self, chain: &Chain, items: Items<'_>, out: &mut Output) -> bool {
        if let [Operand::Reference(Reference { source: Source::CallBody(call), steps })] = chain.operands.as_slice()
            && steps.is_empty()
        {
            return self.write_body(*call, out);
        }
        let Some(value) = self.chain(chain, items) else { return false };
        out.push(&value.into_json());
        true
    }

    fn reference<'v>(&'v self, reference: &'v Reference, items: Items<'v>) -> Option<Value<'v>> {
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
            Source::Method => text(self.view.request.method().into()),
            Source::Host => text(self.view.host.as_str().into()),
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

    fn operate(&self, operator: &Operator, items: Items<'_>, out: &mut String) -> bool {
        let operand = |node| self.render(node, items);
        match operator {
            Operator::Merge(parts) => {
                let parts: Vec<Cow<'_, str>> = parts.iter().filter_map(operand).collect();
                operate::merge(&parts, out)
            }
            Operator::Pick(names, from) => operand(from)
                .is_some_and(|from| operate::each_object(&from, out, |one, out| operate::pick(names, one, out))),
            Operator::Drop(names, from) => operand(from)
                .is_some_and(|from| operate::each_object(&from, out, |one, out| operate::drop(names, one, out))),
            Operator::Rename(names, from) => operand(from)
                .is_some_and(|from| operate::each_object(&from, out, |one, out| operate::rename(names, one, out))),
            Operator::Flatten(list) => operand(list).is_some_and(|list| operate::flatten(&list, out)),
            Operator::Entries(of, key) => operand(of).is_some_and(|of| operate::entries(&of, key, out)),
            Operator::Index(of, by) => operand(of).is_some_and(|of| operate::index(&of, by, out)),
            Operator::Map { over, slot, to } => operand(over).is_some_and(|list| {
                let list = list.as_ref();
                if json::kind(list) != Kind::List {
                    return false;
                }
                let mut mapped = Output::default();
                mapped.push("[");
                for (index, value) in json::elements(list).enumerate() {
                    let before = mapped.mark();
                    mapped.push(if index > 0 { "," } else { "" });
                    let item = Item { slot: *slot, value, outer: items };
                    if !self.write(to, Some(&item), &mut mapped) {
                        // Elements keep their places, so that lists that belong together still do.
                        mapped.back_to(before);
                        mapped.push(if index > 0 { ",null" } else { "null" });
                    }
                }
                mapped.push("]");
                out.push_str(&mapped.into_text());
                true
            }),
            Operator::Join(join) => operand(&join.left).is_some_and(|left| {
                let right = operand(&join.right).unwrap_or_default();
                operate::join(join, &left, &right, out)
            }),
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
                self.write_body(call, &mut out).then(|| out.into_text().into())
            }
            Part::NotYet | Part::Skipped | Part::Failed(_) => self.default(call).map(Cow::Borrowed),
        }
    }

    /// Writes the body of a call, wherever it is, or what stands in for it.
    fn write_body(&self, call: usize, out: &mut Output) -> bool {
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
            Self::Member(name) => json::member(text, name),
            Self::Element(index) => json::element(text, *index),
            Self::Named(name) if json::kind(text) == Kind::List => json::element(text, name.parse().ok()?),
            Self::Named(name) => json::member(text, name),
        }
    }
}
