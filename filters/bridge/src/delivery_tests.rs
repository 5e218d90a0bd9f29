use super::*;
use sluicegate_sdk::Attribute;

fn delivery(target: Target, format: Option<&str>) -> Delivery {
    Delivery {
        channel: "default/orders".into(),
        subscription: "default/stock".into(),
        target,
        uri: "http://inventory/".into(),
        format: format.map(str::to_owned),
        attempt: 1,
    }
}

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> CallResponse {
    let header = |(name, value): &(&str, &str)| Header { name: (*name).into(), value: value.as_bytes().to_vec() };
    CallResponse { status, headers: headers.iter().map(header).collect(), body: body.into() }
}

fn judged(status: u16, headers: &[(&str, &str)]) -> DeliveryDecision {
    judge(&delivery(Target::Subscriber, None), Ok(response(status, headers, "")))
}

const REPLY: [(&str, &str); 4] = [("ce-specversion", "1.0"), ("ce-id", "r"), ("ce-source", "/s"), ("ce-type", "t")];

fn sent(target: Target, format: Option<&str>, event: &Event) -> DeliveryRequest {
    match request(event, &delivery(target, format)) {
        EventDecision::Deliver(request) => request,
        other => panic!("not delivered: {other:?}"),
    }
}

fn header(request: &DeliveryRequest, name: &str) -> Option<String> {
    let found = request.headers.iter().find(|header| header.name == name)?;
    Some(String::from_utf8(found.value.clone()).unwrap())
}

#[test]
fn every_status_has_its_meaning() {
    let dead_letter = [100, 101, 300, 301, 302, 304, 307, 308, 400, 401, 403, 405, 410, 413, 415, 422, 451, 499];
    for status in dead_letter {
        assert!(
            matches!(judged(status, &[]), DeliveryDecision::DeadLetter(reason) if reason.contains(&status.to_string())),
            "{status}"
        );
    }
    for status in [404, 408, 409, 429, 500, 501, 502, 503, 504, 599, 600, 999] {
        assert_eq!(judged(status, &[]), DeliveryDecision::Retry(None), "{status}");
    }
    for status in [200, 201, 202, 203, 204, 206, 299] {
        assert_eq!(judged(status, &[]), DeliveryDecision::Ack, "{status}");
    }
}

#[test]
fn no_answer_is_tried_again() {
    let judged = |error| judge(&delivery(Target::Subscriber, None), Err(error));
    for error in
        [CallError::Deadline, CallError::NoEndpoint, CallError::Refused, CallError::Reset, CallError::Cancelled]
    {
        assert_eq!(judged(error.clone()), DeliveryDecision::Retry(None), "{error:?}");
    }
    assert!(matches!(judged(CallError::TooLarge), DeliveryDecision::DeadLetter(_)));
}

#[test]
fn only_a_200_of_a_subscriber_is_a_reply() {
    assert!(matches!(judged(200, &REPLY), DeliveryDecision::Emit(events) if events[0].id == "r"));
    for status in [201, 202, 204] {
        assert_eq!(judged(status, &REPLY), DeliveryDecision::Ack, "{status}");
    }
    for target in [Target::Reply, Target::DeadLetter] {
        assert_eq!(judge(&delivery(target, None), Ok(response(200, &REPLY, ""))), DeliveryDecision::Ack);
    }
    let structured = r#"{"specversion":"1.0","id":"s","source":"/s","type":"t"}"#;
    let structured = response(200, &[("Content-Type", "application/cloudevents+json")], structured);
    let judged = judge(&delivery(Target::Subscriber, None), Ok(structured));
    assert!(matches!(judged, DeliveryDecision::Emit(events) if events[0].id == "s"));
}

#[test]
fn an_answer_that_is_no_event_is_no_reply() {
    for headers in [
        &[("content-type", "application/json")][..],
        &[("content-type", "application/cloudevents+json")],
        &[("content-type", "application/cloudevents-batch+json")],
        &[("content-type", "application/cloudevents+avro")],
        &REPLY[..3],
    ] {
        assert_eq!(judged(200, headers), DeliveryDecision::Ack, "{headers:?}");
    }
}

#[test]
fn retry_after_is_read_on_429_and_503_only() {
    for (status, headers, expected) in [
        (429, &[("retry-after", "2")][..], Some(2_000)),
        (503, &[("retry-after", " 0 ")], Some(0)),
        (503, &[("retry-after", "soon")], None),
        (503, &[("retry-after", "99999999999999999999")], None),
        (500, &[("retry-after", "2")], None),
        (404, &[("retry-after", "2")], None),
        (
            503,
            &[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")],
            Some(10_000),
        ),
        (503, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), ("date", "Sun, 06 Nov 1994 08:49:47 GMT")], Some(0)),
        (503, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], None),
    ] {
        assert_eq!(judged(status, headers), DeliveryDecision::Retry(expected), "{status} {headers:?}");
    }
}

#[test]
fn events_are_sent_in_binary_mode_unless_json_is_asked_for() {
    let mut event = Event::new("1", "/shop", "order.placed");
    event.datacontenttype = Some("application/json".into());
    event.data = Some(b"{}".to_vec());
    event.extensions = vec![Attribute { name: "traceparent".into(), value: "00-a-b-01".into() }];
    for format in [None, Some("binary")] {
        let request = sent(Target::Subscriber, format, &event);
        assert_eq!(header(&request, "ce-specversion").as_deref(), Some("1.0"));
        assert_eq!(header(&request, "ce-id").as_deref(), Some("1"));
        assert_eq!(header(&request, "content-type").as_deref(), Some("application/json"));
        assert_eq!(header(&request, "traceparent").as_deref(), Some("00-a-b-01"));
        assert_eq!(request.body, b"{}");
    }
    let request = sent(Target::Subscriber, Some("json"), &event);
    assert_eq!(header(&request, "content-type").as_deref(), Some("application/cloudevents+json; charset=utf-8"));
    assert_eq!(header(&request, "ce-id"), None);
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&body["id"], &body["data"]), (&"1".into(), &serde_json::json!({})));
}

#[test]
fn only_subscribers_are_asked_for_a_reply() {
    let event = Event::new("1", "/shop", "order.placed");
    assert_eq!(header(&sent(Target::Subscriber, None, &event), "prefer").as_deref(), Some("reply"));
    for target in [Target::Reply, Target::DeadLetter] {
        assert_eq!(header(&sent(target, None, &event), "prefer"), None);
    }
}
