//! Connections: kept, replaced, given up.

use super::harness::{OK, Socket, Upstream, closed_port, cluster_of, fetch, front, get, head, text};
use crate::body::ProxyBody;
use crate::error::RequestError;
use crate::upstream::alternatives::Alternatives;
use crate::upstream::policy::{ConnectionPool, Policy};
use crate::upstream::pool::close_idle;
use crate::upstream::registry::{Cluster, Endpoint};
use crate::upstream::{ForwardPolicy, forward};
use http::Request;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

async fn failure(cluster: &Cluster, policy: &ForwardPolicy) -> RequestError {
    forward(cluster, get("/"), ProxyBody::empty(), policy).await.unwrap_err()
}

fn within(milliseconds: u64) -> ForwardPolicy {
    ForwardPolicy { timeout: Some(Duration::from_millis(milliseconds)), ..ForwardPolicy::default() }
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let upstream = Upstream::answering(OK).await;
    for _ in 0..10 {
        assert_eq!(fetch(&upstream.cluster()).await, "ok");
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_response_without_a_body_leaves_the_connection_usable() {
    let upstream = Upstream::answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    for _ in 0..3 {
        assert_eq!(fetch(&upstream.cluster()).await, "");
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn requests_at_the_same_time_have_connections_of_their_own() {
    let upstream = Upstream::answering(OK).await;
    let cluster = upstream.cluster();
    for _ in 0..3 {
        tokio::join!(fetch(&cluster), fetch(&cluster), fetch(&cluster));
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn a_connection_that_the_upstream_closes_is_not_used_again() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    for _ in 0..3 {
        assert_eq!(fetch(&upstream.cluster()).await, "ok");
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced_without_a_word() {
    let upstream = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        socket.read("once".len()).await;
        socket.send(OK).await;
    })
    .await;
    for _ in 0..3 {
        let head = head(Request::post("/"));
        let forwarded =
            forward(&upstream.cluster(), head, ProxyBody::full("once"), &ForwardPolicy::default()).await.unwrap();
        assert_eq!(forwarded.attempts, 1);
        assert_eq!(text(forwarded).await, "ok");
        // Lets the upstream's close arrive, but nothing look at the connection before the next request does.
        #[allow(clippy::disallowed_methods, reason = "nothing of this thread may go on meanwhile")]
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(upstream.connections(), 3);
}

/// Answers the first request of each connection and closes when the second one is there.
async fn closing_on_the_second_request() -> Upstream {
    Upstream::start(|mut socket, _| async move {
        socket.head().await;
        socket.send(OK).await;
        socket.head().await;
    })
    .await
}

#[tokio::test]
async fn a_close_that_crosses_an_idempotent_request_on_an_old_connection_is_not_seen() {
    let upstream = closing_on_the_second_request().await;
    assert_eq!(fetch(&upstream.cluster()).await, "ok");
    sleep(Duration::from_millis(1100)).await;
    assert_eq!(fetch(&upstream.cluster()).await, "ok");
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_request_that_ends_its_server_is_not_handed_to_every_idle_connection() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let arrived = arrived.clone();
        async move {
            while let Some(head) = socket.head().await {
                if head.starts_with("GET /bug ") {
                    return arrived.send(()).unwrap();
                }
                socket.send(OK).await;
            }
        }
    })
    .await;
    let limited = ConnectionPool { max_connections: Some(5), ..ConnectionPool::default() };
    for pool in [ConnectionPool::default(), limited] {
        let cluster = cluster_of(vec![Endpoint::new(upstream.address)], Policy { pool, ..Policy::default() });
        let before = upstream.connections();
        tokio::join!(fetch(&cluster), fetch(&cluster), fetch(&cluster), fetch(&cluster));
        assert_eq!(upstream.connections() - before, 4);
        sleep(Duration::from_millis(1100)).await;
        let error = forward(&cluster, get("/bug"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap_err();
        assert!(matches!(&error, RequestError::Reset { .. }), "{error:?}");
        assert_eq!([(); 3].map(|()| arrivals.try_recv().is_ok()), [true, true, false]);
        close_idle();
    }
}

#[tokio::test]
async fn a_request_that_may_have_had_its_effect_is_never_repeated_unasked() {
    let upstream = closing_on_the_second_request().await;
    assert_eq!(fetch(&upstream.cluster()).await, "ok");
    sleep(Duration::from_millis(1100)).await;
    let post = head(Request::post("/"));
    let error = forward(&upstream.cluster(), post, ProxyBody::full("pay"), &ForwardPolicy::default()).await;
    assert!(matches!(error, Err(RequestError::Reset { .. })));
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_drain_closes_idle_connections() {
    let (ended, mut end) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let ended = ended.clone();
        async move {
            socket.head().await;
            socket.send(OK).await;
            socket.rest().await;
            ended.send(()).unwrap();
        }
    })
    .await;
    fetch(&upstream.cluster()).await;
    close_idle();
    timeout(Duration::from_secs(5), end.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_service_that_does_not_listen_is_unavailable() {
    let error = failure(&Cluster::of("shop", closed_port().await), &ForwardPolicy::default()).await;
    assert!(matches!(&error, RequestError::ConnectFailed { .. }), "{error:?}");
    assert_eq!(error.status(), 503);
}

#[tokio::test]
async fn a_close_before_any_response_is_a_reset() {
    let upstream = Upstream::start(|mut socket, number| async move {
        socket.head().await;
        if number == 1 {
            socket.reset();
        } else {
            socket.send("HTTP/1.1 200 OK\r\ncontent-le").await;
        }
    })
    .await;
    for _ in 0..2 {
        let error = failure(&upstream.cluster(), &ForwardPolicy::default()).await;
        assert!(matches!(&error, RequestError::Reset { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_bad_gateway() {
    for nonsense in
        ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"]
    {
        let upstream = Upstream::answering(nonsense).await;
        let error = failure(&upstream.cluster(), &ForwardPolicy::default()).await;
        assert!(matches!(&error, RequestError::BadResponse { .. }), "{error:?}");
        assert_eq!(error.status(), 502);
    }
}

#[tokio::test]
async fn a_slow_first_byte_is_a_timeout() {
    let upstream = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        sleep(Duration::from_secs(5)).await;
    })
    .await;
    let error = failure(&upstream.cluster(), &within(50)).await;
    assert_eq!(error, RequestError::Deadline { milliseconds: 50 });
    assert_eq!(error.status(), 504);
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_an_upstream_has_fifteen_seconds_for_its_first_byte() {
    let upstream = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        sleep(Duration::from_secs(100)).await;
    })
    .await;
    let error = failure(&upstream.cluster(), &ForwardPolicy::default()).await;
    assert_eq!(error, RequestError::Deadline { milliseconds: 15_000 });
}

#[tokio::test]
async fn giving_up_a_request_closes_its_connection() {
    let (ended, end) = oneshot::channel();
    let ended = std::sync::Mutex::new(Some(ended));
    let upstream = Upstream::start(move |mut socket, _| {
        let ended = ended.lock().unwrap().take();
        async move {
            socket.head().await;
            assert_eq!(socket.rest().await, "");
            ended.unwrap().send(()).unwrap();
        }
    })
    .await;
    let cluster = upstream.cluster();
    let given_up =
        timeout(Duration::from_millis(50), forward(&cluster, get("/"), ProxyBody::empty(), &within(10_000))).await;
    assert!(given_up.is_err());
    timeout(Duration::from_secs(5), end).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_upstream_connection_along() {
    let (ended, mut end) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let ended = ended.clone();
        async move {
            socket.head().await;
            ended.send("request").unwrap();
            socket.rest().await;
            ended.send("end").unwrap();
        }
    })
    .await;
    let front = front(upstream.cluster(), ForwardPolicy::default(), None).await;
    let mut client = Socket::connect(front).await;
    client.send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    assert_eq!(end.recv().await, Some("request"));
    drop(client);
    assert_eq!(timeout(Duration::from_secs(5), end.recv()).await.unwrap(), Some("end"));
}

/// An endpoint whose own address refuses, beside one that serves.
async fn half_reachable(serving: SocketAddr) -> Endpoint {
    let refusing = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    Endpoint { alternatives: Alternatives::new([serving]), ..Endpoint::new(refusing) }
}

#[tokio::test]
async fn an_endpoint_is_reached_at_its_other_address_and_the_connection_is_kept() {
    let upstream = Upstream::answering(OK).await;
    let limited = ConnectionPool { max_connections: Some(1), ..ConnectionPool::default() };
    for (pool, connections) in [(ConnectionPool::default(), 1), (limited, 2)] {
        let endpoint = half_reachable(upstream.address).await;
        let cluster = cluster_of(vec![endpoint], Policy { pool, ..Policy::default() });
        for _ in 0..3 {
            let forwarded = forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap();
            assert_eq!((forwarded.endpoint, forwarded.attempts), (upstream.address, 1));
            assert_eq!(text(forwarded).await, "ok");
        }
        assert_eq!(upstream.connections(), connections);
        close_idle();
    }
}

#[tokio::test]
async fn a_connection_to_an_other_address_serves_nobody_who_means_the_own_one() {
    let upstream = Upstream::answering(OK).await;
    let endpoint = half_reachable(upstream.address).await;
    let own = endpoint.address;
    assert_eq!(fetch(&cluster_of(vec![endpoint], Policy::default())).await, "ok");
    let strict = cluster_of(vec![Endpoint::new(own)], Policy::default());
    assert!(matches!(failure(&strict, &ForwardPolicy::default()).await, RequestError::ConnectFailed { .. }));
}
