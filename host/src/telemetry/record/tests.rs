use super::object::VALUE_SIZE;
use super::*;
use crate::shed::{Shed, ShedReason};
use crate::telemetry::call::{CallEnd, Origin};
use serde_json::Value;

/// A request that went well, for tests to vary.
pub(crate) fn record() -> AccessRecord<'static> {
    AccessRecord {
        id: RequestId(0xabc),
        trace: None,
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        peer: "192.0.2.1:4711".parse().unwrap(),
        method: &Method::GET,
        scheme: "http",
        authority: "shop",
        path: "/orders",
        protocol: Version::HTTP_11,
        status: Some(200),
        request_bytes: 0,
        response_bytes: 42,
        duration: Duration::from_micros(1_234),
        time_to_first_byte: Some(Duration::from_micros(900)),
        priority: None,
        route: Some("orders"),
        filter: Some("router"),
        upstream: Some("orders.default.svc.cluster.local"),
        endpoint: Some("127.0.0.1:9000".parse().unwrap()),
        attempts: 1,
        error: None,
        user_agent: Some(b"curl/8"),
        aborted: false,
        calls: &[],
    }
}

fn line(record: &AccessRecord<'_>) -> String {
    let mut line = Vec::new();
    record.write_line(&mut line);
    String::from_utf8(line).unwrap()
}

#[test]
fn the_calls_of_a_composed_answer_are_listed() {
    let call = CallReport {
        name: "a\"b".into(),
        host: "shop".into(),
        port: Some(8080),
        subset: None,
        end: CallEnd::Unaccepted(503),
        origin: Origin::Revalidated,
        attempts: 2,
        endpoint: Some(SocketAddr::from(([127, 0, 0, 1], 9))),
        duration: Duration::from_micros(12_345),
    };
    let late = CallReport { end: CallEnd::Failed("deadline"), origin: Origin::Service, attempts: 0, ..call.clone() };
    let record = AccessRecord { calls: &[call, late], ..record() };
    let value: serde_json::Value = serde_json::from_str(&line(&record)).unwrap();
    let expected = serde_json::json!([
        {"name": "a\"b", "destination": "shop", "port": 8080, "status": 503, "error": "status",
         "cache": "revalidated", "attempts": 2, "endpoint": "127.0.0.1:9", "ms": 12.345},
        {"name": "a\"b", "destination": "shop", "port": 8080, "error": "deadline", "endpoint": "127.0.0.1:9", "ms": 12.345},
    ]);
    assert_eq!(value["sluicegate.calls"], expected);
}

#[test]
fn says_all_that_is_known() {
    let value: Value = serde_json::from_str(&line(&record())).unwrap();
    let expected = serde_json::json!({
        "timestamp": "2023-11-14T22:13:20.123Z",
        "sluicegate.request.id": "00000000000000000000000000000abc",
        "client.address": "192.0.2.1", "client.port": 4711,
        "http.request.method": "GET", "url.scheme": "http", "server.address": "shop", "url.path": "/orders",
        "network.protocol.version": "1.1", "http.request.body.size": 0, "user_agent.original": "curl/8",
        "http.response.status_code": 200, "http.response.body.size": 42,
        "sluicegate.duration": 0.001_234, "sluicegate.time_to_first_byte": 0.0009,
        "http.route": "orders", "sluicegate.filter": "router",
        "sluicegate.upstream": "orders.default.svc.cluster.local", "sluicegate.endpoint": "127.0.0.1:9000",
        "sluicegate.attempts": 1,
    });
    assert_eq!(value, expected);
}

#[test]
fn names_the_trace_where_there_is_one() {
    let trace = SpanContext::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let value: Value = serde_json::from_str(&line(&AccessRecord { trace, ..record() })).unwrap();
    assert_eq!(value["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((&value["span_id"], &value["trace_flags"]), (&"00f067aa0ba902b7".into(), &"01".into()));
}

#[test]
fn says_what_was_short_and_how_much_it_mattered() {
    let error = RequestError::Overloaded(Shed::new(ShedReason::Memory, Priority::Low));
    let record = AccessRecord { error: Some(&error), priority: Some(Priority::Low), ..record() };
    let value: Value = serde_json::from_str(&line(&record)).unwrap();
    assert_eq!((&value["sluicegate.shed"], &value["sluicegate.priority"]), (&"memory".into(), &"low".into()));
    assert_eq!(value["error.type"], "proxy_overloaded");
}

#[test]
fn names_the_error_and_its_side() {
    let error = RequestError::Deadline { milliseconds: 50 };
    let value: Value =
        serde_json::from_str(&line(&AccessRecord { error: Some(&error), aborted: true, ..record() })).unwrap();
    assert_eq!(value["error.type"], "http_response_timeout");
    assert_eq!(value["sluicegate.error.side"], "upstream");
    assert_eq!(value["sluicegate.aborted"], true);
}

#[test]
fn a_client_cannot_break_out_of_its_value() {
    let agent = b"\"}\n{\"forged\":\"\\ \x1b[2J \x7f \xff \xc2\x9b \xe2\x80\xa8 \xe2\x80\xae \xc3\xa4";
    let text = line(&AccessRecord { user_agent: Some(agent), path: "/a\r\nb", ..record() });
    assert_eq!(text.matches('\n').count(), 1);
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["url.path"], "/a\r\nb");
    let expected = "\"}\n{\"forged\":\"\\ \u{1b}[2J \u{7f} \u{fffd} \u{9b} \u{2028} \u{202e} ä";
    assert_eq!(value["user_agent.original"], expected);
    assert!(value.get("forged").is_none());
}

#[test]
fn long_values_are_cut() {
    let path = "/".repeat(VALUE_SIZE + 1);
    let value: Value = serde_json::from_str(&line(&AccessRecord { path: &path, ..record() })).unwrap();
    assert_eq!(value["url.path"].as_str().unwrap(), format!("{}…", "/".repeat(VALUE_SIZE)));
}
