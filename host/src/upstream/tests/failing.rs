//! Endpoints that fail are left out, and clients stay with theirs.

use super::harness::{OK, Upstream, closed_port, cluster_with, fetch, get, head, retrying, text};
use crate::body::ProxyBody;
use crate::error::RequestError;
use crate::upstream::policy::{Balancing, ConnectionPool, Cookie, HashKey, HashTable, OutlierDetection, Policy};
use crate::upstream::registry::Cluster;
use crate::upstream::{ForwardPolicy, forward};
use crate::wasm::types::RetryCondition as On;
use http::Request;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;

fn watched(addresses: impl IntoIterator<Item = SocketAddr>, failures: u32) -> Cluster {
    let outlier = OutlierDetection {
        server_errors: Some(failures),
        base_ejection: Duration::from_millis(300),
        max_ejection_percent: 100,
        ..OutlierDetection::default()
    };
    cluster_with(addresses, Policy { outlier: Some(outlier), ..Policy::default() })
}

fn out(cluster: &Cluster) -> Vec<bool> {
    cluster.members().iter().map(|member| member.state.out().is_some()).collect()
}

async fn send(cluster: &Cluster) -> Result<String, RequestError> {
    let forwarded = forward(cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await?;
    let body = forwarded.response.into_body().collect_up_to(1 << 20).await;
    Ok(body.map_or_else(|error| error.to_string(), |body| String::from_utf8(body.to_vec()).unwrap()))
}

/// Fails in one way and says how many requests it got.
async fn failing(way: &'static str) -> Upstream {
    Upstream::start(move |mut socket, _| async move {
        socket.head().await;
        match way {
            "reset" => socket.reset(),
            "half" => socket.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await,
            answer => socket.send(answer).await,
        }
    })
    .await
}

#[tokio::test]
async fn an_endpoint_that_fails_in_any_way_is_left_out_after_as_many_failures_as_the_policy_says() {
    for way in
        ["reset", "half", "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "nonsense\r\n\r\n"]
    {
        let (bad, good) = (failing(way).await, Upstream::answering(OK).await);
        let cluster = watched([bad.address, good.address], 3);
        for _ in 0..60 {
            let _ = send(&cluster).await;
        }
        assert_eq!(out(&cluster), [true, false], "{way}");
        assert_eq!(bad.connections(), 3, "{way}");
        assert_eq!(cluster.members()[0].state.active(), 0);
    }
}

#[tokio::test]
async fn it_comes_back_after_its_time() {
    let bad = failing("reset").await;
    let cluster = watched([bad.address], 2);
    for _ in 0..2 {
        assert!(matches!(send(&cluster).await, Err(RequestError::Reset { .. })));
    }
    assert_eq!(send(&cluster).await, Err(RequestError::NoHealthyEndpoint { destination: "shop".into() }));
    sleep(Duration::from_millis(350)).await;
    assert!(matches!(send(&cluster).await, Err(RequestError::Reset { .. })));
    assert_eq!(bad.connections(), 3);
}

#[tokio::test]
async fn a_client_that_goes_away_is_no_failure_of_the_endpoint() {
    let slow = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        sleep(Duration::from_secs(5)).await;
    })
    .await;
    let cluster = watched([slow.address], 1);
    for _ in 0..3 {
        assert!(tokio::time::timeout(Duration::from_millis(20), send(&cluster)).await.is_err());
    }
    assert_eq!((out(&cluster), cluster.members()[0].state.active()), (vec![false], 0));
}

#[tokio::test]
async fn time_that_passes_in_the_queue_for_a_connection_is_no_failure_of_the_endpoint() {
    let slow = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        sleep(Duration::from_millis(300)).await;
        socket.send(OK).await;
    })
    .await;
    let outlier = Some(OutlierDetection { server_errors: Some(1), ..OutlierDetection::default() });
    let pool = ConnectionPool { max_connections: Some(1), ..ConnectionPool::default() };
    let cluster = cluster_with([slow.address], Policy { pool, outlier, ..Policy::default() });
    let hurried = ForwardPolicy { timeout: Some(Duration::from_millis(50)), ..ForwardPolicy::default() };
    let (first, second) = tokio::join!(send(&cluster), async {
        sleep(Duration::from_millis(20)).await;
        forward(&cluster, get("/"), ProxyBody::empty(), &hurried).await
    });
    assert!(matches!(second, Err(RequestError::Deadline { .. })), "{second:?}");
    assert_eq!((first.as_deref(), out(&cluster)), (Ok("ok"), vec![false]));
}

#[tokio::test]
async fn the_last_answer_is_handed_on_when_a_failure_leaves_nobody_to_retry_with() {
    let bad = failing("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy").await;
    let cluster = watched([bad.address], 1);
    let policy = retrying(2, [On::ServerError]);
    let forwarded = forward(&cluster, get("/"), ProxyBody::empty(), &policy).await.unwrap();
    assert_eq!((forwarded.attempts, forwarded.response.status().as_u16()), (1, 503));
    assert_eq!(text(forwarded).await, "busy");
}

#[tokio::test]
async fn a_refused_connection_costs_a_client_with_retries_nothing() {
    let good = Upstream::answering(OK).await;
    let cluster = watched([closed_port().await, good.address], 2);
    for _ in 0..20 {
        let post = head(Request::post("/"));
        let policy = retrying(1, [On::ConnectFailure]);
        assert_eq!(text(forward(&cluster, post, ProxyBody::full("order"), &policy).await.unwrap()).await, "ok");
    }
    assert_eq!(out(&cluster), [true, false]);
}

#[tokio::test]
async fn a_cookie_brings_a_client_back_to_its_endpoint() {
    let upstreams = [Upstream::answering(OK).await, Upstream::answering(OK).await, Upstream::answering(OK).await];
    let cookie = Cookie { name: "shop".into(), path: None, ttl: Some(Duration::ZERO), attributes: Vec::new() };
    let balancer = Balancing::Hash(HashKey::Cookie(cookie), HashTable::Maglev(101));
    let cluster = cluster_with(upstreams.iter().map(|one| one.address), Policy { balancer, ..Policy::default() });
    for _ in 0..5 {
        let first = forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap();
        let cookie = first.response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        for _ in 0..5 {
            let again = head(Request::get("/").header("cookie", &cookie));
            let again = forward(&cluster, again, ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap();
            assert_eq!(again.endpoint, first.endpoint);
            assert!(!again.response.headers().contains_key("set-cookie"));
        }
    }
}

#[tokio::test]
async fn a_single_endpoint_without_a_policy_is_not_counted() {
    let upstream = Upstream::answering(OK).await;
    let cluster = upstream.cluster();
    assert!(!cluster.is_tracked());
    fetch(&cluster).await;
    assert_eq!(cluster.state().requests(), 0);
}
