//! Plans that run against upstreams of plain sockets.

mod bodies;
mod caching;
mod expected;
mod groups;
mod sharing;
mod streams;

use super::*;
use crate::config::limits;
use crate::telemetry::call::{CallEnd, Origin};
use crate::telemetry::trace::Parent;
use crate::upstream::adaptive::Load;
use crate::upstream::registry::Registry;
use crate::upstream::tests::harness::{OK, Socket, Upstream, closed_port, registry};
use crate::wasm::types::{
    self, BodyUse, Call, CallError, CallGroup, Destination, Header, Inheritance, Outcome, StatusRange,
};
use http::{HeaderMap, HeaderValue};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

pub(super) fn call(name: &str) -> Call {
    Call {
        name: name.into(),
        destination: Destination { host: name.into(), port: None, subset: None },
        method: "GET".into(),
        path: "/part?id=1".into(),
        headers: Vec::new(),
        inherits: Inheritance::None,
        body: None,
        deadline: None,
        required: false,
        max_body: None,
        accept: Vec::new(),
        retries: None,
        body_use: BodyUse::Read,
        cache: None,
    }
}

pub(super) fn plan(calls: impl Into<Vec<Call>>) -> types::Plan {
    types::Plan {
        calls: calls.into(),
        groups: Vec::new(),
        deadline: None,
        state: Vec::new(),
        response_edits: Vec::new(),
        expected: None,
    }
}

pub(super) fn group(calls: &[&str]) -> CallGroup {
    let calls = calls.iter().map(ToString::to_string).collect();
    CallGroup { calls, concurrency: None, enough: None, required: false }
}

/// Understands a plan of a request without headers.
pub(super) fn checked(plan: types::Plan) -> Result<Plan, String> {
    check(plan, &HeaderMap::new())
}

/// Runs a plan of a request that has all the time that a request may have.
async fn gather_with(registry: &Registry, plan: types::Plan, inherited: &HeaderMap) -> Gathered {
    let deadline = Instant::now() + limits::COMPOSING;
    run(
        &Run {
            registry,
            inherited,
            source: None,
            load: Load::default(),
            cached: None,
            deadline,
            trace: &Parent::default(),
        },
        checked(plan).unwrap(),
    )
    .await
}

async fn gather(registry: &Registry, plan: types::Plan) -> Gathered {
    gather_with(registry, plan, &HeaderMap::new()).await
}

async fn outcomes(registry: &Registry, plan: types::Plan) -> Vec<Outcome> {
    gather(registry, plan).await.outcomes
}

/// An upstream that takes its time, and tells when its connection has ended.
async fn slow(milliseconds: u64) -> (Upstream, mpsc::UnboundedReceiver<()>) {
    let (ended, end) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket: Socket, _| {
        let ended = ended.clone();
        async move {
            socket.head().await;
            tokio::select! {
                () = sleep(Duration::from_millis(milliseconds)) => socket.send(OK).await,
                _ = socket.rest() => { let _ = ended.send(()); }
            }
        }
    })
    .await;
    (upstream, end)
}

fn results(outcomes: &[Outcome]) -> Vec<(&str, Result<&[u8], CallError>)> {
    let mut results = Vec::new();
    for Outcome { name, response } in outcomes {
        let body = response.as_ref().map(|response| response.body.as_slice());
        results.push((name.as_str(), body.map_err(Clone::clone)));
    }
    results
}

#[tokio::test]
async fn calls_run_in_parallel_and_come_back_in_order() {
    let (first, _first_end) = slow(300).await;
    let (second, _second_end) = slow(200).await;
    let registry = registry([("first", vec![first.address]), ("second", vec![second.address])]);
    let started = Instant::now();
    let outcomes = outcomes(&registry, plan([call("first"), call("second")])).await;
    assert!(started.elapsed() < Duration::from_millis(450));
    assert_eq!(results(&outcomes), [("first", Ok(&b"ok"[..])), ("second", Ok(&b"ok"[..]))]);
}

#[tokio::test]
async fn a_slow_optional_call_costs_no_more_than_its_deadline() {
    let quick = Upstream::answering(OK).await;
    let (tardy, mut end) = slow(10_000).await;
    let registry = registry([("quick", vec![quick.address]), ("slow", vec![tardy.address])]);
    let late = Call { deadline: Some(100), ..call("slow") };
    let outcomes = outcomes(&registry, plan([late, call("quick")])).await;
    assert_eq!(results(&outcomes), [("slow", Err(CallError::Deadline)), ("quick", Ok(&b"ok"[..]))]);
    end.recv().await.unwrap();
}

#[tokio::test]
async fn the_plans_deadline_holds_for_every_call() {
    let (tardy, _end) = slow(10_000).await;
    let registry = registry([("slow", vec![tardy.address])]);
    let plan = types::Plan { deadline: Some(100), ..plan([Call { deadline: Some(60_000), ..call("slow") }]) };
    let outcomes = outcomes(&registry, plan).await;
    assert_eq!(results(&outcomes), [("slow", Err(CallError::Deadline))]);
}

#[tokio::test]
async fn a_required_call_that_fails_cancels_the_others() {
    let (tardy, mut end) = slow(10_000).await;
    let (hang, _hang_end) = slow(10_000).await;
    let services = [("slow", vec![tardy.address]), ("down", vec![closed_port().await]), ("hang", vec![hang.address])];
    // Fails a little later, so that the other call has reached its upstream.
    let required = Call { required: true, deadline: Some(200), ..call("hang") };
    let outcomes = outcomes(&registry(services), plan([call("slow"), call("down"), required])).await;
    let expected =
        [("slow", Err(CallError::Cancelled)), ("down", Err(CallError::Refused)), ("hang", Err(CallError::Deadline))];
    assert_eq!(results(&outcomes), expected);
    end.recv().await.unwrap();
}

#[tokio::test]
async fn giving_up_the_plan_ends_its_calls() {
    let (tardy, mut end) = slow(10_000).await;
    let registry = registry([("slow", vec![tardy.address])]);
    let running = outcomes(&registry, plan([call("slow")]));
    assert!(tokio::time::timeout(Duration::from_millis(100), running).await.is_err());
    end.recv().await.unwrap();
}

#[tokio::test]
async fn every_way_to_fail_has_its_name() {
    let reset = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        socket.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    })
    .await;
    let large = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nlarge").await;
    let registry = registry([
        ("down", vec![closed_port().await]),
        ("empty", vec![]),
        ("reset", vec![reset.address]),
        ("large", vec![large.address]),
    ]);
    let calls =
        [call("down"), call("empty"), call("unknown"), call("reset"), Call { max_body: Some(4), ..call("large") }];
    let outcomes = outcomes(&registry, plan(calls)).await;
    let errors: Vec<_> = results(&outcomes).into_iter().map(|(_, result)| result.unwrap_err()).collect();
    let expected =
        [CallError::Refused, CallError::NoEndpoint, CallError::NoEndpoint, CallError::Reset, CallError::TooLarge];
    assert_eq!(errors, expected);
}

#[tokio::test]
async fn a_failing_status_is_an_answer() {
    let failing =
        Upstream::answering("HTTP/1.1 500 Internal Server Error\r\nx-why: tea\r\ncontent-length: 0\r\n\r\n").await;
    let registry = registry([("failing", vec![failing.address])]);
    let required = Call { required: true, ..call("failing") };
    let outcomes = outcomes(&registry, plan([required])).await;
    let response = outcomes[0].response.as_ref().unwrap();
    assert_eq!(response.status, 500);
    assert!(response.headers.iter().any(|header| header.name == "x-why" && header.value == b"tea"));
}

#[tokio::test]
async fn a_call_says_what_its_filter_said_and_what_it_inherits() {
    let (said, mut arrived) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let said = said.clone();
        async move {
            said.send((socket.head().await.unwrap(), socket.read(2).await)).unwrap();
            socket.send(OK).await;
        }
    })
    .await;
    let registry = registry([("stock", vec![upstream.address])]);
    let mut inherited = HeaderMap::new();
    inherited.insert("x-request-id", HeaderValue::from_static("7"));
    inherited.insert("accept", HeaderValue::from_static("text/html"));
    let own = Header { name: "Accept".into(), value: b"application/json".into() };
    let asked = Call { method: "PUT".into(), headers: vec![own], body: Some(b"{}".into()), ..call("stock") };
    gather_with(&registry, plan([asked]), &inherited).await;
    let (head, body) = arrived.recv().await.unwrap();
    assert!(head.starts_with("PUT /part?id=1 HTTP/1.1\r\n"), "{head}");
    for line in ["host: stock\r\n", "x-request-id: 7\r\n", "accept: application/json\r\n", "content-length: 2\r\n"] {
        assert!(head.contains(line), "{line:?} in {head}");
    }
    assert!(!head.contains("text/html"));
    assert_eq!(body, "{}");
}
