//! Percent-encoding (RFC 3986, section 2.1), by position: what a value holds never ends the place that it stands in.

use std::borrow::Cow;

/// Bytes that mean themselves everywhere (RFC 3986, section 2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Bytes that a path may hold as they are (RFC 3986, section 3.3).
pub fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/%".contains(&byte)
}

/// Writes a value so that it is one value, whatever is in it.
pub fn encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 0xf] {
                out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
}

/// What an encoded text stands for; none when that is no text, or the encoding is broken.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// The first value of a parameter of a query, decoded; a `+` is a space there.
pub fn query_value(query: &str, name: &str) -> Option<String> {
    let decoded = |text: &str| decode(&text.replace('+', " ")).map(Cow::into_owned);
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(key, _)| *key == name || decoded(key).is_some_and(|key| key == name))?;
    decoded(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_parameter_is_found_by_its_decoded_name() {
        let query = "a=1&b%20c=x+y%2B&flag&a=2&bad=%zz";
        for (name, value) in [("a", Some("1")), ("b c", Some("x y+")), ("flag", Some("")), ("no", None), ("bad", None)]
        {
            assert_eq!(query_value(query, name).as_deref(), value, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_value_stays_in_its_place_and_comes_back(value in "\\PC{0,12}|[/?#&=%. \\r\\n\"{}+]{0,12}") {
            let mut encoded = String::new();
            encode(&value, &mut encoded);
            prop_assert!(encoded.bytes().all(|byte| is_unreserved(byte) || byte == b'%'), "{encoded}");
            prop_assert_eq!(decode(&encoded).map(Cow::into_owned), Some(value.clone()));
            prop_assert_eq!(query_value(&format!("x=1&y={encoded}&z=2"), "y"), Some(value));
        }
    }
}
