//! Puts a document together from the reader's events.
//!
//! What is wrong inside a document (a key given twice, an unknown tag) is reported and reading goes on; only too much
//! of something ends it.

use super::codes;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::node::{Content, Entry, Node};
use super::scalar::{self, ScalarError};
use super::source::{Location, Source, Span};
use super::yaml::{MAX_DEPTH, MAX_NODES, too_deep};
use saphyr_parser::{Event, ScalarStyle, Tag};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Takes events and gives documents.
pub(super) struct Builder<'a> {
    source: &'a Arc<Source>,
    /// All nodes of the file so far.
    nodes: &'a mut usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
}

/// A value that aliases may repeat.
struct Anchored {
    node: Node,
    count: usize,
    depth: usize,
}

/// A collection whose end is still to come.
struct Open {
    start: Span,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, places: HashMap<String, Span>, key: Key },
}

/// Where a mapping stands.
enum Key {
    /// A key comes next.
    Awaited,
    /// The key's value comes next.
    Is(String, Span),
    /// The value of a key that was refused comes next.
    Refused,
}

impl<'a> Builder<'a> {
    pub(super) fn new(source: &'a Arc<Source>, nodes: &'a mut usize) -> Self {
        Self { source, nodes, open: Vec::new(), anchors: HashMap::new(), root: None }
    }

    /// Takes one event; returns a document when it is complete and not empty, an error when the file is too much.
    pub(super) fn event(
        &mut self,
        event: Event<'_>,
        span: Span,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Node>, Box<Diagnostic>> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), span, diagnostics);
                self.count(1, span)?;
                self.remember(anchor, &node)?;
                self.attach(node, diagnostics);
            }
            Event::Alias(anchor) => {
                let node = self.expand(anchor, span)?;
                self.attach(node, diagnostics);
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_collection_tag(tag.as_deref(), "seq", span, diagnostics);
                self.begin(Items::Sequence(Vec::new()), anchor, span)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.check_collection_tag(tag.as_deref(), "map", span, diagnostics);
                let items = Items::Mapping { entries: Vec::new(), places: HashMap::new(), key: Key::Awaited };
                self.begin(items, anchor, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span, diagnostics)?,
            Event::DocumentEnd => {
                self.anchors.clear();
                return Ok(self.root.take().filter(|node| !node.is_null()));
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
        Ok(None)
    }

    fn begin(&mut self, items: Items, anchor: usize, start: Span) -> Result<(), Box<Diagnostic>> {
        self.count(1, start)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(Box::new(too_deep(self.source, start)));
        }
        self.open.push(Open { start, anchor, items });
        Ok(())
    }

    fn end(&mut self, end: Span, diagnostics: &mut Diagnostics) -> Result<(), Box<Diagnostic>> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let (content, last) = match open.items {
            Items::Sequence(items) => {
                let last = items.last().map(|node| node.span.end);
                (Content::Sequence(items), last)
            }
            Items::Mapping { entries, .. } => {
                let last = entries.last().map(|entry| entry.value.span.end.max(entry.key_span.end));
                (Content::Mapping(entries), last)
            }
        };
        // A bracket ends where it stands; a block ends with its last value, not where the next one begins.
        let bracket = end.end > end.start;
        let end = if bracket { end.end } else { last.unwrap_or(open.start.end) };
        let node = Node { span: Span { start: open.start.start, end: end.max(open.start.end) }, content };
        self.remember(open.anchor, &node)?;
        self.attach(node, diagnostics);
        Ok(())
    }

    /// Puts a complete value where it belongs.
    fn attach(&mut self, node: Node, diagnostics: &mut Diagnostics) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping { entries, places, key } => {
                *key = match std::mem::replace(key, Key::Awaited) {
                    Key::Awaited => accept_key(&node, places, self.source, diagnostics),
                    Key::Is(key, key_span) => {
                        entries.push(Entry { key, key_span, value: node });
                        Key::Awaited
                    }
                    Key::Refused => Key::Awaited,
                };
            }
        }
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
        diagnostics: &mut Diagnostics,
    ) -> Node {
        let value = match tag {
            Some(tag) if tag.is_yaml_core_schema() => scalar::tagged(text, &tag.suffix),
            // A lone exclamation mark says: a text, whatever it looks like.
            Some(tag) if tag.handle.trim_matches('!').is_empty() && tag.suffix.trim_matches('!').is_empty() => {
                Ok(Value::from(text))
            }
            Some(_) => Err(ScalarError::UnknownTag),
            None if self.awaits_key() || style != ScalarStyle::Plain => Ok(Value::from(text)),
            None => scalar::plain(text),
        };
        let value = value.unwrap_or_else(|error| {
            diagnostics.push(scalar_error(error, text, tag).in_source(self.source, span));
            Value::from(text)
        });
        Node { span, content: Content::Scalar(value) }
    }

    /// Whether the next value is a key. Keys are texts, whatever they look like.
    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { items: Items::Mapping { key: Key::Awaited, .. }, .. }))
    }

    fn check_collection_tag(&self, tag: Option<&Tag>, wanted: &str, span: Span, diagnostics: &mut Diagnostics) {
        let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == wanted)) else { return };
        let error = if tag.is_yaml_core_schema() { ScalarError::Mismatch } else { ScalarError::UnknownTag };
        let what = if wanted == "seq" { "a list" } else { "a mapping" };
        diagnostics.push(scalar_error(error, what, Some(tag)).in_source(self.source, span));
    }

    /// Keeps a copy for aliases, which counts as they do: anchors inside anchors copy over and over.
    fn remember(&mut self, anchor: usize, node: &Node) -> Result<(), Box<Diagnostic>> {
        if anchor > 0 {
            let count = node.count();
            self.count(count, node.span)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), count, depth: node.depth() });
        }
        Ok(())
    }

    /// A copy of what an alias repeats. The size is known before anything is copied.
    fn expand(&mut self, anchor: usize, span: Span) -> Result<Node, Box<Diagnostic>> {
        let Some((count, depth)) = self.anchors.get(&anchor).map(|anchored| (anchored.count, anchored.depth)) else {
            let message = "not valid YAML: the alias stands inside the value that it repeats";
            return Err(Box::new(Diagnostic::error(codes::SYNTAX, message).in_source(self.source, span)));
        };
        self.count(count, span)?;
        if self.open.len() + depth > MAX_DEPTH + 1 {
            return Err(Box::new(too_deep(self.source, span)));
        }
        let node = self.anchors.get(&anchor).map(|anchored| anchored.node.clone());
        Ok(node.unwrap_or(Node { span, content: Content::Scalar(Value::Null) }))
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        *self.nodes = self.nodes.saturating_add(more);
        if *self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message =
            format!("the file holds more than {MAX_NODES} values, counting aliases as often as they are used");
        let diagnostic = Diagnostic::error(codes::TOO_MANY_NODES, message).in_source(self.source, span);
        Err(Box::new(diagnostic.help("split the file, or use fewer aliases")))
    }
}

/// Checks a key; what is wrong with it is reported here, and its value is then left out.
fn accept_key(
    node: &Node,
    places: &mut HashMap<String, Span>,
    source: &Arc<Source>,
    diagnostics: &mut Diagnostics,
) -> Key {
    let refused = match node.as_str() {
        None => Diagnostic::error(codes::BAD_KEY, "a key has to be a text, not a list, a mapping or an empty value"),
        Some("") if node.span.start == node.span.end => {
            Diagnostic::error(codes::BAD_KEY, "a key is missing before the colon")
        }
        Some("<<") if source.slice(node.span) == "<<" => {
            Diagnostic::error(codes::MERGE_KEY, "merge keys (`<<`) are not supported")
                .help("write the fields out, or use an alias for a whole value")
        }
        Some(key) => {
            if let Some(first) = places.get(key) {
                Diagnostic::error(codes::DUPLICATE_KEY, format!("`{key}` is given twice"))
                    .help("remove one of the two")
                    .related("it is given here first", Some(Location::new(source, *first)))
            } else {
                places.insert(key.into(), node.span);
                return Key::Is(key.into(), node.span);
            }
        }
    };
    diagnostics.push(refused.in_source(source, node.span));
    Key::Refused
}

fn scalar_error(error: ScalarError, text: &str, tag: Option<&Tag>) -> Diagnostic {
    let tag = tag.map(|tag| if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() });
    let tag = tag.unwrap_or_default();
    match error {
        ScalarError::NoJsonForm => {
            Diagnostic::error(codes::BAD_NUMBER, format!("`{text}` is no number that JSON knows"))
                .help("quote it if it is meant as a text")
        }
        ScalarError::Mismatch => {
            Diagnostic::error(codes::BAD_TAG, format!("`{text}` is not what its tag `{tag}` says"))
        }
        ScalarError::UnknownTag => Diagnostic::error(codes::BAD_TAG, format!("the tag `{tag}` is not known"))
            .help("remove it; tags of other programs have no meaning here"),
    }
}
