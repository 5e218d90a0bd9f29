//! Attribute values as header values (CloudEvents HTTP binding 1.0.2, section 3.1.3.2).

use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};
use std::borrow::Cow;

/// Space, double quote, percent and everything outside of U+0021 to U+007E; nothing else.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// An attribute's value as it is sent.
pub(crate) fn encode(value: &str) -> String {
    utf8_percent_encode(value, ENCODED).to_string()
}

/// A header's value as an attribute: quoted parts are unquoted, then percent-encoding is undone, once. Says what is
/// wrong with a value that cannot be one.
pub(crate) fn decode(value: &[u8]) -> Result<String, &'static str> {
    // Most values are what they stand for.
    if value.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'%'))
        && let Ok(plain) = std::str::from_utf8(value)
    {
        return Ok(plain.to_owned());
    }
    if !value.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("it has a byte outside of printable ASCII, which has to be percent-encoded");
    }
    let unquoted = unquote(value)?;
    check_percents(&unquoted)?;
    let decoded = percent_decode(&unquoted).decode_utf8().map_err(|_| "its percent-encoding is not UTF-8")?;
    Ok(decoded.into_owned())
}

fn unquote(value: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    if !value.contains(&b'"') {
        return Ok(Cow::Borrowed(value));
    }
    let mut unquoted = Vec::with_capacity(value.len());
    let mut quoted = false;
    let mut bytes = value.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => unquoted.push(*bytes.next().ok_or("it ends in the middle of an escape")?),
            _ => unquoted.push(byte),
        }
    }
    if quoted { Err("it has a quote without an end") } else { Ok(Cow::Owned(unquoted)) }
}

/// A percent sign that is not followed by two digits has lost something; passing it on would hide that.
fn check_percents(value: &[u8]) -> Result<(), &'static str> {
    let mut parts = value.split(|&byte| byte == b'%');
    parts.next();
    let whole = |part: &[u8]| matches!(part, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if parts.all(whole) { Ok(()) } else { Err("it has a % that is not followed by two hexadecimal digits") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_come_back() {
        for (value, encoded) in [
            ("plain", "plain"),
            ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
            ("a%20b", "a%2520b"),
            ("\"q\"", "%22q%22"),
            ("!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"),
            ("tab\tdelete\u{7f}", "tab%09delete%7F"),
        ] {
            assert_eq!(encode(value), encoded);
            assert_eq!(decode(encoded.as_bytes()).as_deref(), Ok(value));
        }
    }

    #[test]
    fn what_others_send_is_decoded_once() {
        for (received, value) in [
            ("\"two words\"", "two words"),
            ("two words", "two words"),
            ("\"a \\\"b\\\" \\\\ c\"", "a \"b\" \\ c"),
            ("pre\"mid\"post", "premidpost"),
            ("%2520", "%20"),
            ("%e2%82%ac", "€"),
            ("%41%42", "AB"),
            ("\"%20\"", " "),
            ("back\\slash", "back\\slash"),
            ("", ""),
        ] {
            assert_eq!(decode(received.as_bytes()).as_deref(), Ok(value), "{received}");
        }
    }

    #[test]
    fn broken_values_are_refused() {
        for received in
            ["%", "50%", "%2", "%zz", "a%2", "\"open", "\"end\\", "%C0%A0", "%ff", "%E2%82", "\u{20ac}", "a\tb"]
        {
            assert!(decode(received.as_bytes()).is_err(), "{received}");
        }
    }
}
