//! What spans say, without a collector.

use super::context::SpanContext;
use super::request::RequestTrace;
use super::span::{SpanData, Value};
use super::{Tracer, filter, http as spans, messaging};
use crate::error::RequestError;
use crate::telemetry::call::Origin;
use crate::telemetry::record::tests::record;
use crate::telemetry::{AccessRecord, CallResult, Phase};
use crate::wasm::types::{Attribute, CallResponse, Delivery, Event, Publication, Target};
use http::{HeaderMap, Method, Request, StatusCode};
use std::time::Duration;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_KEPT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// A traced request with these headers, and what became of them.
fn request(tracer: &Tracer, pairs: &[(&'static str, &'static str)]) -> (RequestTrace, HeaderMap) {
    let mut headers = headers(pairs);
    (tracer.request(&mut headers), headers)
}

fn way(count: u32) -> spans::Way<'static> {
    spans::Way { service: "shop.default", endpoint: "127.0.0.1:80".parse().unwrap(), tls: true, count }
}

fn text<'a>(span: &'a SpanData, key: &str) -> Option<&'a str> {
    span.attributes.iter().find(|(known, _)| *known == key).and_then(|(_, value)| match value {
        Value::Text(text) => Some(text.as_ref()),
        _ => None,
    })
}

fn number(span: &SpanData, key: &str) -> Option<i64> {
    span.attributes.iter().find(|(known, _)| *known == key).and_then(|(_, value)| match value {
        Value::Number(number) => Some(*number),
        _ => None,
    })
}

/// The span of a request that ended so.
fn served(record: &AccessRecord<'_>) -> Box<SpanData> {
    let tracer = Tracer::collecting(false);
    request(&tracer, &[]).0.end(record);
    tracer.collected().pop().unwrap()
}

#[test]
fn without_traces_headers_stay_and_nothing_begins() {
    let tracer = Tracer::off();
    let (mut trace, headers) = request(&tracer, &[("traceparent", "odd"), ("tracestate", ",,")]);
    assert_eq!((headers["traceparent"].as_bytes(), headers["tracestate"].as_bytes()), (&b"odd"[..], &b",,"[..]));
    assert!(trace.context().is_none() && trace.parent().context().is_none());
    trace.end(&record());
    assert!(tracer.counts().is_none());
}

#[test]
fn a_request_goes_on_with_the_trace_that_it_came_with() {
    let tracer = Tracer::collecting(false);
    let (mut trace, headers) = request(&tracer, &[("traceparent", PARENT), ("tracestate", "a=1 , b=2")]);
    let own = trace.context().unwrap();
    assert_eq!(headers["traceparent"], own.to_string());
    assert_eq!(headers["tracestate"], "a=1,b=2");
    trace.end(&record());
    let span = tracer.collected().pop().unwrap();
    let parent = SpanContext::parse(PARENT.as_bytes()).unwrap();
    assert_eq!((span.context, span.parent), (own, Some((parent.span(), true))));
    assert_eq!((own.trace(), span.state.clone().unwrap().as_bytes()), (parent.trace(), &b"a=1,b=2"[..]));
}

#[test]
fn a_request_with_an_invalid_parent_begins_a_trace_of_its_own() {
    let tracer = Tracer::collecting(false);
    let (mut trace, headers) = request(&tracer, &[("traceparent", "00-0-0-01"), ("tracestate", "a=1")]);
    assert!(!headers.contains_key("tracestate"));
    assert_eq!(headers["traceparent"], trace.context().unwrap().to_string());
    trace.end(&record());
    assert_eq!(tracer.collected().pop().unwrap().parent, None);
}

#[test]
fn a_request_that_is_not_kept_has_ids_and_no_spans() {
    let tracer = Tracer::collecting(true);
    let (mut trace, headers) = request(&tracer, &[("traceparent", NOT_KEPT)]);
    let own = trace.context().unwrap();
    assert!(headers["traceparent"].as_bytes().ends_with(b"-00") && headers["traceparent"] == own.to_string());
    let parent = trace.parent();
    filter::called(&parent, ("auth", "1"), Phase::Request, CallResult::Trap, Duration::ZERO);
    let mut to_upstream = Request::new(());
    drop(spans::begin_try(&parent, &mut to_upstream, way(1)));
    assert!(to_upstream.headers().is_empty());
    trace.end(&record());
    assert!(tracer.collected().is_empty());
}

#[test]
fn a_request_is_described_in_the_words_of_the_conventions() {
    let span = served(&AccessRecord { authority: "shop.example:8080", ..record() });
    assert_eq!(span.name, "GET orders");
    for (key, expected) in [
        ("http.request.method", "GET"),
        ("url.scheme", "http"),
        ("url.path", "/orders"),
        ("server.address", "shop.example"),
        ("network.protocol.version", "1.1"),
        ("client.address", "192.0.2.1"),
        ("http.route", "orders"),
        ("sluicegate.filter", "router"),
    ] {
        assert_eq!(text(&span, key), Some(expected), "{key}");
    }
    assert_eq!((number(&span, "server.port"), number(&span, "http.response.status_code")), (Some(8080), Some(200)));
    assert_eq!((span.start, span.end), (record().time, Some(record().time + record().duration)));
    assert!(span.failed.is_none() && text(&span, "error.type").is_none());
    assert!(!format!("{:?}", span.attributes).contains("curl/8"), "no header's value is part of a span");
}

#[test]
fn only_failures_of_the_server_are_errors_of_a_request() {
    let error = RequestError::Deadline { milliseconds: 50 };
    let bad = RequestError::BadRequest("bad");
    for (status, error, kind, failed) in [
        (Some(200), None, None, false),
        (Some(404), None, None, false),
        (Some(400), Some(&bad), Some("http_request_error"), false),
        (Some(500), None, Some("500"), true),
        (Some(504), Some(&error), Some("http_response_timeout"), true),
        (None, None, Some("client_gone"), false),
    ] {
        let span = served(&AccessRecord { status, error, ..record() });
        assert_eq!((text(&span, "error.type"), span.failed.is_some()), (kind, failed), "{status:?}");
    }
}

#[test]
fn methods_that_nobody_knows_make_no_names() {
    let method = Method::from_bytes(b"BREW").unwrap();
    let span = served(&AccessRecord { method: &method, route: None, ..record() });
    assert_eq!((span.name.as_ref(), text(&span, "http.request.method")), ("HTTP", Some("_OTHER")));
    assert_eq!(text(&span, "http.request.method_original"), Some("BREW"));
}

#[test]
fn a_try_has_its_own_id_in_the_request_and_says_how_it_ended() {
    let tracer = Tracer::collecting(false);
    let (trace, headers) = request(&tracer, &[("traceparent", PARENT), ("tracestate", "a=1")]);
    let mut to_upstream = Request::get("/orders?secret=1").header("host", "shop").body(()).unwrap();
    *to_upstream.headers_mut() = headers.clone();
    to_upstream.headers_mut().insert("host", "shop".parse().unwrap());
    for (count, result) in [
        (1, Err(RequestError::Reset { endpoint: "127.0.0.1:80".into() })),
        (2, Ok(StatusCode::NOT_FOUND)),
        (3, Ok(StatusCode::OK)),
    ] {
        let mut span = spans::begin_try(&trace.parent(), &mut to_upstream, way(count));
        assert_eq!(to_upstream.headers()["traceparent"], span.context().unwrap().to_string());
        assert_eq!(to_upstream.headers()["tracestate"], "a=1");
        assert_ne!(to_upstream.headers()["traceparent"], headers["traceparent"]);
        spans::end_try(&mut span, result.as_ref().copied());
        if count == 1 {
            spans::tried_again(&mut span, Duration::from_millis(25));
        }
    }
    let tries = tracer.collected();
    let told: Vec<_> = tries.iter().map(|span| (text(span, "error.type"), span.failed.is_some())).collect();
    assert_eq!(told, [(Some("connection_terminated"), true), (Some("404"), true), (None, false)]);
    let resends: Vec<_> = tries.iter().map(|span| number(span, "http.request.resend_count")).collect();
    assert_eq!(resends, [None, Some(1), Some(2)]);
    assert_eq!((tries[0].events[0].name, tries[1].events.len()), ("sluicegate.retry", 0));
    assert!(tries.iter().all(|span| span.parent == Some((trace.context().unwrap().span(), false))));
    assert_eq!(text(&tries[0], "url.full"), Some("https://shop/orders"));
}

#[test]
fn a_try_that_is_given_up_says_so() {
    let tracer = Tracer::collecting(false);
    let (trace, _) = request(&tracer, &[]);
    drop(spans::begin_try(&trace.parent(), &mut Request::new(()), way(1)));
    drop(spans::begin_call(&trace.parent(), "details[3]", "shop", true));
    let given_up = tracer.collected();
    assert!(given_up.iter().all(|span| text(span, "error.type") == Some("cancelled")));
    assert_eq!(
        (given_up[1].name.as_ref(), text(&given_up[1], "sluicegate.call")),
        ("call details", Some("details[3]"))
    );
}

#[test]
fn a_call_says_what_it_brought_and_what_the_cache_had_to_do_with_it() {
    let tracer = Tracer::collecting(false);
    let (trace, _) = request(&tracer, &[]);
    for (result, origin) in [(Ok(200), Origin::Service), (Ok(200), Origin::Hit), (Err("deadline"), Origin::Service)] {
        let mut span = spans::begin_call(&trace.parent(), "stock", "shop", false);
        spans::end_call(&mut span, result, origin);
    }
    let calls = tracer.collected();
    let told: Vec<_> = calls
        .iter()
        .map(|span| {
            let status = number(span, "http.response.status_code");
            (status, text(span, "sluicegate.call.cache"), text(span, "error.type"), span.failed.is_some())
        })
        .collect();
    let expected =
        [(Some(200), None, None, false), (Some(200), Some("hit"), None, false), (None, None, Some("deadline"), true)];
    assert_eq!(told, expected);
}

#[test]
fn calls_of_filters_that_decide_have_spans_and_others_when_asked() {
    for (every, expected) in [(false, &["forward", "trap"][..]), (true, &["next", "forward", "trap"])] {
        let tracer = Tracer::collecting(every);
        let (trace, _) = request(&tracer, &[]);
        for result in [CallResult::Next, CallResult::Forward, CallResult::Trap] {
            filter::called(&trace.parent(), ("router", "1.0"), Phase::Request, result, Duration::from_micros(5));
        }
        let calls = tracer.collected();
        let results: Vec<_> = calls.iter().filter_map(|span| text(span, "sluicegate.filter.result")).collect();
        assert_eq!(results, expected);
        let took = |span: &SpanData| span.end.unwrap().duration_since(span.start).unwrap();
        assert!(calls.iter().all(|span| took(span) == Duration::from_micros(5) && span.name == "filter router"));
        assert_eq!(calls.iter().filter(|span| span.failed.is_some()).count(), 1);
    }
}

fn event(traceparent: Option<&str>) -> Event {
    let extension = |value: &str| Attribute { name: "traceparent".into(), value: value.into() };
    let extensions = traceparent.map(extension).into_iter().collect();
    Event { extensions, data: Some(b"secret".to_vec()), ..Event::new("e-1", "/shop", "order") }
}

fn published(trace: &RequestTrace, event: Event) -> (Event, Option<SpanContext>) {
    let mut publications = vec![Publication { channel: "default/orders".into(), event }];
    drop(trace.publish(&mut publications));
    let event = publications.remove(0).event;
    let carried = event.extensions.iter().find(|extension| extension.name == "traceparent");
    let carried = carried.map(|extension| SpanContext::parse(extension.value.as_bytes()).unwrap());
    (event, carried)
}

fn delivery() -> Delivery {
    Delivery {
        channel: "default/orders".into(),
        subscription: "default/stock".into(),
        target: Target::Subscriber,
        uri: "http://stock/".into(),
        format: None,
        attempt: 2,
    }
}

#[test]
fn a_delivery_is_a_trace_of_its_own_that_is_linked_to_the_publishing_span() {
    let tracer = Tracer::collecting(false);
    let (trace, headers) = request(&tracer, &[]);
    // As a filter makes it of a request, with a copy of its header, or without one.
    for copied in [None, headers["traceparent"].to_str().ok()] {
        let (event, carried) = published(&trace, event(copied));
        let mut span = tracer.deliver(&event, &delivery());
        messaging::delivered(&mut span, &Ok(CallResponse { status: 503, headers: Vec::new(), body: Vec::new() }));
        drop(span);
        let spans = tracer.collected();
        let [publish, deliver] = &spans[..] else { panic!("{spans:#?}") };
        assert_eq!(
            (publish.name.as_ref(), deliver.name.as_ref()),
            ("publish default/orders", "deliver default/orders")
        );
        assert_eq!((Some(publish.context), publish.links.len()), (carried, 0));
        assert_eq!((deliver.links[0], deliver.parent), (publish.context, None));
        assert_ne!(deliver.context.trace(), publish.context.trace());
        assert_eq!(text(deliver, "messaging.destination.subscription.name"), Some("default/stock"));
        assert_eq!(
            (text(deliver, "error.type"), number(deliver, "sluicegate.delivery.attempt")),
            (Some("503"), Some(2))
        );
        assert!(!format!("{spans:?}").contains("secret"));
    }
}

#[test]
fn an_event_keeps_the_trace_of_its_producer_and_both_spans_are_linked_to_it() {
    let tracer = Tracer::collecting(false);
    let (trace, _) = request(&tracer, &[]);
    let producer = SpanContext::parse(PARENT.as_bytes()).unwrap();
    let (event, carried) = published(&trace, event(Some(PARENT)));
    drop(tracer.deliver(&event, &delivery()));
    assert_eq!(carried, Some(producer));
    assert!(tracer.collected().iter().all(|span| span.links == [producer]));
}

#[test]
fn what_an_unkept_request_publishes_is_not_kept_either() {
    let tracer = Tracer::collecting(false);
    let (trace, _) = request(&tracer, &[("traceparent", NOT_KEPT)]);
    let (event, carried) = published(&trace, event(None));
    drop(tracer.deliver(&event, &delivery()));
    assert_eq!(carried, trace.context());
    assert!(tracer.collected().is_empty());
    assert!(
        published(&RequestTrace::default(), self::event(None)).1.is_none(),
        "without traces events stay as they are"
    );
}
