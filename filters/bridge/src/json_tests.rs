use super::*;

fn parsed(members: &str) -> Result<Event, Invalid> {
    parse(format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t"{members}}}"#).as_bytes())
}

fn data(members: &str) -> (Option<String>, Option<String>) {
    let event = parsed(members).unwrap();
    (event.datacontenttype, event.data.map(|bytes| String::from_utf8(bytes).unwrap()))
}

#[test]
fn data_is_json_text_or_base64_as_its_content_type_says() {
    let json = || Some("application/json".to_owned());
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(data(""), (None, None));
    assert_eq!(data(r#","data":{ "a" : 1.0 }"#), (json(), some(r#"{ "a" : 1.0 }"#)));
    assert_eq!(data(r#","data":"text""#), (json(), some(r#""text""#)));
    assert_eq!(data(r#","data":null"#), (json(), some("null")));
    assert_eq!(data(r#","data":"text","datacontenttype":"text/plain""#), (some("text/plain"), some("text")));
    assert_eq!(data(r#","datacontenttype":"a/b+json","data":[1]"#), (some("a/b+json"), some("[1]")));
    assert_eq!(data(r#","data_base64":"dGV4dA==""#), (None, some("text")));
    assert_eq!(data(r#","data_base64":null,"datacontenttype":null"#), (None, None));
    assert_eq!(data(r#","data":12345678901234567890123"#), (json(), some("12345678901234567890123")));
}

#[test]
fn extensions_take_their_canonical_strings() {
    let event = parsed(r#","a":true,"b":-5,"c":"x","d":null,"subject":null"#).unwrap();
    let extensions: Vec<_> = event.extensions.iter().map(|entry| (entry.name.as_str(), entry.value.as_str())).collect();
    assert_eq!(extensions, [("a", "true"), ("b", "-5"), ("c", "x")]);
}

#[test]
fn what_is_no_event_is_refused_by_attribute() {
    let array = format!(r#","ext":[{}0]"#, "0,".repeat(100));
    assert_eq!(
        parsed(&array).unwrap_err().reason,
        "it is an array; expected a string, a boolean or an integer of 32 bits"
    );
    for (members, attribute) in [
        (r#","id":"2""#, ""),
        (r#","subject":5"#, "subject"),
        (r#","time":{}"#, "time"),
        (r#","ext":1.5"#, "ext"),
        (r#","ext":2147483648"#, "ext"),
        (r#","ext":[]"#, "ext"),
        (r#","MyExt":"x""#, "MyExt"),
        (r#","data":1,"data_base64":"eA==""#, "data"),
        (r#","data":null,"data_base64":"eA==""#, "data"),
        (r#","data_base64":"???""#, "data_base64"),
        (r#","data_base64":1"#, "data_base64"),
        (r#","data":{},"datacontenttype":"text/plain""#, "data"),
        (r#","datacontenttype":"xyz""#, "datacontenttype"),
        (r#","subject":"\ud800""#, "subject"),
        (r#","subject":"\u0000""#, "subject"),
    ] {
        assert_eq!(parsed(members).map_err(|invalid| invalid.attribute), Err(attribute.to_owned()), "{members}");
    }
    for (body, attribute) in [
        ("", ""),
        ("[]", ""),
        ("null", ""),
        (r#"{"id":"1","source":"/s","type":"t"}"#, "specversion"),
        (r#"{"specversion":1.0,"id":"1","source":"/s","type":"t"}"#, "specversion"),
        (r#"{"specversion":"1.0","id":1,"source":"/s","type":"t"}"#, "id"),
        (r#"{"specversion":"1.0","id":"1","type":"t"}"#, "source"),
    ] {
        assert_eq!(parse(body.as_bytes()).map_err(|invalid| invalid.attribute), Err(attribute.to_owned()), "{body}");
    }
    assert!(parse(b"{\"specversion\":\"1.0\",\"id\":\"\xff\"}").is_err());
}

/// An object with so many extensions.
fn extensions(count: usize) -> String {
    let extensions = (0..count).map(|index| format!(r#","x{index}":1"#));
    format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t"{}}}"#, extensions.collect::<String>())
}

#[test]
fn a_member_that_is_there_twice_is_found_among_few_and_among_many() {
    for count in [1, 11, 12, 13, 14, 100] {
        let event = extensions(count);
        assert_eq!(parse(event.as_bytes()).unwrap().extensions.len(), count);
        for twice in ["x0".to_owned(), format!("x{}", count - 1), "id".to_owned()] {
            let event = event.replace('}', &format!(r#","{twice}":"1"}}"#));
            let reason = parse(event.as_bytes()).unwrap_err().reason;
            assert!(reason.contains(&format!("\"{twice}\" is there twice")), "{reason}");
        }
    }
}

#[test]
fn what_has_more_attributes_than_there_is_time_for_is_refused() {
    assert!(parse(extensions(1_020).as_bytes()).is_ok());
    let reason = parse(extensions(1_021).as_bytes()).unwrap_err().reason;
    assert!(reason.contains("more than 1024 attributes"), "{reason}");
    let batch = |events: usize, attributes: usize| {
        let events = vec![extensions(attributes - 4); events].join(",");
        parse_batch(format!("[{events}]").as_bytes()).map(|events| events.len()).map_err(|(_, invalid)| invalid.reason)
    };
    assert_eq!((batch(7, 1_024), batch(256, 31)), (Ok(7), Ok(256)));
    let reason = batch(8, 1_024).unwrap_err();
    assert!(reason.contains("more than 8192 attributes together"), "{reason}");
}

#[test]
fn a_batch_names_the_event_that_is_wrong() {
    let good = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;
    assert_eq!(parse_batch(b"[]"), Ok(Vec::new()));
    assert_eq!(parse_batch(format!("[{good},{good}]").as_bytes()).unwrap().len(), 2);
    let (index, invalid) = parse_batch(format!("[{good},{{}}]").as_bytes()).unwrap_err();
    assert_eq!((index, invalid.attribute.as_str()), (1, "specversion"));
    assert!(parse_batch(good.as_bytes()).is_err());
}

#[test]
fn data_is_written_as_what_it_is() {
    for (content_type, bytes, expected) in [
        (Some("application/json"), &b"{ \"a\":1.0 }"[..], r#","data":{ "a":1.0 }"#),
        (Some("application/json"), b"not json", r#","data_base64":"bm90IGpzb24=""#),
        (Some("text/plain"), b"a \"b\"", r#","data":"a \"b\"""#),
        (Some("text/plain; charset=iso-8859-1"), b"a", r#","data_base64":"YQ==""#),
        (Some("text/plain"), b"\xff", r#","data_base64":"/w==""#),
        (Some("application/octet-stream"), b"a", r#","data_base64":"YQ==""#),
        (None, b"1", r#","data_base64":"MQ==""#),
    ] {
        let mut event = Event::new("1", "/s", "t");
        event.datacontenttype = content_type.map(str::to_owned);
        event.data = Some(bytes.to_vec());
        let written = String::from_utf8(write(&event)).unwrap();
        assert!(written.ends_with(&format!("{expected}}}")), "{written}");
        assert_eq!(parse(written.as_bytes()), Ok(event));
    }
}
