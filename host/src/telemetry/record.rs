//! One record of one request, and its line of JSON.
//!
//! Field names are those of OpenTelemetry's HTTP conventions where they have one; the rest starts with
//! `sluicegate.`.

mod calls;
mod object;
#[cfg(test)]
pub(super) mod tests;

use super::call::CallReport;
use super::trace::SpanContext;
use crate::error::{RequestError, Side};
use crate::priority::Priority;
use crate::request::RequestId;
use http::{Method, Version};
use object::Object;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

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
