//! Renders templates: bytes that are there already are copied, bodies that stay with the host are only named.

use super::scope::{Item, Items, Scope, Value};
use super::{Chain, Node, Operand, Operator, Piece, Reference, Source, Text, operate};
use crate::output::Output;
use sluicegate_sdk::json::{self, Kind};
use std::borrow::Cow;

impl Scope<'_> {
    /// Writes a template's value. False, with nothing written, when it is missing.
    pub fn write(&self, node: &Node, items: Items<'_>, out: &mut Output) -> bool {
        match node {
            Node::Literal(text) => out.push(text),
            Node::Value(chain) => return self.write_chain(chain, items, out),
            Node::Text(text) => out.push(&json::string(&self.text(text, items).unwrap_or_default())),
            Node::Object(members) => {
                out.push("{");
                out.separated(members, |out, (key, value)| {
                    out.push(key);
                    out.push(":");
                    Some(self.write(value, items, out))
                });
                out.push("}");
            }
            Node::List(elements) => {
                out.push("[");
                out.separated(elements, |out, element| Some(self.write(element, items, out)));
                out.push("]");
            }
            Node::Operator(operator) => {
                return out.append(|text| self.operate(operator, items, text));
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
                self.write(other, items, &mut out).then(|| self.taken(out).into())
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
                out.push_str(&self.taken(mapped));
                true
            }),
            Operator::Join(join) => operand(&join.left).is_some_and(|left| {
                let right = operand(&join.right).unwrap_or_default();
                operate::join(join, &left, &right, out)
            }),
        }
    }
}
