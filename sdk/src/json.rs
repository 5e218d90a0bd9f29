//! Looks into JSON text without building values of it: everything is a slice of the text that came. For the few members
//! that a filter is after this is cheaper than reading the whole.
//!
//! All functions take text that was found to be one JSON value (RFC 8259) without white space around it. On other text they
//! give some part of it or nothing, but never fail. Where a key is repeated, its last value counts.
//!
//! `host/src/json/within.rs` walks the members of JSON for the host, on the other side of the sandbox. The two share no code, as
//! SDK and host know only the contract. Who mends one looks at the other.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Members.
    Object,
    /// Elements.
    List,
    /// A string.
    Text,
    /// A number, `true` or `false`.
    Scalar,
    /// `null`.
    Null,
}

/// What the value is, by its first byte.
pub fn kind(text: &str) -> Kind {
    match text.as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::List,
        Some(b'"') => Kind::Text,
        Some(b'n') | None => Kind::Null,
        Some(_) => Kind::Scalar,
    }
}

/// The value of an object's member.
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    members(text).filter(|(key, _)| is_named(key, name)).last().map(|(_, value)| value)
}

/// An element of a list, counted from its end when the index is negative.
pub fn element(text: &str, index: i64) -> Option<&str> {
    if let Ok(index) = usize::try_from(index) {
        return elements(text).nth(index);
    }
    let from_end = usize::try_from(index.unsigned_abs()).ok()?;
    let length = elements(text).count();
    elements(text).nth(length.checked_sub(from_end)?)
}

/// The members of an object: each key with its quotes, and its value. Nothing for other values.
pub fn members(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = Items::of(text, b'{');
    std::iter::from_fn(move || {
        let key = rest.value()?;
        rest.skip(b':');
        let value = rest.value()?;
        rest.skip(b',');
        Some((key, value))
    })
}

/// The elements of a list. Nothing for other values.
pub fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Items::of(text, b'[');
    std::iter::from_fn(move || {
        let value = rest.value()?;
        rest.skip(b',');
        Some(value)
    })
}

/// The value as plain text: a string without quotes and escapes, everything else as it is written.
pub fn plain(text: &str) -> Cow<'_, str> {
    let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return text.into() };
    if !inside.contains('\\') {
        return inside.into();
    }
    // An escape that stands for no character, such as half of a pair, leaves the text as it is written.
    serde_json::from_str::<String>(text).map_or(Cow::Borrowed(inside), Cow::Owned)
}

/// Whether a key, given with its quotes, is this name.
pub fn is_named(key: &str, name: &str) -> bool {
    let inside = key.get(1..key.len().saturating_sub(1)).unwrap_or_default();
    if inside.contains('\\') { plain(key) == name } else { inside == name }
}

/// Writes a text as a JSON string.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate().filter(|&(_, byte)| byte < 0x20 || byte == b'"' || byte == b'\\') {
        out.push_str(text.get(from..at).unwrap_or_default());
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        from = at + 1;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out.push('"');
}

/// The text as a JSON string.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_string(text, &mut out);
    out
}

/// Walks along the items of an object or a list.
struct Items<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Items<'a> {
    fn of(text: &'a str, opening: u8) -> Self {
        let opened = text.as_bytes().first() == Some(&opening);
        Self { text, at: if opened { 1 } else { text.len() } }
    }

    fn value(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.at;
        if matches!(self.text.as_bytes().get(start), None | Some(b'}' | b']')) {
            return None;
        }
        self.at = end_of_value(self.text.as_bytes(), start);
        self.text.get(start..self.at)
    }

    fn skip(&mut self, byte: u8) {
        self.skip_space();
        if self.text.as_bytes().get(self.at) == Some(&byte) {
            self.at += 1;
        }
    }

    fn skip_space(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }
}

/// Where the value that begins at `start` ends; always behind `start`.
fn end_of_value(text: &[u8], start: usize) -> usize {
    match text.get(start) {
        Some(b'"') => end_of_string(text, start),
        Some(b'{' | b'[') => end_of_nested(text, start),
        _ => {
            let rest = text.get(start..).unwrap_or_default();
            let scalar = |byte: &u8| !matches!(byte, b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            start + rest.iter().take_while(|byte| scalar(byte)).count().max(1)
        }
    }
}

fn end_of_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        at += before_end(text.get(at..).unwrap_or_default());
        match text.get(at) {
            None => return text.len(),
            Some(b'"') => return at + 1,
            Some(_) => at += 2,
        }
    }
}

/// How many bytes come before a quote or a backslash: eight at a time.
fn before_end(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // Has the high bit of the first byte set that is the same, and nothing before it.
        let is = |byte: u8| {
            let other = word ^ (ONES * u64::from(byte));
            other.wrapping_sub(ONES) & !other
        };
        let found = (is(b'"') | is(b'\\')) & (ONES * 0x80);
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\')).count()
}

fn end_of_nested(text: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match text.get(at) {
            None => return text.len(),
            Some(b'"') => {
                at = end_of_string(text, at);
                continue;
            }
            Some(b'{' | b'[') => depth += 1,
            Some(b'}' | b']') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            Some(_) => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const ORDER: &str =
        r#"{ "id" : 7, "a\u0062": "x\"y", "items": [ {"n":1}, [2,"]"] , null ], "id": 8, "e": {}, "l": [] }"#;

    #[test]
    fn members_and_elements_are_slices_of_the_text() {
        assert_eq!(member(ORDER, "id"), Some("8"), "the last one counts");
        assert_eq!(member(ORDER, "ab"), Some(r#""x\"y""#));
        let items = member(ORDER, "items").expect("there are items");
        assert_eq!(elements(items).collect::<Vec<_>>(), [r#"{"n":1}"#, r#"[2,"]"]"#, "null"]);
        assert_eq!((element(items, -1), element(items, 3), element(items, -4)), (Some("null"), None, None));
        assert_eq!(member(r#"{"\"":1}"#, "\\\""), None, "a name is not how it is written");
        assert_eq!((member(ORDER, "no"), member("[1]", "id"), element("{}", 0)), (None, None, None));
        assert_eq!(plain(r#""x\"y""#), "x\"y");
    }

    fn json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "\\PC{0,6}|[\"\\\\\\n\\x01]{0,3}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-c\"\\\\]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn read(text: &str) -> Value {
        serde_json::from_str(text).expect("a slice is a value")
    }

    proptest! {
        #[test]
        fn slices_are_the_values_that_a_parser_finds(value in json(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.expect("it can be written");
            if let Value::Object(map) = &value {
                let found: Vec<(String, Value)> =
                    members(&text).map(|(key, value)| (plain(key).into_owned(), read(value))).collect();
                let expected: Vec<(String, Value)> = map.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                prop_assert_eq!(found, expected);
                for (name, value) in map {
                    prop_assert_eq!(member(&text, name).map(read), Some(value.clone()));
                }
            }
            if let Value::Array(list) = &value {
                prop_assert_eq!(&elements(&text).map(read).collect::<Vec<_>>(), list);
            }
            if let Value::String(plain_text) = &value {
                prop_assert_eq!(&plain(&text), plain_text);
                prop_assert_eq!(read(&string(plain_text)), value);
            }
        }

        #[test]
        fn no_text_is_a_reason_to_fail(text in "[\\[\\]{}\":,\\\\ 1a]{0,24}") {
            for (key, value) in members(&text) {
                let _ = (plain(key), plain(value), is_named(key, "a"));
            }
            for value in elements(&text) {
                let _ = (element(value, 0), member(value, "a"));
            }
        }
    }
}
