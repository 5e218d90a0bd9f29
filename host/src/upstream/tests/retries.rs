//! Trying again.

use super::harness::Socket;
use super::harness::{OK, UNAVAILABLE, Upstream, closed_port, cluster_with, front, get, head, retrying, text};
use crate::body::ProxyBody;
use crate::error::RequestError;
use crate::upstream::forward;
use crate::upstream::policy::{Balancing, Policy};
use crate::wasm::types::RetryCondition as On;
use http::Request;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Busy this many times, then fine.
async fn busy(times: usize) -> Upstream {
    Upstream::start(move |mut socket, number| async move {
        socket.head().await;
        socket.send(if number <= times { UNAVAILABLE } else { OK }).await;
        socket.rest().await;
    })
    .await
}

#[tokio::test]
async fn a_status_is_tried_again_as_often_as_the_policy_says() {
    let upstream = busy(2).await;
    let policy = retrying(2, [On::Status(503)]);
    let forwarded = forward(&upstream.cluster(), get("/"), ProxyBody::empty(), &policy).await.unwrap();
    assert_eq!(forwarded.attempts, 3);
    assert_eq!(text(forwarded).await, "ok");
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn the_last_response_is_handed_on_when_no_try_is_left() {
    let upstream = busy(9).await;
    let policy = retrying(2, [On::GatewayError]);
    let forwarded = forward(&upstream.cluster(), get("/"), ProxyBody::empty(), &policy).await.unwrap();
    assert_eq!((forwarded.attempts, forwarded.response.status().as_u16()), (3, 503));
    assert_eq!(text(forwarded).await, "busy");
}

#[tokio::test]
async fn a_response_that_no_condition_names_is_handed_on_at_once() {
    let upstream = busy(1).await;
    let policy = retrying(2, [On::ConnectFailure, On::Reset, On::Status(500)]);
    let forwarded = forward(&upstream.cluster(), get("/"), ProxyBody::empty(), &policy).await.unwrap();
    assert_eq!((forwarded.attempts, forwarded.response.status().as_u16()), (1, 503));
}

#[tokio::test]
async fn a_failed_connection_is_tried_again_elsewhere() {
    let upstream = Upstream::answering(OK).await;
    let in_turn = Policy { balancer: Balancing::RoundRobin, ..Policy::default() };
    let cluster = cluster_with([closed_port().await, upstream.address], in_turn);
    let mut most = 0;
    for _ in 0..4 {
        let post = head(Request::post("/"));
        let policy = retrying(1, [On::ConnectFailure]);
        let forwarded = forward(&cluster, post, ProxyBody::full("order"), &policy).await.unwrap();
        assert_eq!(forwarded.endpoint, upstream.address);
        most = most.max(forwarded.attempts);
    }
    assert_eq!(most, 2);
}

#[tokio::test]
async fn a_reset_is_tried_again_with_the_whole_body() {
    let upstream = Upstream::start(|mut socket, number| async move {
        socket.head().await;
        assert_eq!(socket.read(5).await, "order");
        if number == 1 {
            socket.reset();
        } else {
            socket.send(OK).await;
        }
    })
    .await;
    let policy = retrying(1, [On::Reset]);
    let forwarded =
        forward(&upstream.cluster(), head(Request::put("/")), ProxyBody::full("order"), &policy).await.unwrap();
    assert_eq!(forwarded.attempts, 2);
}

#[tokio::test]
async fn a_body_that_streams_is_not_sent_twice() {
    let upstream = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        assert_eq!(socket.read(8).await, "3\r\none\r\n");
        socket.send(UNAVAILABLE).await;
        socket.rest().await;
    })
    .await;
    let front = front(upstream.cluster(), retrying(3, [On::Status(503)]), None).await;
    let mut client = Socket::connect(front).await;
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await;
    let answer = client.head().await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("attempts: 1\r\n"), "{answer}");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_small_chunked_body_is_complete_enough_to_be_sent_twice() {
    let upstream = busy(1).await;
    let front = front(upstream.cluster(), retrying(1, [On::Status(503)]), None).await;
    let mut client = Socket::connect(front).await;
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n").await;
    let answer = client.head().await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("attempts: 2\r\n"), "{answer}");
}

#[tokio::test]
async fn each_try_has_its_own_limit_within_that_of_all() {
    let upstream = Upstream::start(|mut socket, number| async move {
        socket.head().await;
        if number < 3 {
            sleep(Duration::from_secs(5)).await;
        }
        socket.send(OK).await;
    })
    .await;
    let mut policy = retrying(2, [On::Reset]);
    policy.timeout = Some(Duration::from_secs(4));
    policy.retries.as_mut().unwrap().per_try_timeout = Some(50);
    let forwarded = forward(&upstream.cluster(), get("/"), ProxyBody::empty(), &policy).await.unwrap();
    assert_eq!(forwarded.attempts, 3);
}

#[tokio::test]
async fn the_timeout_covers_all_tries() {
    let upstream = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        sleep(Duration::from_secs(5)).await;
    })
    .await;
    let mut policy = retrying(10, [On::Reset]);
    policy.timeout = Some(Duration::from_millis(120));
    policy.retries.as_mut().unwrap().per_try_timeout = Some(50);
    let started = Instant::now();
    let error = forward(&upstream.cluster(), get("/"), ProxyBody::empty(), &policy).await.unwrap_err();
    assert!(matches!(error, RequestError::Deadline { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(upstream.connections() > 1);
}

#[tokio::test]
async fn a_response_is_better_than_a_wait_that_the_timeout_would_cut_short() {
    let upstream = busy(9).await;
    let mut policy = retrying(1, [On::Status(503)]);
    policy.timeout = Some(Duration::from_millis(500));
    policy.retries.as_mut().unwrap().backoff = u64::MAX / 20;
    let forwarded = forward(&upstream.cluster(), get("/"), ProxyBody::empty(), &policy).await.unwrap();
    assert_eq!((forwarded.attempts, forwarded.response.status().as_u16()), (1, 503));
}

#[tokio::test]
async fn no_policy_makes_a_request_a_flood() {
    let upstream = busy(usize::MAX).await;
    let policy = retrying(u32::MAX, [On::Status(503)]);
    let forwarded = forward(&upstream.cluster(), get("/"), ProxyBody::empty(), &policy).await.unwrap();
    assert_eq!(forwarded.attempts, crate::config::limits::RETRIES + 1);
}
