//! What calls with a cache policy may hold in memory.

use super::*;

/// A service of bodies of so many bytes, of which the second and the following may be kept.
async fn large(size: usize) -> Stage {
    let upstream = Upstream::start(move |mut socket: Socket, _| async move {
        while socket.head().await.is_some() {
            let head = format!("HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: {size}\r\n\r\n");
            socket.send(&head).await;
            socket.send(&"x".repeat(size)).await;
        }
    })
    .await;
    let (_, asked) = mpsc::unbounded_channel();
    let metrics = GatherMetrics::default();
    let registry = registry([("shop", vec![upstream.address])]);
    Stage { registry, asked, cache: Cache::new(64 << 20, metrics.clone()), metrics, drain: Drain::default() }
}

/// How many of the calls are good. All others are too large.
fn good(gathered: &Gathered) -> usize {
    let others = gathered.outcomes.iter().filter_map(|outcome| outcome.response.as_ref().err());
    others.for_each(|error| assert_eq!(*error, CallError::TooLarge));
    gathered.outcomes.iter().filter(|outcome| outcome.response.is_ok()).count()
}

fn most(size: usize) -> usize {
    usize::try_from(limits::PLAN_BODIES).unwrap() / size
}

#[tokio::test]
async fn calls_that_ask_services_hold_what_their_plan_may() {
    const PART: usize = 8 << 20;
    let stage = large(PART).await;
    let call = |number: usize| Call {
        name: number.to_string(),
        path: format!("/{number}"),
        max_body: Some(limits::CALL_BODY_MAX),
        ..shop()
    };
    let good = good(&stage.run(plan((0..6).map(call).collect::<Vec<_>>()), &HeaderMap::new()).await);
    assert!((1..=most(PART)).contains(&good), "{good}");
}

#[tokio::test]
async fn calls_that_get_what_is_kept_hold_what_their_plan_may() {
    const PART: usize = 1_000_000;
    let stage = large(PART).await;
    stage.text(shop()).await.unwrap();
    let call = |number: usize| Call { name: number.to_string(), ..shop() };
    let gathered = stage.run(plan((0..50).map(call).collect::<Vec<_>>()), &HeaderMap::new()).await;
    assert!(gathered.reports.iter().all(|report| report.origin == Origin::Hit));
    assert_eq!(good(&gathered), most(PART));
}

#[tokio::test]
async fn calls_that_share_a_response_hold_what_their_plan_may() {
    const PART: usize = 8 << 20;
    let stage = large(PART).await;
    let call =
        |number: usize| Call { name: number.to_string(), max_body: Some(limits::CALL_BODY_MAX), cache: None, ..shop() };
    let gathered = stage.run(plan((0..6).map(call).collect::<Vec<_>>()), &HeaderMap::new()).await;
    assert_eq!(good(&gathered), most(PART));
}

#[tokio::test]
async fn what_is_kept_may_be_too_large_for_another_call() {
    let mut stage = Stage::new(&[FRESH]).await;
    stage.text(shop()).await.unwrap();
    for body_use in [BodyUse::Read, BodyUse::Splice] {
        let small = |most| Call { max_body: Some(most), body_use, ..shop() };
        assert_eq!(stage.text(small(2)).await, Err(CallError::TooLarge));
        assert!(stage.text(small(3)).await.is_ok());
    }
    assert_eq!(stage.requests().len(), 1);
}

#[tokio::test]
async fn the_status_of_a_response_counts_before_its_body() {
    let accept = vec![StatusRange { first: 200, last: 299 }];
    let refused = |outcome| match outcome {
        Err(CallError::Status(response)) => (response.status, response.body.len()),
        other => panic!("{other:?} is not refused"),
    };
    let stage = Stage::new(&[BUSY]).await;
    let small = |most| Call { max_body: Some(most), accept: accept.clone(), ..shop() };
    assert_eq!(refused(stage.text(small(4)).await), (503, 4));
    assert_eq!(refused(stage.text(small(3)).await), (503, 0));
    let broken = Stage::new(&["HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\nno chunk"]).await;
    assert_eq!(refused(broken.text(small(4)).await), (404, 0));
}
