//! Responses that are kept, and exchanges that requests share.

mod memory;

use super::*;
use crate::drain::Drain;
use crate::telemetry::metrics::{CacheResult, GatherMetrics};
use crate::wasm::types::CachePolicy;
use http::HeaderName;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const POLICY: CachePolicy = CachePolicy { default_lifetime: None, stale_while_revalidate: 0, stale_if_error: 0 };

/// A service, the requests that it has got, and a cache before it.
struct Stage {
    registry: Registry,
    asked: mpsc::UnboundedReceiver<String>,
    cache: Cache,
    metrics: GatherMetrics,
    drain: Drain,
}

impl Stage {
    /// Answers one request after the other with these, and with the last one from then on, each after so long.
    async fn after(milliseconds: u64, responses: &'static [&'static str]) -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        let count = Arc::new(AtomicUsize::new(0));
        let upstream = Upstream::start(move |mut socket: Socket, _| {
            let (ask, count) = (ask.clone(), Arc::clone(&count));
            async move {
                while let Some(head) = socket.head().await {
                    let number = count.fetch_add(1, Ordering::SeqCst).min(responses.len() - 1);
                    let _ = ask.send(head);
                    sleep(Duration::from_millis(milliseconds)).await;
                    if responses[number].is_empty() {
                        return;
                    }
                    socket.send(responses[number]).await;
                }
            }
        })
        .await;
        let registry = registry([("shop", vec![upstream.address])]);
        let metrics = GatherMetrics::default();
        Self { registry, asked, cache: Cache::new(1 << 20, metrics.clone()), metrics, drain: Drain::default() }
    }

    async fn new(responses: &'static [&'static str]) -> Self {
        Self::after(0, responses).await
    }

    async fn ask(&self, call: Call) -> Gathered {
        self.ask_over(call, &HeaderMap::new()).await
    }

    /// With headers that every call of the request inherits.
    async fn ask_over(&self, call: Call, inherited: &HeaderMap) -> Gathered {
        self.run(plan([call]), inherited).await
    }

    async fn run(&self, plan: types::Plan, inherited: &HeaderMap) -> Gathered {
        let cached = Some(Cached { cache: &self.cache, drain: &self.drain });
        let deadline = Instant::now() + limits::COMPOSING;
        let request = Run {
            registry: &self.registry,
            inherited,
            source: None,
            load: Load::default(),
            cached,
            deadline,
            trace: &Parent::default(),
        };
        run(&request, checked(plan).unwrap()).await
    }

    /// The body, or what went wrong.
    async fn text(&self, call: Call) -> Result<String, CallError> {
        let outcome = self.ask(call).await.outcomes.remove(0);
        outcome.response.map(|response| String::from_utf8(response.body).unwrap())
    }

    fn requests(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.asked.try_recv().ok()).collect()
    }
}

fn shop() -> Call {
    kept_as(POLICY)
}

fn kept_as(policy: CachePolicy) -> Call {
    Call { cache: Some(policy), ..call("shop") }
}

const FRESH: &str = "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 3\r\n\r\none";
const STALE: &str =
    "HTTP/1.1 200 OK\r\ncache-control: max-age=1\r\nage: 2\r\netag: \"1\"\r\ncontent-length: 3\r\n\r\none";
const PRIVATE: &str = "HTTP/1.1 200 OK\r\ncache-control: private\r\ncontent-length: 4\r\n\r\nmine";
const TWO: &str = "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 3\r\n\r\ntwo";
const STILL_GOOD: &str = "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\ncache-control: max-age=60\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";

#[tokio::test]
async fn a_fresh_response_is_given_out_without_asking_and_with_its_age() {
    let mut stage = Stage::new(&[FRESH]).await;
    assert_eq!(stage.text(shop()).await, Ok("one".into()));
    let second = stage.ask(shop()).await;
    let response = second.outcomes[0].response.as_ref().unwrap();
    assert!(response.headers.iter().any(|header| header.name == "age" && header.value == b"0"));
    assert_eq!((second.reports[0].origin, second.reports[0].attempts), (Origin::Hit, 0));
    assert_eq!(stage.requests().len(), 1);
    assert_eq!((stage.metrics.cached(CacheResult::Miss), stage.metrics.cached(CacheResult::Hit)), (1, 1));
}

#[tokio::test]
async fn calls_without_a_policy_or_with_conditions_are_not_kept() {
    let mut stage = Stage::new(&[FRESH]).await;
    let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
    for line in [header("if-none-match", "\"1\""), header("range", "bytes=0-1"), header("cache-control", "no-store")] {
        stage.text(Call { headers: vec![line], ..shop() }).await.unwrap();
    }
    stage.text(call("shop")).await.unwrap();
    stage.text(shop()).await.unwrap();
    assert_eq!(stage.requests().len(), 5);
    stage.text(Call { headers: vec![header("cache-control", "no-cache")], ..shop() }).await.unwrap();
    assert_eq!(stage.requests().len(), 1, "a call may insist");
}

#[tokio::test]
async fn a_stale_response_is_asked_after_and_used_when_it_is_still_good() {
    let mut stage = Stage::new(&[STALE, STILL_GOOD]).await;
    stage.text(shop()).await.unwrap();
    let second = stage.ask(shop()).await;
    assert_eq!(second.outcomes[0].response.as_ref().unwrap().body, b"one");
    assert_eq!(second.outcomes[0].response.as_ref().unwrap().status, 200);
    assert_eq!(second.reports[0].origin, Origin::Revalidated);
    assert!(stage.requests()[1].contains("if-none-match: \"1\"\r\n"));
    assert_eq!(stage.ask(shop()).await.reports[0].origin, Origin::Hit, "it is fresh again");
}

#[tokio::test]
async fn a_stale_response_is_replaced_when_it_is_not_good_any_more() {
    let mut stage = Stage::new(&[STALE, TWO]).await;
    stage.text(shop()).await.unwrap();
    assert_eq!(stage.text(shop()).await, Ok("two".into()));
    assert_eq!(stage.text(shop()).await, Ok("two".into()));
    assert_eq!(stage.requests().len(), 2);
}

#[tokio::test]
async fn a_stale_response_answers_while_a_new_one_is_fetched() {
    let mut stage = Stage::after(50, &[STALE, TWO]).await;
    let policy = CachePolicy { stale_while_revalidate: 60_000, ..POLICY };
    stage.text(kept_as(policy)).await.unwrap();
    let started = Instant::now();
    let second = stage.ask(kept_as(policy)).await;
    assert_eq!(
        (second.reports[0].origin, second.outcomes[0].response.as_ref().unwrap().body.as_slice()),
        (Origin::Stale, &b"one"[..])
    );
    assert!(started.elapsed() < Duration::from_millis(40));
    sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.text(kept_as(policy)).await, Ok("two".into()));
    assert_eq!(stage.requests().len(), 2);
}

#[tokio::test]
async fn a_stale_response_stands_in_for_every_kind_of_failure() {
    let policy = CachePolicy { stale_if_error: 60_000, ..POLICY };
    for failure in [&[STALE, BUSY][..], &[STALE, ""]] {
        let stage = Stage::new(failure).await;
        stage.text(kept_as(policy)).await.unwrap();
        assert_eq!(stage.ask(kept_as(policy)).await.reports[0].origin, Origin::Stale);
        assert_ne!(stage.text(shop()).await, Ok("one".into()), "only if the policy allows it");
    }
    let stage = Stage::after(300, &[STALE]).await;
    stage.text(kept_as(policy)).await.unwrap();
    let hasty = Call { deadline: Some(50), ..kept_as(policy) };
    assert_eq!(stage.text(hasty).await, Ok("one".into()), "late is a failure too");
}

#[tokio::test]
async fn a_stale_response_stands_in_for_each_of_the_calls_that_ask_for_the_same() {
    let policy = CachePolicy { stale_if_error: 60_000, ..POLICY };
    let mut stage = Stage::after(300, &[STALE]).await;
    stage.text(kept_as(policy)).await.unwrap();
    let hasty = |name: &str| Call { name: name.into(), deadline: Some(50), ..kept_as(policy) };
    let outcomes = stage.run(plan([hasty("a"), hasty("b")]), &HeaderMap::new()).await.outcomes;
    assert_eq!(results(&outcomes), [("a", Ok(&b"one"[..])), ("b", Ok(&b"one"[..]))]);
    assert_eq!(stage.requests().len(), 2, "they share one exchange");
}

#[tokio::test]
async fn what_varies_is_kept_once_for_each() {
    const VARYING: &str =
        "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\nvary: accept-language\r\ncontent-length: 3\r\n\r\none";
    let mut stage = Stage::new(&[VARYING]).await;
    let language =
        |value: &str| Call { headers: vec![Header { name: "accept-language".into(), value: value.into() }], ..shop() };
    for value in ["de", "en", "de", "en"] {
        stage.text(language(value)).await.unwrap();
    }
    assert_eq!(stage.requests().len(), 2);
}

#[tokio::test]
async fn a_change_makes_the_cache_forget() {
    let mut stage = Stage::new(&[FRESH, "HTTP/1.1 204 No Content\r\n\r\n", TWO]).await;
    stage.text(shop()).await.unwrap();
    stage.text(Call { method: "DELETE".into(), ..call("shop") }).await.unwrap();
    assert_eq!(stage.text(shop()).await, Ok("two".into()));
    assert_eq!(stage.requests().len(), 3);
}

#[tokio::test]
async fn requests_that_ask_for_the_same_at_the_same_time_share_one_exchange() {
    let mut stage = Stage::after(100, &[FRESH]).await;
    let hasty = Call { deadline: Some(30), ..shop() };
    let (one, two, three) = tokio::join!(stage.text(shop()), stage.text(hasty), stage.ask(shop()));
    assert_eq!((one, two), (Ok("one".into()), Err(CallError::Deadline)));
    assert_eq!(three.reports[0].origin, Origin::Shared);
    assert_eq!(stage.requests().len(), 1);
}

#[tokio::test]
async fn who_began_an_exchange_may_leave_it_to_the_others() {
    let mut stage = Stage::after(100, &[FRESH]).await;
    let hasty = Call { deadline: Some(30), ..shop() };
    let (first, second) = tokio::join!(stage.text(hasty), stage.text(shop()));
    assert_eq!((first, second), (Err(CallError::Deadline), Ok("one".into())));
    assert_eq!(stage.requests().len(), 1);
}

#[tokio::test]
async fn a_response_for_one_request_alone_is_given_to_no_other() {
    let mut stage = Stage::after(50, &[PRIVATE]).await;
    let (one, two) = tokio::join!(stage.ask(shop()), stage.ask(shop()));
    assert!(one.outcomes[0].response.is_ok() && two.outcomes[0].response.is_ok());
    assert_eq!(stage.requests().len(), 2);
}

#[tokio::test]
async fn an_exchange_is_shared_by_those_who_agree_in_what_its_response_varies_by() {
    const VARYING: &str =
        "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\nvary: x-forwarded-proto\r\ncontent-length: 3\r\n\r\none";
    let mut stage = Stage::after(50, &[VARYING]).await;
    let by =
        |proto| HeaderMap::from_iter([(HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static(proto))]);
    let (secure, plain) = (by("https"), by("http"));
    let (first, other, same) =
        tokio::join!(stage.ask_over(shop(), &secure), stage.ask_over(shop(), &plain), stage.ask_over(shop(), &secure),);
    assert!([&first, &other, &same].iter().all(|gathered| gathered.outcomes[0].response.is_ok()));
    let origins = [&first, &other, &same].map(|gathered| gathered.reports[0].origin);
    assert_eq!(origins, [Origin::Service, Origin::Service, Origin::Shared]);
    let schemes: Vec<bool> = stage.requests().iter().map(|head| head.contains("x-forwarded-proto: https")).collect();
    assert_eq!(schemes, [true, false]);
}

#[tokio::test]
async fn a_failure_is_shared_by_those_who_waited_and_by_nobody_after_them() {
    let mut stage = Stage::after(50, &["", FRESH]).await;
    let (one, two) = tokio::join!(stage.text(shop()), stage.text(shop()));
    assert_eq!((one, two), (Err(CallError::Reset), Err(CallError::Reset)));
    assert_eq!(stage.text(shop()).await, Ok("one".into()));
    assert_eq!(stage.requests().len(), 2);
}

#[tokio::test]
async fn a_kept_response_can_be_spliced() {
    const JSON: &str = "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 2\r\n\r\n{}";
    let mut stage = Stage::new(&[JSON]).await;
    for _ in 0..2 {
        let gathered = stage.ask(Call { body_use: BodyUse::SpliceJson, ..shop() }).await;
        assert!(gathered.outcomes[0].response.as_ref().is_ok_and(|response| response.body.is_empty()));
        assert_eq!(gathered.bodies.len(), 1);
    }
    assert_eq!(stage.requests().len(), 1);
}

#[tokio::test]
async fn the_cache_holds_as_many_bytes_as_it_may() {
    let metrics = GatherMetrics::default();
    let mut stage = Stage { cache: Cache::new(0, metrics.clone()), metrics, ..Stage::new(&[FRESH]).await };
    stage.text(shop()).await.unwrap();
    stage.text(shop()).await.unwrap();
    assert_eq!(stage.requests().len(), 2, "a cache of no bytes keeps nothing");
}
