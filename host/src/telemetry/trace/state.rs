//! `tracestate`: what tracing systems on the way wrote down (W3C Trace Context Level 2, section 3.3).
//!
//! The proxy writes nothing of its own into it, and passes on what came, within the specification's limits.

use http::HeaderValue;
use std::collections::HashSet;

/// More entries make the list invalid (section 3.3.1.1).
const MEMBERS: usize = 32;
/// Every system has to carry so many bytes; what is over is cut by whole entries (section 3.3.1.5).
const LENGTH: usize = 512;
/// Entries over this length, in bytes, are the first to go.
const LONG_MEMBER: usize = 128;
/// The longest key and the longest value, in bytes (section 3.3.1.3).
const PART: usize = 256;

/// The values of all `tracestate` lines as one, shortened where it is too long. None when there is nothing in it, or one
/// entry is invalid: then none of it can be trusted.
pub fn combine<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<HeaderValue> {
    let mut members: Vec<&[u8]> = Vec::new();
    let mut keys = HashSet::new();
    let mut count = 0;
    for member in lines.flat_map(|line| line.split(|byte| *byte == b',')) {
        let member = trim(member);
        if member.is_empty() {
            continue;
        }
        let key = key_of(member)?;
        count += 1;
        if count > MEMBERS {
            return None;
        }
        // The first one of a key is the latest.
        if keys.insert(key) {
            members.push(member);
        }
    }
    shorten(&mut members);
    if members.is_empty() {
        return None;
    }
    HeaderValue::from_bytes(&members.join(&b","[..])).ok()
}

/// Leaves out long entries, the last of them first, and then entries from the end, until the rest is short enough.
fn shorten(members: &mut Vec<&[u8]>) {
    let length = |members: &[&[u8]]| members.iter().map(|member| member.len() + 1).sum::<usize>().saturating_sub(1);
    while length(members) > LENGTH {
        match members.iter().rposition(|member| member.len() > LONG_MEMBER) {
            Some(long) => drop(members.remove(long)),
            None => drop(members.pop()),
        }
    }
}

/// The key of an entry that is well formed.
fn key_of(member: &[u8]) -> Option<&[u8]> {
    let at = member.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (member.get(..at)?, member.get(at + 1..)?);
    let starts = key.first().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
    let in_key = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte);
    let in_value = |byte: &u8| matches!(byte, b' '..=b'~') && !b",=".contains(byte);
    let good_key = starts && key.len() <= PART && key.iter().all(in_key);
    let good_value = !value.is_empty() && value.len() <= PART && value.iter().all(in_value);
    (good_key && good_value).then_some(key)
}

/// Without the optional white space around list entries.
fn trim(member: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = member.iter().position(|byte| !blank(byte)).unwrap_or(member.len());
    let end = member.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    member.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn combined(lines: &[&str]) -> Option<String> {
        let value = combine(lines.iter().map(|line| line.as_bytes()))?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn good_lists_pass_and_bad_ones_do_not() {
        let long = "v".repeat(256);
        let key = "k".repeat(256);
        for (lines, expected) in [
            (&["a=1"][..], Some("a=1")),
            (&["a=1,b=2"], Some("a=1,b=2")),
            (&["a=1", "b=2"], Some("a=1,b=2")),
            (&[" a=1 ,\tb=2\t, ,,"], Some("a=1,b=2")),
            (&["0a/*_-@b=x y"], Some("0a/*_-@b=x y")),
            (&["tenant@system=1"], Some("tenant@system=1")),
            // The latest of a key counts.
            (&["a=2,b=1", "a=1"], Some("a=2,b=1")),
            (&[""], None),
            (&[",,"], None),
            (&["a"], None),
            (&["a="], None),
            (&["=1"], None),
            (&["a =1"], None),
            (&["A=1"], None),
            (&["_a=1"], None),
            (&["a=1=2"], None),
            (&["a=\u{7f}"], None),
            (&["a=1", "b=\u{e4}"], None),
        ] {
            assert_eq!(combined(lines).as_deref(), expected, "{lines:?}");
        }
        assert_eq!(combined(&[&format!("{key}=1")]).map(|text| text.len()), Some(258));
        assert_eq!(combined(&[&format!("{key}k=1")]), None);
        assert_eq!(combined(&[&format!("a={long}")]).map(|text| text.len()), Some(258));
        assert_eq!(combined(&[&format!("a={long}v")]), None);
    }

    fn members(count: usize) -> String {
        (0..count).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn more_than_32_entries_are_no_list() {
        assert_eq!(combined(&[&members(32)]), Some(members(32)));
        assert_eq!(combined(&[&members(33)]), None);
        assert_eq!(combined(&[&members(16), &members(17)]), None);
    }

    #[test]
    fn what_is_too_long_loses_its_long_entries_first_and_then_the_last() {
        let long = format!("long={}", "x".repeat(200));
        let short = |number: usize| format!("k{number}={}", "x".repeat(90));
        let few = [short(1), long.clone(), short(2), short(3), short(4), short(5)].join(",");
        let without_long: Vec<_> = (1..=5).map(short).collect();
        assert_eq!(combined(&[&few]), Some(without_long.join(",")));
        let many: Vec<_> = (1..=9).map(short).collect();
        assert_eq!(combined(&[&many.join(",")]), Some(many[..5].join(",")));
    }

    proptest! {
        #[test]
        fn what_passes_is_within_the_limits_and_passes_again(lines in proptest::collection::vec("[a-c,= @1]{0,300}", 0..4)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            if let Some(state) = combined(&lines) {
                prop_assert!(state.len() <= LENGTH && state.split(',').count() <= MEMBERS);
                prop_assert_eq!(combined(&[&state]), Some(state));
            }
        }
    }
}
