use super::*;
use sluicegate_sdk::Attribute;

fn headers(list: &[(&str, &str)]) -> FieldLines {
    let header = |(name, value): &(&str, &str)| Header { name: (*name).into(), value: value.as_bytes().to_vec() };
    list.iter().map(header).collect::<Vec<_>>().as_slice().into()
}

const REQUIRED: [(&str, &str); 4] =
    [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/shop"), ("ce-type", "order.placed")];

fn binary(more: &[(&str, &str)], body: &str) -> Result<Event, Invalid> {
    parse_binary(&headers(&[&REQUIRED[..], more].concat()), body.as_bytes())
}

#[test]
fn the_mode_is_read_from_the_content_type_and_then_from_specversion() {
    let unknown = |format: &str| Mode::Unknown(format.into());
    for (content_type, expected) in [
        ("application/cloudevents+json", Mode::Structured),
        ("Application/CloudEvents+JSON; charset=UTF-8", Mode::Structured),
        ("application/cloudevents+json;charset=\"utf-8\"", Mode::Structured),
        ("application/cloudevents-batch+json", Mode::Batch),
        ("application/cloudevents-batch+json; charset=utf-8", Mode::Batch),
        ("application/cloudevents+avro", unknown("application/cloudevents+avro")),
        ("application/cloudevents-batch+xml", unknown("application/cloudevents-batch+xml")),
        ("application/cloudevents", unknown("application/cloudevents")),
        ("application/cloudevents+json; charset=utf-16", unknown("application/cloudevents+json; charset=utf-16")),
        ("application/json", Mode::Binary),
    ] {
        let list = headers(&[("content-type", content_type), ("CE-SpecVersion", "1.0")]);
        assert_eq!(Mode::of(&list), Ok(expected), "{content_type}");
    }
    assert_eq!(Mode::of(&headers(&[("ce-specversion", "0.3")])), Ok(Mode::Binary));
    assert_eq!(Mode::of(&headers(&[("content-type", "text/plain"), ("ce-id", "1")])), Ok(Mode::Plain));
    assert_eq!(Mode::of(&headers(&[])), Ok(Mode::Plain));
    assert!(Mode::of(&headers(&[("content-type", "a/b"), ("content-type", "a/b")])).is_err());
}

#[test]
fn a_binary_event_is_read() {
    let more = [
        ("ce-subject", "Euro%20%E2%82%AC"),
        ("CE-PartitionKey", "k"),
        ("content-type", "text/plain"),
        ("x-other", "?"),
    ];
    let event = binary(&more, "data").unwrap();
    assert_eq!((event.id.as_str(), event.source.as_str(), event.type_.as_str()), ("1", "/shop", "order.placed"));
    assert_eq!(event.subject.as_deref(), Some("Euro €"));
    assert_eq!(event.datacontenttype.as_deref(), Some("text/plain"));
    assert_eq!(event.extensions, [Attribute { name: "partitionkey".into(), value: "k".into() }]);
    assert_eq!(event.data.as_deref(), Some(&b"data"[..]));
    assert_eq!(binary(&[], "").unwrap().data, None);
}

#[test]
fn a_binary_event_that_breaks_a_rule_is_refused_by_attribute() {
    for (more, attribute) in [
        (&[("ce-id", "2")][..], "id"),
        (&[("ce-datacontenttype", "text/plain")], "datacontenttype"),
        (&[("content-type", "xyz")], "datacontenttype"),
        (&[("content-type", "a/b"), ("content-type", "a/b")], "datacontenttype"),
        (&[("ce-time", "today")], "time"),
        (&[("ce-subject", "100%")], "subject"),
        (&[("ce-my.ext", "1")], "my.ext"),
        (&[("ce-data", "1")], "data"),
        (&[("ce-", "1")], ""),
    ] {
        assert_eq!(binary(more, "").map_err(|invalid| invalid.attribute), Err(attribute.to_owned()), "{more:?}");
    }
    for missing in ["id", "source", "type"] {
        let rest: Vec<_> = REQUIRED.into_iter().filter(|(name, _)| name[3..] != *missing).collect();
        assert_eq!(parse_binary(&headers(&rest), b"").unwrap_err().attribute, missing);
    }
}

#[test]
fn what_is_written_reads_the_same() {
    let mut event = Event::new("id \"1\"", "/shop", "type");
    event.subject = Some("50% € 😀".into());
    event.time = Some("2026-01-31T18:30:00Z".into());
    event.dataschema = Some("https://example.com/schema".into());
    event.datacontenttype = Some("application/json".into());
    event.extensions = vec![Attribute { name: "partitionkey".into(), value: "a b".into() }];
    event.data = Some(b"{ \"spaced\" : 1.0 }".to_vec());
    for (headers, body) in [write_binary(&event), write_structured(&event)] {
        assert_eq!(parse_one(&headers.as_slice().into(), &body), Ok(Some(event.clone())));
    }
    let (headers, _) = write_binary(&event);
    let sent = |name: &str| headers.iter().find(|header| header.name == name).map(|header| header.value.clone());
    assert_eq!(sent("ce-id").as_deref(), Some(&b"id%20%221%22"[..]));
    assert_eq!(sent("ce-subject").as_deref(), Some(&b"50%25%20%E2%82%AC%20%F0%9F%98%80"[..]));
    assert_eq!((sent("content-type"), sent("ce-datacontenttype")), (Some(b"application/json".to_vec()), None));
}
