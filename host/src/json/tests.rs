use super::*;
use proptest::prelude::*;
use serde::de::IgnoredAny;

/// Reads a text in pieces of this size.
fn read_in(text: &[u8], size: usize) -> Result<(), NotJson> {
    let mut validator = Validator::default();
    text.chunks(size).try_for_each(|piece| validator.read(piece))?;
    validator.finish()
}

/// What another reader says of it.
fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

#[test]
fn texts_are_told_from_what_is_none() {
    let texts = [
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-12",
        "1.50",
        "1e400",
        "2E-3",
        "0.0e+0",
        "\"\"",
        " \t\r\n1 ",
        r#"{"a":1,"a":[{},[[]],"b"]}"#,
        r#""\u00e9\ud800\"\\\/\b\f\n\r\t""#,
        "\"é€😀\"",
        "[1 , 2]",
        "{ \"a\" : 1 }",
    ];
    let others = [
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "{]",
        "[}",
        "[1,]",
        "[,1]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "{1:2}",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "--1",
        "1 2",
        "{} {}",
        "nul",
        "nulll",
        "True",
        "\"open",
        "\"line\nbreak\"",
        r#""\x""#,
        r#""\u12g4""#,
        "'a'",
        "\u{feff}{}",
        "[1}",
        "{\"a\":1]",
        ",",
        ":",
        "1,",
        "\u{0}",
        "\"\u{7f}",
        "NaN",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
    ];
    for text in texts {
        assert!(is_json(text.as_bytes()), "{text}");
        for size in 1..=text.len() {
            assert_eq!(read_in(text.as_bytes(), size), Ok(()), "{text} in pieces of {size}");
        }
    }
    for text in others {
        assert!(!is_json(text.as_bytes()), "{text}");
        for size in 1..=text.len().max(1) {
            assert_eq!(read_in(text.as_bytes(), size), Err(NotJson), "{text} in pieces of {size}");
        }
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_found_wherever_they_stand() {
    let broken: [&[u8]; 10] = [
        b"\"\xff\"",
        b"\"\xc3\"",
        b"\"\xc0\x80\"",
        b"\"\xe0\x80\x80\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf0\x80\x80\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xf5\x80\x80\x80\"",
        b"\"\x80\"",
        b"\xc3\xa9",
    ];
    for text in broken {
        assert_eq!(read_in(text, 1), Err(NotJson), "{text:?}");
        assert_eq!(read_in(text, text.len()), Err(NotJson), "{text:?}");
    }
}

#[test]
fn a_text_that_is_broken_is_known_to_be_at_once() {
    let mut validator = Validator::default();
    assert_eq!(validator.read(b"{\"a\":1}  \n"), Ok(()));
    assert_eq!(validator.read(b"x"), Err(NotJson));
}

#[test]
fn as_deep_as_the_limit_and_no_deeper() {
    let nested = |depth: usize| "[{\"a\":".repeat(depth / 2) + "1" + &"}]".repeat(depth / 2);
    assert_eq!(read_in(nested(DEPTH).as_bytes(), 7), Ok(()));
    assert_eq!(read_in(nested(DEPTH + 2).as_bytes(), 7), Err(NotJson));
    let wide = "[".to_owned() + &nested(DEPTH - 2) + "," + &nested(DEPTH - 2) + "]";
    assert_eq!(read_in(wide.as_bytes(), 64), Ok(()), "what is closed counts no more");
}

#[test]
fn plain_text_ends_before_the_first_byte_that_is_not() {
    for place in 0..20 {
        for byte in 0..=u8::MAX {
            let mut text = *b"abcdefghijklmnopqrst";
            text[place] = byte;
            let plain = matches!(byte, b' '..0x80) && byte != b'"' && byte != b'\\';
            assert_eq!(token::plain_text(&text), if plain { 20 } else { place }, "{byte:#x} at {place}");
        }
    }
}

/// Values as other writers write them.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".*".prop_map(serde_json::Value::String),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::vec((".*", inner), 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_written_as_json_is_read(value in value(), pretty: bool, size in 1usize..40) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        prop_assert_eq!(read_in(&text, size), Ok(()));
    }

    #[test]
    fn a_text_with_one_byte_changed_is_what_another_reader_says(
        value in value(), at: prop::sample::Index, byte: u8, size in 1usize..40,
    ) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        prop_assert_eq!(read_in(&text, size).is_ok(), is_json(&text));
    }

    #[test]
    fn signs_in_any_order_are_what_another_reader_says(text in r#"[\[\]{}:,"\\eE0-9.+\-tfn a\n]{0,24}"#, size in 1usize..9) {
        prop_assert_eq!(read_in(text.as_bytes(), size).is_ok(), is_json(text.as_bytes()));
    }

    #[test]
    fn pieces_make_no_difference(text: Vec<u8>, size in 1usize..9) {
        let whole = read_in(&text, text.len().max(1));
        prop_assert_eq!(read_in(&text, size), whole);
    }
}
