//! Limits of connections, requests and retries.

use super::harness::{OK, Socket, Upstream, closed_port, cluster_with, fetch, get, retrying, text};
use crate::body::ProxyBody;
use crate::error::RequestError;
use crate::telemetry::{AccessLog, Metrics};
use crate::upstream::limit::Limit;
use crate::upstream::policy::{ConnectionPool, Policy, RetryBudget};
use crate::upstream::registry::{Cluster, Endpoint, Names, Protocol, Registry, ServicePort};
use crate::upstream::state::States;
use crate::upstream::{ForwardPolicy, Forwarded, forward};
use crate::wasm::types::RetryCondition as On;
use futures_util::future::join_all;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Answers every request of every connection after this many milliseconds.
async fn slow(milliseconds: u64) -> Upstream {
    Upstream::start(move |mut socket, _| async move {
        while socket.head().await.is_some() {
            sleep(Duration::from_millis(milliseconds)).await;
            socket.send(OK).await;
        }
    })
    .await
}

fn limited(addresses: impl IntoIterator<Item = SocketAddr>, pool: ConnectionPool) -> Cluster {
    cluster_with(addresses, Policy { pool, ..Policy::default() })
}

async fn send(cluster: &Cluster) -> Result<Forwarded, RequestError> {
    forward(cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await
}

/// Sends so many at the same time; returns how many were refused for want of room. All others are served.
async fn refused(cluster: &Cluster, count: usize) -> usize {
    let send = || async {
        match send(cluster).await {
            Ok(forwarded) => {
                assert_eq!(text(forwarded).await, "ok");
                0
            }
            Err(error) => {
                assert!(matches!(error, RequestError::UpstreamOverloaded { .. }), "{error:?}");
                assert_eq!(error.status(), 503);
                1
            }
        }
    };
    join_all((0..count).map(|_| send())).await.into_iter().sum()
}

async fn wait_until_closed(cluster: &Cluster) {
    let closed = async {
        while cluster.state().connections() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(Duration::from_secs(5), closed).await.is_ok(), "{} are left", cluster.state().connections());
}

#[tokio::test]
async fn requests_wait_for_the_connections_that_there_may_be() {
    let upstream = slow(10).await;
    let cluster = limited([upstream.address], ConnectionPool { max_connections: Some(2), ..ConnectionPool::default() });
    assert_eq!(refused(&cluster, 10).await, 0);
    assert_eq!((upstream.connections(), cluster.state().connections()), (2, 2));
    assert_eq!((cluster.state().pending(), cluster.state().requests()), (0, 0));
}

/// Twelve clients on four threads send a hundred requests each; if they are `leaving`, some of them go away while they
/// wait or are served. Returns how many connections were open at most, as the endpoint saw it, and how many there were in all.
async fn rush(pool: ConnectionPool, leaving: bool) -> (Cluster, usize, usize) {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let peak = Arc::clone(&most);
    let serve = move |mut socket: Socket, _| {
        let (open, peak) = (Arc::clone(&open), Arc::clone(&peak));
        async move {
            peak.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            while socket.head().await.is_some() {
                socket.send(OK).await;
            }
            open.fetch_sub(1, Ordering::SeqCst);
        }
    };
    let upstream = Upstream::start(serve).await;
    let cluster = limited([upstream.address], pool);
    let client = |cluster: Cluster| async move {
        for number in 0..100 {
            if leaving && number % 10 == 0 {
                let _ = timeout(Duration::from_micros(300), send(&cluster)).await;
            } else {
                assert_eq!(text(send(&cluster).await.unwrap()).await, "ok");
            }
        }
    };
    let clients: Vec<_> = (0..12).map(|_| tokio::spawn(client(cluster.clone()))).collect();
    for client in clients {
        client.await.unwrap();
    }
    (cluster, most.load(Ordering::SeqCst), upstream.connections())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_threads_together_never_open_more_connections_than_there_may_be() {
    let pool = ConnectionPool { max_connections: Some(3), ..ConnectionPool::default() };
    let (_, most, all) = rush(pool, false).await;
    assert_eq!((most, all), (3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_end_and_clients_that_leave_cost_no_slot() {
    let (max_connections, max_requests_per_connection) = (Some(3), Some(7));
    let (cluster, _, all) =
        rush(ConnectionPool { max_connections, max_requests_per_connection, ..ConnectionPool::default() }, true).await;
    assert!(all > 1_000 / 7, "{all}");
    assert!(cluster.state().connections() <= 3);
    assert_eq!((cluster.state().pending(), cluster.state().requests()), (0, 0));
    assert!(cluster.members().iter().all(|member| member.state.active() == 0));
    // All of the slots can still be had at the same time.
    let held = [send(&cluster).await.unwrap(), send(&cluster).await.unwrap(), send(&cluster).await.unwrap()];
    assert_eq!((held.len(), cluster.state().connections()), (3, 3));
}

#[tokio::test]
async fn more_than_may_wait_are_refused_and_later_ones_served() {
    let upstream = slow(50).await;
    let pool = ConnectionPool { max_connections: Some(1), max_pending: Some(2), ..ConnectionPool::default() };
    let cluster = limited([upstream.address], pool);
    // Two may wait for the first connection, which does not exist yet.
    assert_eq!(refused(&cluster, 5).await, 3);
    assert_eq!(cluster.state().overflows(Limit::Pending), 3);
    assert_eq!(refused(&cluster, 2).await, 0);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn an_idle_connection_to_one_endpoint_makes_room_for_one_to_another() {
    let upstreams = [slow(0).await, slow(0).await];
    let pool = ConnectionPool { max_connections: Some(1), ..ConnectionPool::default() };
    let cluster = limited(upstreams.iter().map(|upstream| upstream.address), pool);
    for _ in 0..20 {
        assert_eq!(fetch(&cluster).await, "ok");
    }
    assert!(upstreams.iter().all(|upstream| upstream.connections() > 0));
    assert_eq!(cluster.state().connections(), 1);
}

#[tokio::test]
async fn who_goes_away_while_waiting_costs_no_connection() {
    let upstream = slow(100).await;
    let pool = ConnectionPool { max_connections: Some(1), ..ConnectionPool::default() };
    let cluster = limited([upstream.address], pool);
    let first = tokio::spawn({
        let cluster = cluster.clone();
        async move { fetch(&cluster).await }
    });
    sleep(Duration::from_millis(20)).await;
    assert!(timeout(Duration::from_millis(20), send(&cluster)).await.is_err());
    assert_eq!(first.await.unwrap(), "ok");
    assert_eq!(fetch(&cluster).await, "ok");
    assert_eq!((upstream.connections(), cluster.state().pending(), cluster.state().requests()), (1, 0, 0));
}

#[tokio::test]
async fn an_exchange_that_is_given_up_closes_its_connection_and_the_next_may_open_one() {
    let upstream = slow(5_000).await;
    let pool = ConnectionPool { max_connections: Some(1), ..ConnectionPool::default() };
    let cluster = limited([upstream.address], pool);
    for _ in 0..3 {
        assert!(timeout(Duration::from_millis(50), send(&cluster)).await.is_err());
    }
    wait_until_closed(&cluster).await;
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn waiting_for_a_connection_ends_with_the_requests_time() {
    let upstream = slow(1_000).await;
    let pool = ConnectionPool { max_connections: Some(1), ..ConnectionPool::default() };
    let cluster = limited([upstream.address], pool);
    let (_first, second) = tokio::join!(send(&cluster), async {
        sleep(Duration::from_millis(20)).await;
        let policy = ForwardPolicy { timeout: Some(Duration::from_millis(50)), ..ForwardPolicy::default() };
        forward(&cluster, get("/"), ProxyBody::empty(), &policy).await
    });
    assert!(matches!(second, Err(RequestError::Deadline { .. })), "{second:?}");
}

#[tokio::test]
async fn requests_at_the_same_time_are_limited_until_their_responses_have_ended() {
    let upstream = slow(20).await;
    let pool = ConnectionPool { max_requests: Some(2), ..ConnectionPool::default() };
    let cluster = limited([upstream.address], pool);
    assert_eq!(refused(&cluster, 5).await, 3);
    let unread = [send(&cluster).await.unwrap(), send(&cluster).await.unwrap()];
    assert_eq!(refused(&cluster, 1).await, 1);
    drop(unread);
    assert_eq!(refused(&cluster, 1).await, 0);
    assert_eq!((cluster.state().overflows(Limit::Requests), cluster.state().requests()), (4, 0));
}

#[tokio::test]
async fn a_connection_serves_as_many_requests_as_it_may() {
    for (most, expected) in [(1, 6), (2, 3), (3, 2)] {
        let upstream = slow(0).await;
        let pool = ConnectionPool { max_requests_per_connection: Some(most), ..ConnectionPool::default() };
        let cluster = limited([upstream.address], pool);
        for _ in 0..6 {
            assert_eq!(fetch(&cluster).await, "ok");
        }
        assert_eq!(upstream.connections(), expected, "{most} requests a connection");
    }
}

#[tokio::test]
async fn a_connection_is_closed_when_it_is_idle_or_old_for_too_long() {
    let limit = Some(Duration::from_millis(100));
    let pools = [
        ConnectionPool { idle_timeout: limit, ..ConnectionPool::default() },
        ConnectionPool { max_duration: limit, ..ConnectionPool::default() },
    ];
    for pool in pools {
        let upstream = slow(0).await;
        let cluster = limited([upstream.address], pool.clone());
        fetch(&cluster).await;
        fetch(&cluster).await;
        assert_eq!(upstream.connections(), 1);
        sleep(Duration::from_millis(150)).await;
        fetch(&cluster).await;
        fetch(&cluster).await;
        assert!(upstream.connections() > 1, "{pool:?}");
        if pool.idle_timeout.is_some() {
            wait_until_closed(&cluster).await;
        }
    }
}

#[tokio::test]
async fn a_connect_timeout_is_kept() {
    // No packet ever comes back from this address (RFC 5737, section 3), or the system refuses at once.
    let nowhere = SocketAddr::from(([192, 0, 2, 1], 9));
    let pool = ConnectionPool { connect_timeout: Some(Duration::from_millis(50)), ..ConnectionPool::default() };
    let started = Instant::now();
    let error = send(&limited([nowhere], pool)).await.unwrap_err();
    assert!(matches!(error, RequestError::ConnectFailed { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn retries_at_the_same_time_are_limited() {
    let pool = ConnectionPool { max_retries: Some(1), ..ConnectionPool::default() };
    let budget = Some(RetryBudget { percent: 0.0, minimum: 1 });
    let policies = [Policy { pool, ..Policy::default() }, Policy { retry_budget: budget, ..Policy::default() }];
    for policy in policies {
        let cluster = cluster_with([closed_port().await], policy);
        let mut retries = retrying(3, [On::ConnectFailure]);
        retries.retries.as_mut().unwrap().backoff = 100;
        let all = join_all((0..10).map(|_| forward(&cluster, get("/"), ProxyBody::empty(), &retries))).await;
        assert!(all.iter().all(Result::is_err));
        assert!(cluster.state().overflows(Limit::Retries) >= 9, "{}", cluster.state().overflows(Limit::Retries));
        assert_eq!(cluster.state().retries(), 0);
    }
}

#[test]
fn a_retry_budget_is_a_share_of_the_requests_but_never_too_small() {
    let budget = RetryBudget { percent: 20.0, minimum: 3 };
    assert_eq!([0, 10, 15, 100].map(|requests| budget.of(requests)), [3, 3, 3, 20]);
}

#[tokio::test]
async fn tries_are_counted_by_how_they_end() {
    let metrics = Metrics::new(&AccessLog::off());
    let states = Arc::new(States::counted_in(metrics.clone()));
    let mut registry = Registry::with_states(Names::default(), states);
    let upstream = slow(100).await;
    let service = |address: SocketAddr| {
        vec![ServicePort {
            number: None,
            name: None,
            protocol: Protocol::Http1,
            endpoints: vec![Endpoint::new(address)],
        }]
    };
    registry.add("well".into(), service(upstream.address));
    registry.add("gone".into(), service(closed_port().await));
    let (well, gone) = (registry.find("well", None).unwrap(), registry.find("gone", None).unwrap());
    fetch(&well).await;
    assert!(timeout(Duration::from_millis(20), send(&well)).await.is_err());
    let retrying = retrying(2, [On::ConnectFailure]);
    assert!(forward(&gone, get("/"), ProxyBody::empty(), &retrying).await.is_err());
    let text = metrics.encode().unwrap();
    for line in [
        r#"sluicegate_upstream_requests_total{upstream="well",result="success"} 1"#,
        r#"sluicegate_upstream_requests_total{upstream="well",result="cancelled"} 1"#,
        r#"sluicegate_upstream_requests_total{upstream="gone",result="connect_failure"} 3"#,
        r#"sluicegate_upstream_retries_total{upstream="gone"} 2"#,
    ] {
        assert!(text.contains(&format!("{line}\n")), "no {line} in\n{text}");
    }
}
