//! Values within a JSON text, as slices of it: nothing is built or copied.
//!
//! The text was found to be one JSON text before ([`check`](super::check)). Of other bytes some part is found, or nothing.
//!
//! `sdk/src/json.rs` walks the members of JSON for filters, on the other side of the sandbox. The two share no code, as host and
//! SDK know only the contract: here are bytes of services, of which several values are taken, so that each object is walked
//! once; there is text, of which a guest reads a member or two. Who mends one looks at the other.

use super::token;
use memchr::memchr2;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// The members of objects within one text, each object looked through once.
#[derive(Debug)]
pub struct Values<'t> {
    whole: &'t [u8],
    /// The objects that were looked through, by the addresses of their first bytes.
    objects: BTreeMap<usize, Object<'t>>,
}

/// The members of an object.
#[derive(Debug)]
struct Object<'t> {
    members: Vec<Member<'t>>,
    /// How often one was looked for.
    looked: usize,
    /// The values by their names, once it has paid.
    index: Option<HashMap<Cow<'t, [u8]>, &'t [u8]>>,
}

/// So many members are walked as quickly as a name is looked up.
const FEW_MEMBERS: usize = 32;
/// Look-ups that cost less than an index of all members does.
const FEW_LOOKUPS: usize = 16;

/// A name with its quotes, and the value.
type Member<'t> = (&'t [u8], &'t [u8]);

impl<'t> Values<'t> {
    /// A text, and the white space around it.
    pub fn new(text: &'t [u8]) -> Self {
        Self { whole: text.trim_ascii(), objects: BTreeMap::new() }
    }

    /// The value at the end of this way along members, without white space around it. Where a name is repeated the last
    /// member counts.
    pub fn value(&mut self, path: &[String]) -> Option<&'t [u8]> {
        path.iter().try_fold(self.whole, |object, name| {
            // Values of one text that begin at the same byte are the same.
            let known = self.objects.entry(object.as_ptr().addr());
            known.or_insert_with(|| Object { members: members(object), looked: 0, index: None }).value(name)
        })
    }
}

impl<'t> Object<'t> {
    fn value(&mut self, name: &str) -> Option<&'t [u8]> {
        self.looked = self.looked.saturating_add(1);
        if self.members.len() <= FEW_MEMBERS || self.looked <= FEW_LOOKUPS {
            let mut members = self.members.iter().rev();
            return members.find(|(key, _)| is_named(key, name)).map(|(_, value)| *value);
        }
        let named = |(key, value): &Member<'t>| Some((self::name(key)?, *value));
        let index = self.index.get_or_insert_with(|| self.members.iter().filter_map(named).collect());
        index.get(name.as_bytes()).copied()
    }
}

/// The members of an object; none of other values.
fn members(text: &[u8]) -> Vec<Member<'_>> {
    let mut members = Vec::new();
    let Some(mut rest) = text.strip_prefix(b"{") else { return members };
    loop {
        let Some(name) = next(&mut rest, b',') else { return members };
        let Some(value) = next(&mut rest, b':') else { return members };
        members.push((name, value));
    }
}

/// The next value, after white space and this sign.
fn next<'t>(rest: &mut &'t [u8], sign: u8) -> Option<&'t [u8]> {
    let is_before = |byte: &u8| *byte == sign || matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let from = rest.iter().position(|byte| !is_before(byte))?;
    let (_, value) = rest.split_at_checked(from)?;
    let (value, after) = value.split_at_checked(length(value)).filter(|(value, _)| !value.is_empty())?;
    *rest = after;
    Some(value)
}

/// How many bytes the value has that begins here; 0 when none does.
fn length(text: &[u8]) -> usize {
    match text.first() {
        Some(b'"') => text_length(text),
        Some(b'{' | b'[') => nested_length(text),
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            text.iter().position(ends).unwrap_or(text.len())
        }
    }
}

fn text_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(rest) = text.get(at..) {
        let Some(found) = memchr2(b'"', b'\\', rest) else { break };
        if rest.get(found) == Some(&b'"') {
            return at + found + 1;
        }
        at += found + 2;
    }
    text.len()
}

fn nested_length(text: &[u8]) -> usize {
    let (mut at, mut depth) = (0usize, 0usize);
    while let Some(rest) = text.get(at..) {
        at += token::until_nesting(rest);
        match text.get(at) {
            None => break,
            Some(b'"') => at += text_length(text.get(at..).unwrap_or_default()),
            Some(b'{' | b'[') => (at, depth) = (at + 1, depth + 1),
            Some(_) if depth <= 1 => return at + 1,
            Some(_) => (at, depth) = (at + 1, depth - 1),
        }
    }
    text.len()
}

/// Whether a name, which has its quotes, is this one.
fn is_named(key: &[u8], name: &str) -> bool {
    self::name(key).is_some_and(|key| *key == *name.as_bytes())
}

/// The name within quotes; none where it cannot be read.
fn name(key: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inside = key.get(1..key.len().saturating_sub(1)).unwrap_or_default();
    if inside.contains(&b'\\') {
        return serde_json::from_slice::<String>(key).ok().map(|name| name.into_bytes().into());
    }
    Some(inside.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn find<'t>(text: &'t str, path: &[&str]) -> Option<&'t str> {
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        Values::new(text.as_bytes()).value(&path).map(|value| std::str::from_utf8(value).unwrap())
    }

    const ORDER: &str = " {\"id\" : 7, \"a\\u0062\": \"x\\\"}y\", \"of\": { \"n\":[1, {\"]\":{}}], \"e\" :{}} ,\n\"id\":-8.5e3 , \"l\": [ ] }\n";

    #[test]
    fn values_are_slices_of_the_text() {
        let table: [(&[&str], Option<&str>); 10] = [
            (&[], Some(ORDER.trim())),
            (&["id"], Some("-8.5e3")),
            (&["ab"], Some("\"x\\\"}y\"")),
            (&["of", "n"], Some("[1, {\"]\":{}}]")),
            (&["of", "e"], Some("{}")),
            (&["l"], Some("[ ]")),
            (&["l", "n"], None),
            (&["of", "e", "n"], None),
            (&["n"], None),
            (&["id", "n"], None),
        ];
        for (path, expected) in table {
            assert_eq!(find(ORDER, path), expected, "{path:?}");
        }
        assert_eq!((find("{}", &["a"]), find("[1]", &["a"]), find(" null ", &[])), (None, None, Some("null")));
    }

    #[test]
    fn what_is_found_by_many_look_ups_is_what_is_found_by_one() {
        let odd = |at: usize| {
            if at.is_multiple_of(3) { format!("\\u00{:02x}", 0x41 + at % 26) } else { format!("n{}", at % 40) }
        };
        let members: Vec<String> = (0..100).map(|at| format!("\"{}\":{at}", odd(at))).collect();
        let text = format!("{{{}}}", members.join(","));
        let names: Vec<String> =
            serde_json::from_str::<Value>(&text).unwrap().as_object().unwrap().keys().cloned().collect();
        let mut values = Values::new(text.as_bytes());
        for name in names.iter().chain(&names).chain(&names) {
            let found = std::str::from_utf8(values.value(std::slice::from_ref(name)).unwrap()).unwrap();
            assert_eq!(Some(found), find(&text, &[name]), "{name}");
        }
        assert_eq!(values.value(&["none".into()]), None);
    }

    #[test]
    fn many_look_ups_take_no_longer_for_each() {
        let members: Vec<String> = (0..30_000).map(|at| format!("\"{at}\":{{\"v\":{at}}}")).collect();
        let text = format!("{{{}}}", members.join(","));
        let mut values = Values::new(text.as_bytes());
        let started = std::time::Instant::now();
        for at in 0..30_000 {
            assert_eq!(values.value(&[at.to_string(), "v".into()]), Some(at.to_string().as_bytes()));
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(3), "{:?}", started.elapsed());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            "[a{}\\[\\]\",:\\\\ é]{0,12}".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"\\\\{]{0,2}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_parser_finds(value in value(), pretty: bool, names in prop::collection::vec("[a-c\"\\\\{]{0,2}", 0..3)) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let mut ways: Vec<Vec<String>> = vec![Vec::new(), names];
            if let Value::Object(members) = &value {
                for (name, inner) in members {
                    ways.push(vec![name.clone()]);
                    ways.extend(inner.as_object().into_iter().flatten().map(|(within, _)| vec![name.clone(), within.clone()]));
                }
            }
            let mut within = Values::new(text.as_bytes());
            for way in ways {
                let expected = way.iter().try_fold(&value, |value, name| value.as_object()?.get(name));
                let found = within.value(&way).map(|found| serde_json::from_slice::<Value>(found).unwrap());
                prop_assert_eq!(found.as_ref(), expected, "{:?} in {}", way, text);
            }
        }

        #[test]
        fn no_bytes_are_a_reason_to_fail(bytes in prop_oneof![any::<Vec<u8>>(), "[{}\\[\\]\":,\\\\ 1a]{0,24}".prop_map(String::into_bytes)]) {
            let mut within = Values::new(&bytes);
            let _ = (within.value(&["a".into()]), within.value(&["a".into(), "1".into()]));
        }
    }
}
