//! What the delivery of events needs of the rest: the chain's event filter, and the way to subscribers.

use crate::body::ProxyBody;
use crate::chain::result_of_failure;
use crate::event::{Decide, Post, Transport};
use crate::exchange::Exchange;
use crate::gather;
use crate::request::split_authority;
use crate::telemetry::trace::Span;
use crate::telemetry::{CallResult, Phase};
use crate::upstream::registry::Cluster;
use crate::upstream::{ForwardPolicy, forward};
use crate::wasm::types::{CallError, CallResponse, Delivery, DeliveryDecision, Event, EventDecision};
use crate::wasm::{Failure, FailureKind, Filter};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Instant;

/// Asks the event filter of the snapshot that is current when an event is due.
pub struct EventChain(pub Arc<Exchange>);

impl EventChain {
    fn ask<T>(&self, phase: Phase, call: impl FnOnce(&Filter) -> Result<T, Failure>) -> Result<T, String> {
        let snapshot = self.0.snapshot.load_full();
        let link = snapshot.chain.event_filter().ok_or("no filter has a hook for events")?;
        let started = Instant::now();
        let decided = call(&link.filter);
        match &decided {
            Ok(_) => link.metrics.observe(phase, CallResult::Ok, started.elapsed()),
            Err(failure) if failure.kind == FailureKind::Quarantined => {
                link.metrics.skipped(phase, CallResult::Quarantined);
            }
            Err(failure) => {
                link.metrics.observe(phase, result_of_failure(failure.kind), started.elapsed());
                link.note(phase, failure, None);
            }
        }
        decided.map_err(|failure| format!("filter {} failed: {failure}", link.filter.name))
    }
}

impl Decide for EventChain {
    fn begins(&self, event: &Event, delivery: &Delivery) -> Span {
        self.0.telemetry.tracer.deliver(event, delivery)
    }

    fn on_event(&self, event: Event, delivery: Delivery) -> Result<EventDecision, String> {
        self.ask(Phase::Event, |filter| filter.on_event(&event, &delivery))
    }

    fn on_delivered(
        &self,
        event: Event,
        delivery: Delivery,
        outcome: Result<CallResponse, CallError>,
    ) -> Result<DeliveryDecision, String> {
        let outcome = outcome.as_ref();
        self.ask(Phase::Delivered, |filter| filter.on_delivered(&event, &delivery, outcome))
    }
}

/// Sends deliveries through the current snapshot's services, or to an address that a URI names itself.
pub struct Upstreams(pub Arc<Exchange>);

impl Transport for Upstreams {
    async fn send(&self, post: Post) -> Result<CallResponse, CallError> {
        let uri: Uri = post.uri.parse().map_err(|_| CallError::NoEndpoint)?;
        let authority = uri.authority().ok_or(CallError::NoEndpoint)?.to_string();
        let snapshot = self.0.snapshot.load_full();
        let (host, host_port) = split_authority(&authority);
        let cluster = snapshot.registry.find(host, host_port).or_else(|| literal(host, host_port.unwrap_or(80)));
        let cluster = cluster.ok_or(CallError::NoEndpoint)?;
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = post.method.clone();
        parts.headers = headers(&post, &authority).ok_or(CallError::NoEndpoint)?;
        parts.uri = uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
        let policy = ForwardPolicy { timeout: Some(post.timeout), trace: post.trace, ..ForwardPolicy::default() };
        let forwarded = forward(&cluster, parts, ProxyBody::full(post.body), &policy).await;
        let (parts, body) = forwarded.map_err(|error| gather::outcome::of_error(&error))?.response.into_parts();
        let body = body.collect_up_to(post.max_body).await.map_err(|error| gather::outcome::of_body(&error))?;
        Ok(gather::outcome::response(&parts, body))
    }
}

/// An address written in the URI itself; other names are only known through manifests.
fn literal(host: &str, port: u16) -> Option<Cluster> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = match host.parse::<std::net::IpAddr>() {
        Ok(address) => std::net::SocketAddr::new(address, port),
        Err(_) if host == "localhost" => (host, port).to_socket_addrs().ok()?.next()?,
        Err(_) => return None,
    };
    Some(Cluster::of(host, address))
}

fn headers(post: &Post, authority: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::try_with_capacity(post.headers.len() + 1).ok()?;
    for header in &post.headers {
        let name = HeaderName::try_from(header.name.as_str()).ok()?;
        headers.try_append(name, HeaderValue::from_bytes(&header.value).ok()?).ok()?;
    }
    headers.try_insert(http::header::HOST, HeaderValue::from_str(authority).ok()?).ok()?;
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::trace::Parent;
    use crate::wasm::types::Header;
    use std::time::Duration;

    #[test]
    fn a_delivery_of_more_headers_than_a_message_can_have_is_not_sent() {
        let header = |number| Header { name: format!("x-{number}"), value: Vec::new() };
        let post = |count| Post {
            uri: "http://inventory/".to_owned(),
            method: http::Method::POST,
            headers: (0..count).map(header).collect(),
            body: Vec::new(),
            timeout: Duration::from_secs(1),
            max_body: 0,
            trace: Parent::default(),
        };
        assert_eq!(headers(&post(2), "inventory").map(|headers| headers.len()), Some(3));
        for count in [24_577, 30_000] {
            assert_eq!(headers(&post(count), "inventory"), None);
        }
    }
}
