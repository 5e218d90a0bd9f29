//! A parsed value in which every part knows its place in the text.

use super::source::Span;
use serde_json::{Map, Value};

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value's text. A value that came through an alias points to where it is written.
    pub span: Span,
    /// The value.
    pub content: Content,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    /// An array.
    Sequence(Vec<Node>),
    /// An object, in the order of the text; keys are unique.
    Mapping(Vec<Entry>),
}

/// One field of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its text.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// What a pointer leads to.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The value, or the nearest parent that exists.
    pub node: &'a Node,
    /// The key's text, when the value is a mapping's field.
    pub key: Option<Span>,
    /// Whether the pointer was followed to its end.
    pub complete: bool,
}

impl Node {
    /// The same value without places.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::Sequence(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Content::Mapping(entries) => {
                let fields = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// A mapping's field.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The value of a mapping's field.
    pub fn field(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(value) => value.as_str(),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(Value::Null))
    }

    /// Follows a JSON pointer (RFC 6901) as far as it goes.
    pub fn find(&self, pointer: &str) -> Found<'_> {
        let mut found = Found { node: self, key: None, complete: true };
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match &found.node.content {
                Content::Mapping(_) => found.node.entry(&token).map(|entry| (&entry.value, Some(entry.key_span))),
                Content::Sequence(items) => {
                    token.parse::<usize>().ok().and_then(|index| items.get(index)).map(|node| (node, None))
                }
                Content::Scalar(_) => None,
            };
            let Some((node, key)) = next else { return Found { complete: false, ..found } };
            found = Found { node, key, complete: true };
        }
        found
    }

    /// How many nodes there are, this one included.
    pub fn count(&self) -> usize {
        match &self.content {
            Content::Scalar(_) => 1,
            Content::Sequence(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Content::Mapping(entries) => 1 + entries.iter().map(|entry| entry.value.count()).sum::<usize>(),
        }
    }

    /// How deep it nests; 1 for a scalar.
    pub fn depth(&self) -> usize {
        let below = match &self.content {
            Content::Scalar(_) => None,
            Content::Sequence(items) => items.iter().map(Self::depth).max(),
            Content::Mapping(entries) => entries.iter().map(|entry| entry.value.depth()).max(),
        };
        1 + below.unwrap_or(0)
    }
}

impl Found<'_> {
    /// The place to show: the value itself, but the key where the value is a list, a mapping or nothing at all, as one
    /// would point with a finger.
    pub fn place(&self) -> Span {
        let no_text = !matches!(self.node.content, Content::Scalar(_)) || self.node.span.start == self.node.span.end;
        match self.key {
            Some(key) if no_text => key,
            _ => self.node.span,
        }
    }
}

/// Writes a key or an index as one more step of a JSON pointer.
pub fn step(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"))
}
