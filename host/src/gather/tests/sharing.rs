//! Calls of a plan that ask for the same.

use super::*;

/// Calls of the same path of a service, under other names.
fn same(name: &str) -> Call {
    Call { destination: Destination { host: "shop".into(), port: None, subset: None }, ..call(name) }
}

#[tokio::test]
async fn calls_that_ask_for_the_same_share_one_exchange() {
    let upstream = Upstream::answering(OK).await;
    let registry = registry([("shop", vec![upstream.address])]);
    let outcomes = outcomes(&registry, plan([same("a"), same("b"), same("c")])).await;
    assert_eq!(results(&outcomes), [("a", Ok(&b"ok"[..])), ("b", Ok(&b"ok"[..])), ("c", Ok(&b"ok"[..]))]);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn one_that_comes_later_gets_what_has_landed() {
    let upstream = Upstream::answering(OK).await;
    let registry = registry([("shop", vec![upstream.address])]);
    let one = CallGroup { concurrency: Some(1), ..group(&["a", "b"]) };
    let gathered = gather(&registry, types::Plan { groups: vec![one], ..plan([same("a"), same("b")]) }).await;
    assert!(gathered.outcomes.iter().all(|outcome| outcome.response.is_ok()));
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn each_keeps_its_own_deadline() {
    let (tardy, _end) = slow(300).await;
    let registry = registry([("shop", vec![tardy.address])]);
    let hasty = Call { deadline: Some(50), ..same("hasty") };
    let outcomes = outcomes(&registry, plan([hasty, same("patient")])).await;
    assert_eq!(results(&outcomes), [("hasty", Err(CallError::Deadline)), ("patient", Ok(&b"ok"[..]))]);
    assert_eq!(tardy.connections(), 1);
}

#[tokio::test]
async fn an_exchange_that_nobody_is_left_for_ends() {
    let (tardy, mut end) = slow(10_000).await;
    let registry = registry([("shop", vec![tardy.address])]);
    let hasty = |name| Call { deadline: Some(50), ..same(name) };
    let outcomes = outcomes(&registry, plan([hasty("a"), hasty("b")])).await;
    assert_eq!(results(&outcomes), [("a", Err(CallError::Deadline)), ("b", Err(CallError::Deadline))]);
    end.recv().await.unwrap();
}
