//! What the delivery of events needs of the rest: the chain's event filter, and the way to subscribers.

use crate::body::{BodyError, ProxyBody};
use crate::chain::result_of_failure;
use crate::decision;
use crate::event::{Decide, Post, Transport};
use crate::exchange::Exchange;
use crate::gather;
use crate::request::split_authority;
use crate::telemetry::trace::Span;
use crate::telemetry::{CallResult, Phase};
use crate::tls::client::ClientTerms;
use crate::upstream::policy::TlsSettings;
use crate::upstream::registry::{Cluster, Registry};
use crate::upstream::{ForwardPolicy, forward};
use crate::wasm::types::{CallError, CallResponse, CorrelatedAnswer, Delivery, DeliveryDecision, Event, EventDecision};
use crate::wasm::{Failure, FailureKind, Filter};
use bytes::{Bytes, BytesMut};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::BodyExt;
use std::net::ToSocketAddrs;
use std::sync::{Arc, LazyLock};
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
        self.ask(Phase::Event, |filter| filter.on_event(&event, &delivery).and_then(answerable))
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

    fn may_log(&self, bytes: usize) -> bool {
        let snapshot = self.0.snapshot.load();
        snapshot.chain.event_filter().is_none_or(|link| link.filter.may_log(bytes))
    }
}

/// An answer that cannot be is the fault of the filter that gives it, not of the one whose request waits for it.
fn answerable(decision: EventDecision) -> Result<EventDecision, Failure> {
    if let EventDecision::Answer(CorrelatedAnswer { answer, .. }) = &decision {
        decision::check(answer)?;
    }
    Ok(decision)
}

/// Where HTTP and HTTPS are when a URI does not say.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
/// What the media types of events begin with, and the header that makes a message one.
const EVENT_TYPE: &str = "application/cloudevents";
const EVENT_HEADER: &str = "ce-specversion";

/// Sends deliveries through the current snapshot's services, or to an address that a URI names itself.
pub struct Upstreams(pub Arc<Exchange>);

impl Transport for Upstreams {
    async fn send(&self, post: Post) -> Result<CallResponse, CallError> {
        let uri: Uri = post.uri.parse().map_err(|_| CallError::NoEndpoint)?;
        let authority = uri.authority().ok_or(CallError::NoEndpoint)?.to_string();
        let snapshot = self.0.snapshot.load_full();
        let cluster = way(&snapshot.registry, &uri, of_system).ok_or(CallError::NoEndpoint)?;
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = post.method.clone();
        parts.headers = headers(&post, &authority).ok_or(CallError::NoEndpoint)?;
        parts.uri = uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
        let policy = ForwardPolicy { timeout: Some(post.timeout), trace: post.trace, ..ForwardPolicy::default() };
        let forwarded = forward(&cluster, parts, ProxyBody::full(post.body), &policy).await;
        let (parts, body) = forwarded.map_err(|error| gather::outcome::of_error(&error))?.response.into_parts();
        let begun = beginning(body, post.max_body).await;
        let (body, is_whole) = begun.map_err(|error| gather::outcome::of_body(&error))?;
        // What became of the event the status says; only a reply is none without its end.
        if !is_whole && post.wants_reply && parts.status == StatusCode::OK && is_event(&parts.headers) {
            return Err(CallError::TooLarge);
        }
        Ok(gather::outcome::response(&parts, body))
    }
}

/// As much of a body as may be taken in, in bytes, and whether that is all of it.
async fn beginning(mut body: ProxyBody, most: u64) -> Result<(Bytes, bool), BodyError> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut taken = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame?.into_data() else { continue };
        let room = most.saturating_sub(taken.len());
        let is_over = data.len() > room;
        data.truncate(room);
        taken.extend_from_slice(&data);
        if is_over {
            return Ok((taken.freeze(), false));
        }
    }
    Ok((taken.freeze(), true))
}

/// Whether a response with these headers carries an event, in either mode.
fn is_event(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let beginning = content_type.get(..EVENT_TYPE.len()).unwrap_or_default();
    headers.contains_key(EVENT_HEADER) || beginning.eq_ignore_ascii_case(EVENT_TYPE.as_bytes())
}

/// Where a URI leads: to a service, or to an address that it names itself. With `https` it is spoken to over TLS, by the
/// service's own policy or else by these settings, and never without.
fn way(registry: &Registry, uri: &Uri, tls: impl FnOnce() -> Option<Arc<TlsSettings>>) -> Option<Cluster> {
    let (host, port) = split_authority(uri.authority()?.as_str());
    if uri.scheme() != Some(&Scheme::HTTPS) {
        return registry.find(host, port).or_else(|| literal(host, port.unwrap_or(HTTP_PORT)));
    }
    let known = registry.find(host, port.or(Some(HTTPS_PORT))).or_else(|| registry.find(host, port));
    let cluster = known.or_else(|| literal(host, port.unwrap_or(HTTPS_PORT)))?;
    Some(cluster.secured(&tls()?))
}

/// TLS that trusts the authorities of the system, or of `SSL_CERT_FILE`; none where there are none.
fn of_system() -> Option<Arc<TlsSettings>> {
    static SETTINGS: LazyLock<Option<Arc<TlsSettings>>> = LazyLock::new(|| {
        let settings = TlsSettings::new(&ClientTerms::default(), None);
        let settings = settings.inspect_err(|error| tracing::error!(%error, "no event is delivered to https"));
        settings.ok().map(Arc::new)
    });
    SETTINGS.clone()
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
    use crate::tls::testing::Authority;
    use crate::upstream::registry::{Endpoint, Names, Protocol, ServicePort};
    use crate::wasm::types::{Answer, Header};
    use std::net::SocketAddr;
    use std::time::Duration;

    fn registry() -> Registry {
        let mut registry = Registry::new(Names::default());
        let port = |number: u16, address: &str| ServicePort {
            number: Some(number),
            name: None,
            protocol: Protocol::Http1,
            endpoints: vec![Endpoint::new(address.parse().unwrap())],
        };
        let ports = vec![port(80, "127.0.0.1:8080"), port(443, "127.0.0.1:8443")];
        registry.add("shop.default.svc.cluster.local".into(), ports);
        registry
    }

    #[test]
    fn https_leads_to_its_own_port_and_is_never_spoken_without_tls() {
        let authorities = Some(Authority::new("ca").certificate().into_bytes());
        let settings =
            Arc::new(TlsSettings::new(&ClientTerms { authorities, ..ClientTerms::default() }, None).unwrap());
        let registry = registry();
        for (uri, expected, is_secure) in [
            ("http://127.0.0.1/events", "127.0.0.1:80", false),
            ("https://127.0.0.1/events", "127.0.0.1:443", true),
            ("https://[::1]:9443/", "[::1]:9443", true),
            ("http://shop/", "127.0.0.1:8080", false),
            ("https://shop/", "127.0.0.1:8443", true),
            ("https://shop.default.svc:80/", "127.0.0.1:8080", true),
        ] {
            let uri: Uri = uri.parse().unwrap();
            let cluster = way(&registry, &uri, || Some(Arc::clone(&settings))).unwrap();
            let address: SocketAddr = expected.parse().unwrap();
            assert_eq!(cluster.members()[0].endpoint.address, address, "{uri}");
            assert_eq!(cluster.wire().is_some_and(|wire| wire.tls.is_some()), is_secure, "{uri}");
            assert_eq!(way(&registry, &uri, || None).is_some(), !is_secure, "{uri}: without authorities");
        }
        let unknown = Uri::from_static("https://elsewhere.example/");
        assert!(way(&registry, &unknown, || Some(settings)).is_none());
    }

    #[test]
    fn an_answer_that_cannot_be_is_the_fault_of_the_filter_that_gives_it() {
        let answer = |status| {
            let answer = Answer { status, headers: Vec::new(), body: Vec::new(), delay: None };
            EventDecision::Answer(CorrelatedAnswer { key: "1".to_owned(), answer })
        };
        assert!(answerable(answer(200)).is_ok());
        assert_eq!(answerable(answer(42)).unwrap_err().kind, FailureKind::Invalid);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_cut_and_says_so() {
        let of = |length: usize| ProxyBody::full(vec![b'x'; length]);
        for (length, expected) in [(0, (0, true)), (10, (10, true)), (11, (10, false))] {
            let (data, is_whole) = beginning(of(length), 10).await.unwrap();
            assert_eq!((data.len(), is_whole), expected);
        }
    }

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
            wants_reply: false,
            trace: Parent::default(),
        };
        assert_eq!(headers(&post(2), "inventory").map(|headers| headers.len()), Some(3));
        for count in [24_577, 30_000] {
            assert_eq!(headers(&post(count), "inventory"), None);
        }
    }
}
