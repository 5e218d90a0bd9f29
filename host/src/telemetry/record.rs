//! One record of one request, and its line of JSON.
//!
//! Field names are those of OpenTelemetry's HTTP conventions where they have one; the rest starts with
//! `sluicegate.`. Whatever a client controls is escaped and cut to a bound, so that a line is always one line.

use super::call::{CallEnd, CallReport};
use super::trace::SpanContext;
use crate::error::{RequestError, Side};
use crate::priority::Priority;
use crate::request::RequestId;
use http::{Method, Version};
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// The longest value a client controls, in bytes: enough to recognise it, too little to flood the log.
pub const VALUE_SIZE: usize = 2048;

/// What is known of a request once it is over.
#[derive(Debug, Clone)]
pub struct AccessRecord<'a> {
    /// Also in `x-request-id`, and the id of events made from it.
    pub id: RequestId,
    /// Its place in its trace; none when traces are off.
    pub trace: Option<SpanContext>,
    /// When its head was complete.
    pub time: SystemTime,
    /// The client.
    pub peer: SocketAddr,
    /// As received.
    pub method: &'a Method,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// As received.
    pub authority: &'a str,
    /// As received, without the query, which may hold secrets.
    pub path: &'a str,
    /// The client's protocol version.
    pub protocol: Version,
    /// What the client was answered; none when it went away before.
    pub status: Option<u16>,
    /// Bytes of the request body that were read.
    pub request_bytes: u64,
    /// Bytes of the response body that were written.
    pub response_bytes: u64,
    /// From the complete head to the last byte of the response.
    pub duration: Duration,
    /// From the complete head to the first byte of the response.
    pub time_to_first_byte: Option<Duration>,
    /// How much it matters, where requests are told apart, and where it was refused for it.
    pub priority: Option<Priority>,
    /// The route's name, as the filter that chose it says.
    pub route: Option<&'a str>,
    /// The filter that decided, if one did.
    pub filter: Option<&'a str>,
    /// The service it was sent to.
    pub upstream: Option<&'a str>,
    /// The endpoint of the last try.
    pub endpoint: Option<SocketAddr>,
    /// Tries, the first included; 0 when it was not sent on.
    pub attempts: u32,
    /// What went wrong.
    pub error: Option<&'a RequestError>,
    /// The header, as received.
    pub user_agent: Option<&'a [u8]>,
    /// Whether the exchange ended before the response was complete.
    pub aborted: bool,
    /// The calls that the answer was composed of, in the order in which their plans had them.
    pub calls: &'a [CallReport],
}

impl AccessRecord<'_> {
    /// Appends the record as one line of JSON.
    pub fn write_line(&self, line: &mut Vec<u8>) {
        let mut object = Object { out: line };
        object.out.extend_from_slice(b"{\"timestamp\":\"");
        object.time(self.time);
        object.out.push(b'"');
        self.write_request(&mut object);
        self.write_response(&mut object);
        self.write_way(&mut object);
        line.extend_from_slice(b"}\n");
    }

    fn write_request(&self, object: &mut Object<'_>) {
        object.display("sluicegate.request.id", self.id);
        if let Some(trace) = self.trace {
            trace.write(|key, value| object.display(key, value));
        }
        object.display("client.address", self.peer.ip());
        object.number("client.port", u64::from(self.peer.port()));
        object.text("http.request.method", self.method.as_str().as_bytes());
        object.text("url.scheme", self.scheme.as_bytes());
        object.text("server.address", self.authority.as_bytes());
        object.text("url.path", self.path.as_bytes());
        object.text("network.protocol.version", protocol(self.protocol).as_bytes());
        object.number("http.request.body.size", self.request_bytes);
        if let Some(agent) = self.user_agent {
            object.text("user_agent.original", agent);
        }
    }

    fn write_response(&self, object: &mut Object<'_>) {
        if let Some(status) = self.status {
            object.number("http.response.status_code", u64::from(status));
        }
        object.number("http.response.body.size", self.response_bytes);
        object.seconds("sluicegate.duration", self.duration);
        if let Some(first) = self.time_to_first_byte {
            object.seconds("sluicegate.time_to_first_byte", first);
        }
        if let Some(error) = self.error {
            object.text("error.type", error.kind().as_bytes());
            object.text("sluicegate.error.side", side(error.side()).as_bytes());
            object.text("error.message", error.to_string().as_bytes());
            if let Some(shed) = error.shed() {
                object.text("sluicegate.shed", shed.reason.name().as_bytes());
            }
        }
        if self.aborted {
            object.key("sluicegate.aborted");
            object.out.extend_from_slice(b"true");
        }
    }

    fn write_way(&self, object: &mut Object<'_>) {
        if let Some(priority) = self.priority {
            object.text("sluicegate.priority", priority.name().as_bytes());
        }
        if let Some(route) = self.route {
            object.text("http.route", route.as_bytes());
        }
        if let Some(filter) = self.filter {
            object.text("sluicegate.filter", filter.as_bytes());
        }
        if let Some(upstream) = self.upstream {
            object.text("sluicegate.upstream", upstream.as_bytes());
        }
        if let Some(endpoint) = self.endpoint {
            object.display("sluicegate.endpoint", endpoint);
        }
        if self.attempts > 0 {
            object.number("sluicegate.attempts", u64::from(self.attempts));
        }
        if !self.calls.is_empty() {
            object.calls(self.calls);
        }
    }
}

/// As OpenTelemetry's `network.protocol.version` has it.
pub fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Downstream => "downstream",
        Side::Upstream => "upstream",
        Side::Filter => "filter",
        Side::Internal => "internal",
    }
}

/// Members of a JSON object, after its first. Writing into memory cannot fail, so results of `write!` are ignored.
struct Object<'a> {
    out: &'a mut Vec<u8>,
}

impl Object<'_> {
    fn key(&mut self, key: &str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        let _ = write!(self.out, "{number}");
    }

    /// A value of the proxy's own that needs no escaping.
    fn display(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        let _ = write!(self.out, "\"{value}\"");
    }

    /// Seconds with microseconds.
    fn seconds(&mut self, key: &str, duration: Duration) {
        self.key(key);
        let _ = write!(self.out, "{}.{:06}", duration.as_secs(), duration.subsec_micros());
    }

    /// A list of objects.
    fn calls(&mut self, calls: &[CallReport]) {
        self.key("sluicegate.calls");
        for (index, call) in calls.iter().enumerate() {
            self.out.push(if index == 0 { b'[' } else { b',' });
            self.call(call);
        }
        self.out.push(b']');
    }

    fn call(&mut self, call: &CallReport) {
        self.out.extend_from_slice(b"{\"name\":\"");
        escape(cut(call.name.as_bytes()), self.out);
        self.out.push(b'"');
        self.text("destination", call.host.as_bytes());
        if let Some(port) = call.port {
            self.number("port", u64::from(port));
        }
        if let Some(subset) = &call.subset {
            self.text("subset", subset.as_bytes());
        }
        match call.end {
            CallEnd::Good(status) => self.number("status", u64::from(status)),
            CallEnd::Unaccepted(status) => {
                self.number("status", u64::from(status));
                self.text("error", b"status");
            }
            CallEnd::Failed(reason) => self.text("error", reason.as_bytes()),
        }
        if let Some(cache) = call.origin.word() {
            self.text("cache", cache.as_bytes());
        }
        if call.attempts > 0 {
            self.number("attempts", u64::from(call.attempts));
        }
        if let Some(endpoint) = call.endpoint {
            self.display("endpoint", endpoint);
        }
        self.milliseconds("ms", call.duration);
        self.out.push(b'}');
    }

    /// Milliseconds with microseconds.
    fn milliseconds(&mut self, key: &str, duration: Duration) {
        self.key(key);
        let _ = write!(self.out, "{}.{:03}", duration.as_millis(), duration.subsec_micros() % 1_000);
    }

    fn time(&mut self, time: SystemTime) {
        if let Ok(time) = jiff::Timestamp::try_from(time) {
            let _ = write!(self.out, "{time:.3}");
        }
    }

    fn text(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        self.out.push(b'"');
        let (kept, cut) = match value.get(..VALUE_SIZE) {
            Some(kept) if value.len() > VALUE_SIZE => (kept, true),
            _ => (value, false),
        };
        escape(kept, self.out);
        if cut {
            self.out.extend_from_slice("…".as_bytes());
        }
        self.out.push(b'"');
    }
}

/// As much of a value as a record has room for.
fn cut(value: &[u8]) -> &[u8] {
    value.get(..VALUE_SIZE).unwrap_or(value)
}

/// Appends bytes as the inside of a JSON string: control characters, those of terminals included, are escaped, and
/// what is not UTF-8 becomes U+FFFD.
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    let plain = |byte: &u8| (b' '..0x7f).contains(byte) && *byte != b'"' && *byte != b'\\';
    if bytes.iter().all(plain) {
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => out.extend_from_slice(&[b'\\', if character == '"' { b'"' } else { b'\\' }]),
                _ if character.is_control() || is_hidden(character) => {
                    let _ = write!(out, "\\u{:04x}", u32::from(character));
                }
                _ => {
                    let mut encoded = [0; 4];
                    out.extend_from_slice(character.encode_utf8(&mut encoded).as_bytes());
                }
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Separators that some readers take for line ends, and marks that turn the direction of text around.
fn is_hidden(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::shed::{Shed, ShedReason};
    use crate::telemetry::call::Origin;
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
        let late =
            CallReport { end: CallEnd::Failed("deadline"), origin: Origin::Service, attempts: 0, ..call.clone() };
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
}
