//! A file of manifests: YAML or JSON, to documents with places, and what the host makes of those that are its own.
//!
//! - Every finding is in the file, at a line and column that it has, and can be shown.
//! - Every value of a document has a place in the file, and its key too.
//! - What was read is read again as the same when it is written as JSON, without a finding.
//! - Channels and subscriptions come of it, or a reason that names the field.

use serde_json::Value;
use sluicegate::event;
use sluicegate::manifest::{self, Diagnostics, Document, Location, Source, node};
use sluicegate::upstream::registry::Names;
use std::path::Path;

/// Values of one document whose places are looked at; a file with more says nothing new.
const PLACES: usize = 64;

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let (path, mut diagnostics) = (Path::new("shop.yaml"), Diagnostics::new());
    let documents = manifest::parse(path, bytes, "default", &mut diagnostics);
    let text = String::from_utf8_lossy(bytes);
    for diagnostic in &diagnostics {
        assert!(!diagnostic.message.is_empty() && diagnostic.code.starts_with("SG"), "{diagnostic:?}");
        let Some(location) = &diagnostic.location else { panic!("it has no place: {diagnostic:?}") };
        assert_in(&text, location);
        for location in diagnostic.notes.iter().filter_map(|note| note.location.as_ref()) {
            assert_in(&text, location);
        }
    }
    let mut shown = Vec::new();
    diagnostics.render(&mut shown, false).unwrap_or_else(|error| panic!("it cannot be shown: {error}"));
    for document in &documents {
        let mut left = PLACES;
        assert_places(document, "", &document.value, &mut left);
        assert_comes_back(document);
    }
    channels(&documents);
}

/// The line is one of the text's, and the column one of the line's.
fn assert_in(text: &str, location: &Location) {
    let lines: Vec<&str> = text.split('\n').collect();
    for (line, column) in [(location.line, location.column), (location.end.line, location.end.column)] {
        let found = line.checked_sub(1).and_then(|line| lines.get(line));
        let Some(found) = found else { panic!("{location} of {} lines", lines.len()) };
        assert!((1..=found.chars().count() + 1).contains(&column), "{location}, column {column} in {found:?}");
    }
    assert!((location.line, location.column) <= (location.end.line, location.end.column), "{location:?}");
}

fn assert_places(document: &Document, pointer: &str, value: &Value, left: &mut usize) {
    let Some(fewer) = left.checked_sub(1) else { return };
    *left = fewer;
    for span in [document.span_of(pointer), document.key_span_of(pointer)] {
        assert!(span.start <= span.end && span.end <= document.source.text.len(), "{pointer}: {span:?}");
        assert!(is_text(&document.source, span.start) && is_text(&document.source, span.end), "{pointer}: {span:?}");
    }
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                assert_places(document, &format!("{pointer}/{index}"), item, left);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                assert_places(document, &node::step(pointer, key), value, left);
            }
        }
        _ => {}
    }
}

fn is_text(source: &Source, at: usize) -> bool {
    source.text.is_char_boundary(at)
}

fn assert_comes_back(document: &Document) {
    let text = document.value.to_string();
    let mut diagnostics = Diagnostics::new();
    let again = manifest::parse(Path::new("again.json"), text.as_bytes(), &document.namespace, &mut diagnostics);
    let [again] = again.as_slice() else {
        panic!("{} documents come of {text}: {:?}", again.len(), diagnostics.lines())
    };
    assert_eq!(again.value, document.value, "{text}");
    let names = |document: &Document| {
        [&document.group, &document.version, &document.kind, &document.namespace, &document.name].map(String::clone)
    };
    assert_eq!(names(again), names(document), "{text}");
}

fn channels(documents: &[Document]) {
    let documents: Vec<_> = documents
        .iter()
        .filter(|document| event::resource::GROUPS.contains(&document.group.as_str()))
        .map(|document| event::Document {
            namespace: &document.namespace,
            name: &document.name,
            kind: &document.kind,
            value: &document.value,
        })
        .collect();
    match event::resolve(&Names::default(), &documents) {
        Ok(channels) => {
            for subscription in channels.iter().flat_map(|channel| &channel.subscriptions) {
                assert!(subscription.concurrency > 0, "{subscription:?}");
                assert!(subscription.subscriber.is_some() || subscription.reply.is_some(), "{subscription:?}");
            }
        }
        Err(errors) => assert!(!errors.is_empty() && errors.iter().all(|error| !error.reason.is_empty())),
    }
}
