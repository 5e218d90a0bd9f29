use super::*;

fn event() -> Event {
    Event::new("1", "/source", "type")
}

fn with(name: &str, value: &str) -> Result<(), Invalid> {
    let mut event = event();
    set(&mut event, name, value.to_owned())?;
    check(&event)
}

#[test]
fn valid_attributes_pass() {
    for (name, value) in [
        ("specversion", "1.0"),
        ("id", "any text, € too"),
        ("source", "#fragment"),
        ("source", "https://shop.example/orders?x=%20"),
        ("source", "urn:uuid:6e8bc430"),
        ("type", "com.example.order"),
        ("subject", " "),
        ("time", "2018-04-26T14:48:09+02:00"),
        ("time", "2018-04-26T14:48:09.123456789Z"),
        ("time", "2024-02-29t23:59:60z"),
        ("time", "2018-04-26T14:48:09-23:59"),
        ("datacontenttype", "application/json"),
        ("datacontenttype", "text/plain; charset=utf-8"),
        ("datacontenttype", "text/plain;a=\"b;c\" ; d=e"),
        ("dataschema", "https://example.com/schema"),
        ("dataschema", "urn:x"),
        ("partitionkey", "a b"),
        ("x", ""),
        ("morethantwentycharacterslong", "1"),
        ("1st", "1"),
    ] {
        assert_eq!(with(name, value), Ok(()), "{name}: {value}");
    }
}

#[test]
fn invalid_attributes_are_named() {
    for (name, value) in [
        ("specversion", "0.3"),
        ("specversion", "0.9"),
        ("specversion", "19.0"),
        ("specversion", ""),
        ("id", ""),
        ("id", "a\u{0}b"),
        ("id", "a\u{85}b"),
        ("id", "a\u{ffff}b"),
        ("id", "a\u{fdd0}b"),
        ("source", ""),
        ("source", "two words"),
        ("source", "a#b#c"),
        ("source", "%zz"),
        ("source", "<a>"),
        ("type", ""),
        ("subject", ""),
        ("time", ""),
        ("time", "2018-04-26T18:31Z"),
        ("time", "2018-04-26T18:31:00+05"),
        ("time", "2018-04-26T18:31:00+25:00"),
        ("time", "2018-04-26T18:31:00+05:60"),
        ("time", "2018-04-26T18:31:00"),
        ("time", "2018-04-26 18:31:00Z"),
        ("time", "2018-02-29T18:31:00Z"),
        ("time", "2018-13-01T18:31:00Z"),
        ("time", "2018-04-00T18:31:00Z"),
        ("time", "2018-04-26T24:00:00Z"),
        ("time", "2018-04-26T18:31:00.Z"),
        ("time", "18-04-26T18:31:00Z"),
        ("time", "2018-04-26T+8:31:00Z"),
        ("datacontenttype", ""),
        ("datacontenttype", "xyz"),
        ("datacontenttype", "text/"),
        ("datacontenttype", "/plain"),
        ("datacontenttype", "text/plain;"),
        ("datacontenttype", "text/plain; charset"),
        ("dataschema", ""),
        ("dataschema", "/relative"),
        ("dataschema", "http:"),
        ("dataschema", "1http://a"),
        ("data", "x"),
        ("MyExt", "x"),
        ("my.ext", "x"),
        ("my-ext", "x"),
        ("", "x"),
        ("ext", "a\nb"),
    ] {
        match with(name, value) {
            Err(invalid) => assert_eq!(invalid.attribute, name, "{name}: {value}"),
            Ok(()) => panic!("{name}: {value:?} passed"),
        }
    }
}

#[test]
fn the_reason_says_what_was_found_and_what_was_expected() {
    let invalid = with("time", "noon").unwrap_err();
    assert_eq!(invalid.reason, "it is \"noon\"; expected an RFC 3339 timestamp such as 2026-01-31T18:30:00Z");
}
