//! JSON as the host checks it while it streams by, and as it and the filters cut it up, against `serde_json`.
//!
//! - However the bytes are cut into reads, they are JSON or not.
//! - They are JSON to the host if, and only if, they are to `serde_json`, but for what is nested deeper than that one
//!   goes (128 levels; the host goes 512).
//! - Members and elements of a text, as it is cut up, are those of the value that it is.

use crate::pieces;
use serde::de::IgnoredAny;
use serde_json::Value;
use sluicegate::json::{DEPTH, Validator, Values, check};
use sluicegate_sdk::json as cut;

/// How deep `serde_json` goes.
const REFERENCE_DEPTH: usize = 127;

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let here = check(bytes).is_ok();
    for reads in [pieces::of(bytes), bytes.chunks(1).collect()] {
        assert_eq!(in_reads(&reads), here, "how it is cut into reads matters: {}", bytes.escape_ascii());
    }
    let text = std::str::from_utf8(bytes).ok();
    let there = text.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    match text {
        Some(text) if there => {
            assert!(here, "refused: {text}");
            compare(text.trim_ascii());
        }
        Some(text) if here => {
            let depth = depth(text);
            assert!(depth > REFERENCE_DEPTH && depth <= DEPTH, "accepted: {text}");
        }
        _ => assert!(!here, "accepted: {}", bytes.escape_ascii()),
    }
}

fn in_reads(reads: &[&[u8]]) -> bool {
    let mut validator = Validator::default();
    reads.iter().try_for_each(|read| validator.read(read)).and_then(|()| validator.finish()).is_ok()
}

/// How deep a text is nested that is JSON.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// A text that is JSON without white space around it; a value that none of Rust's can be is passed over.
fn compare(text: &str) {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    match &value {
        Value::Object(members) => {
            for (key, value) in members {
                let found = cut::member(text, key).map(serde_json::from_str::<Value>);
                assert!(matches!(&found, Some(Ok(found)) if found == value), "{key:?} of {text}: {found:?}");
                let found = Values::new(text.as_bytes()).value(std::slice::from_ref(key));
                let found = found.map(serde_json::from_slice::<Value>);
                assert!(matches!(&found, Some(Ok(found)) if found == value), "{key:?} of {text}: {found:?}");
            }
            assert!(cut::members(text).count() >= members.len(), "{text}");
        }
        Value::Array(elements) => {
            let found: Vec<_> = cut::elements(text).map(serde_json::from_str::<Value>).collect();
            let same = found.iter().zip(elements).all(|(found, element)| found.as_ref().ok() == Some(element));
            assert!(same && found.len() == elements.len(), "{text}: {found:?}");
        }
        Value::String(string) => {
            assert_eq!(cut::plain(text), *string, "{text}");
            assert_eq!(serde_json::from_str::<String>(&cut::string(string)).as_deref().ok(), Some(string.as_str()));
        }
        _ => assert_eq!(cut::plain(text), text),
    }
}
