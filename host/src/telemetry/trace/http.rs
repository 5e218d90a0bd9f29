//! What spans say of requests and responses, after OpenTelemetry's semantic conventions for HTTP.
//!
//! No header's value but the host's name, no query and no body is ever part of a span.

use super::context;
use super::span::{Kind, Span, SpanData};
use super::tracer::Parent;
use crate::error::RequestError;
use crate::telemetry::AccessRecord;
use crate::telemetry::record::protocol;
use http::header::HOST;
use http::{Method, Request, StatusCode};
use std::net::SocketAddr;
use std::time::Duration;

/// Says everything of a request that is over.
pub(super) fn served(span: &mut SpanData, record: &AccessRecord<'_>) {
    span.start = record.time;
    span.lasts(record.duration);
    let method = method(span, record.method);
    span.name(match record.route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    });
    span.set("url.scheme", record.scheme.to_owned());
    span.set("url.path", record.path.to_owned());
    let (host, port) = host_and_port(record.authority);
    if !host.is_empty() {
        span.set("server.address", host.to_owned());
    }
    if let Some(port) = port {
        span.set("server.port", port);
    }
    span.set("network.protocol.version", protocol(record.protocol));
    span.set("client.address", record.peer.ip().to_string());
    span.set("client.port", record.peer.port());
    for (key, value) in
        [("http.route", record.route), ("sluicegate.filter", record.filter), ("sluicegate.upstream", record.upstream)]
    {
        if let Some(value) = value {
            span.set(key, value.to_owned());
        }
    }
    span.set("sluicegate.request.id", record.id.to_string());
    span.set("http.response.body.size", record.response_bytes);
    if record.attempts > 1 {
        span.set("sluicegate.attempts", record.attempts);
    }
    result(span, record);
}

/// A server's span failed only when the server did: 4xx is the client's matter.
fn result(span: &mut SpanData, record: &AccessRecord<'_>) {
    if let Some(status) = record.status {
        span.set("http.response.status_code", status);
    }
    if record.aborted {
        span.set("sluicegate.aborted", true);
    }
    match (record.status, record.error) {
        (Some(status @ 500..), Some(error)) => span.fail(error.kind(), format!("{status}: {error}")),
        (Some(status @ 500..), None) => span.fail(status.to_string(), ""),
        (_, Some(error)) => span.set("error.type", error.kind()),
        (None, None) => span.set("error.type", "client_gone"),
        _ => {}
    }
}

/// A span for one try to send a request there; the request says that it comes from it. `count` is 1 for the first try.
pub fn begin_try<B>(
    parent: &Parent,
    request: &mut Request<B>,
    service: &str,
    endpoint: SocketAddr,
    count: u32,
) -> Span {
    let span = parent.span(Kind::Client, |span| {
        span.pending = true;
        let method = method(span, request.method());
        span.name(method.to_owned());
        span.set("server.address", service.to_owned());
        span.set("server.port", endpoint.port());
        span.set("network.peer.address", endpoint.ip().to_string());
        span.set("network.peer.port", endpoint.port());
        span.set("url.full", full(request));
        if count > 1 {
            span.set("http.request.resend_count", count - 1);
        }
    });
    if let Some(context) = span.context() {
        context::write(request.headers_mut(), context, parent.state());
    }
    span
}

/// Says how a try ended: with a response's head, or without one. A client's span failed with 4xx too.
pub fn end_try(span: &mut Span, result: Result<StatusCode, &RequestError>) {
    span.describe(|span| {
        span.pending = false;
        match result {
            Ok(status) => {
                span.set("http.response.status_code", status.as_u16());
                if status.is_client_error() || status.is_server_error() {
                    span.fail(status.as_u16().to_string(), "");
                }
            }
            Err(error) => span.fail(error.kind(), error.to_string()),
        }
    });
}

/// Says that a try is followed by another one, after so long.
pub fn tried_again(span: &mut Span, wait: Duration) {
    span.describe(|span| {
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        span.event("sluicegate.retry", [("sluicegate.retry.wait_ms", wait.into())]);
    });
}

/// A span for a call of a plan. What follows a `[` in its name tells calls of one kind apart, and is no part of the
/// span's name.
pub fn begin_call(parent: &Parent, name: &str, service: &str, required: bool) -> Span {
    parent.span(Kind::Internal, |span| {
        span.pending = true;
        let kind = name.split_once('[').map_or(name, |(kind, _)| kind);
        span.name(format!("call {kind}"));
        span.set("sluicegate.call", name.to_owned());
        span.set("sluicegate.call.required", required);
        span.set("server.address", service.to_owned());
    })
}

/// Says what a call brought: a status, or the word for its failure.
pub fn end_call(span: &mut Span, result: Result<u16, &'static str>) {
    span.describe(|span| {
        span.pending = false;
        match result {
            Ok(status) => span.set("http.response.status_code", status),
            Err(reason) => span.fail(reason, ""),
        }
    });
}

/// Sets the method, and gives the word for the span's name. Methods that not everybody knows are no names: there could
/// be any number of them.
fn method(span: &mut SpanData, method: &Method) -> &'static str {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ];
    let names = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    if let Some((_, name)) = known.iter().zip(names).find(|(known, _)| *known == method) {
        span.set("http.request.method", name);
        return name;
    }
    span.set("http.request.method", "_OTHER");
    span.set("http.request.method_original", method.as_str().to_owned());
    "HTTP"
}

/// Where a request goes, without its query.
fn full<B>(request: &Request<B>) -> String {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or(request.uri().authority().map(http::uri::Authority::as_str)).unwrap_or_default();
    format!("{}://{host}{}", request.uri().scheme_str().unwrap_or("http"), request.uri().path())
}

/// The host and the port of an authority; an IPv6 address keeps its brackets.
fn host_and_port(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host, Some(port)),
        _ => (authority, None),
    }
}
