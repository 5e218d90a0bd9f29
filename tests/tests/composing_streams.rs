//! Composition at its full width: many calls at once, and bodies that stream through it.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::{Value, json};
use sluicegate_tests::{Behaviour, Client, Options, Protocol, Proxy, Request, Upstream};
use std::time::{Duration, Instant};

/// One part of an answer.
const PART: usize = 2 << 20;
/// Plans at the same time, of two parts each: 64 MiB on their way.
const PLANS: usize = 16;
/// Far below what the parts take, and far above what a connection's buffers do.
const MOST_MEMORY: u64 = 40 << 20;

fn with_plan(plan: &Value) -> Request {
    Request::get("http://shop/").header("x-plan", &plan.to_string())
}

/// JSON of this size.
fn text(size: usize) -> String {
    format!("\"{}\"", "x".repeat(size - 2))
}

/// An array of the bodies of two calls.
fn two_parts() -> Value {
    let call = |name: &str| json!({"name": name, "to": "part", "path": format!("/{name}"), "body": "splice-json"});
    let answer = [
        json!({"bytes": "["}),
        json!({"body-of": "a"}),
        json!({"bytes": ","}),
        json!({"body-of": "b"}),
        json!({"bytes": "]"}),
    ];
    json!({"calls": [call("a"), call("b")], "answer": answer})
}

#[test]
fn sixteen_calls_take_about_as_long_as_the_slowest() {
    const EACH: Duration = Duration::from_millis(200);
    let service = Upstream::with(Behaviour::text("ok").after(EACH));
    let proxy =
        Proxy::start(Options::new().filter("planner").granted("planner").upstream("service", service.address()));
    let call =
        |number: usize| json!({"name": format!("call[{number}]"), "to": "service", "path": format!("/{number}")});
    let plan = json!({"calls": (0..16).map(call).collect::<Vec<_>>()});
    proxy.send(with_plan(&plan));
    let start = Instant::now();
    let answer = proxy.send(with_plan(&plan));
    let took = start.elapsed();
    println!("16 calls of {EACH:?} took {took:?}");
    assert_eq!(answer.json().as_object().map(serde_json::Map::len), Some(16));
    assert!(took < EACH * 8, "they do not wait for each other: {took:?}");
}

#[test]
fn large_parts_stream_through_many_plans_without_being_held() {
    let service = Upstream::with(Behaviour::text(&text(PART)));
    let proxy = Proxy::start(Options::new().filter("planner").granted("planner").upstream("part", service.address()));
    assert_eq!(proxy.send(with_plan(&two_parts())).body.len(), 2 * PART + 3);
    let idle = proxy.resident_memory();
    let peak = std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..PLANS).map(|_| scope.spawn(|| proxy.send(with_plan(&two_parts())).body.len())).collect();
        let mut peak = idle;
        while clients.iter().any(|client| !client.is_finished()) {
            peak = peak.max(proxy.resident_memory());
            std::thread::yield_now();
        }
        assert!(clients.into_iter().all(|client| client.join().expect("it is answered") == 2 * PART + 3));
        peak
    });
    println!("idle {} KiB, at most {} KiB with {PLANS} plans of {} KiB", idle >> 10, peak >> 10, (2 * PART) >> 10);
    assert!(peak.saturating_sub(idle) < MOST_MEMORY, "{peak} bytes are far more than {idle}");
}

#[test]
fn an_answer_of_known_parts_has_a_length_and_one_of_others_does_not() {
    let known = Upstream::with(Behaviour::text("12345"));
    let chunks = vec!["{\"a\": 1".into(), "}".into()];
    let open = Upstream::with(Behaviour::Chunks { chunks, pause: Duration::from_millis(50), trailers: Vec::new() });
    let options = Options::new()
        .filter("planner")
        .granted("planner")
        .upstream("known", known.address())
        .upstream("open", open.address());
    let proxy = Proxy::start(options);
    let plan = |name: &str| {
        let answer = [json!({"bytes": "["}), json!({"body-of": name}), json!({"bytes": "]"})];
        json!({"calls": [{"name": name, "body": "splice-json"}], "answer": answer})
    };
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::connect_with(proxy.address(), protocol);
        let answer = client.send(with_plan(&plan("known"))).expect("an answer");
        assert_eq!((answer.header("content-length"), answer.text().as_str()), (Some("7"), "[12345]"));
        let answer = client.send(with_plan(&plan("open"))).expect("an answer");
        assert_eq!((answer.header("content-length"), answer.text().as_str()), (None, "[{\"a\": 1}]"));
        let head = Request::new("HEAD", "http://shop/").header("x-plan", &plan("known").to_string());
        let answer = client.send(head).expect("an answer");
        assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (200, Some("7"), 0));
        client.send(with_plan(&plan("known"))).expect("the connection goes on");
    }
}

#[test]
fn a_broken_part_ends_the_answer_in_both_protocols() {
    let service = Upstream::with(Behaviour::half(&text(1 << 20)));
    let proxy = Proxy::start(Options::new().filter("planner").granted("planner").upstream("half", service.address()));
    let answer = [json!({"body-of": "half"})];
    let plan = json!({"calls": [{"name": "half", "body": "splice"}], "answer": answer});
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::connect_with(proxy.address(), protocol);
        let error = client.send(with_plan(&plan)).expect_err("half an answer is none");
        assert!(!error.contains("within"), "{error}");
    }
    let metrics = proxy.ask_admin("/metrics").text();
    assert!(metrics.contains("sluicegate_gather_broken_answers_total{reason=\"reset\"} 2"), "{metrics}");
}

#[test]
fn responses_are_kept_for_later_requests() {
    let service = Upstream::with(Behaviour::json(&json!({"price": 1})));
    let proxy = Proxy::start(Options::new().filter("planner").granted("planner").upstream("price", service.address()));
    let plan = json!({"calls": [{"name": "price", "cache": 60_000}]});
    for _ in 0..3 {
        assert_eq!(proxy.send(with_plan(&plan)).json()["price"]["status"], 200);
    }
    assert_eq!(service.arrived(), 1);
    let metrics = proxy.ask_admin("/metrics").text();
    for line in ["sluicegate_gather_cache_total{result=\"hit\"} 2", "sluicegate_gather_cache_total{result=\"miss\"} 1"]
    {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let line = proxy.wait_for_log("\"cache\":\"hit\"", Duration::from_secs(5));
    assert!(line.contains("sluicegate.calls"), "{line}");
}
