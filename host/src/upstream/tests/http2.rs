//! Endpoints that speak HTTP/2: shared connections, and what becomes of requests when those end.

use super::harness::{cluster_speaking, get, head, retrying, text};
use crate::body::{BodyError, ProxyBody};
use crate::error::RequestError;
use crate::upstream::alternatives::Alternatives;
use crate::upstream::limit::Limit;
use crate::upstream::policy::{ConnectionPool, Policy};
use crate::upstream::registry::{Cluster, Endpoint, Protocol};
use crate::upstream::{ForwardPolicy, forward};
use crate::wasm::types::RetryCondition as On;
use bytes::Bytes;
use futures_util::StreamExt;
use h2::Reason;
use h2::server::{Connection, SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

pub(super) type Served = Connection<TcpStream, Bytes>;

/// Runs `serve` for every connection, with its number from 1.
pub(super) async fn serve<F>(serve: impl Fn(Served, usize) -> F + Send + 'static) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (address, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            let connection = h2::server::handshake(stream).await.unwrap();
            tokio::spawn(serve(connection, number));
        }
    });
    (address, connections)
}

/// Answers every request with `ok`, each after this long.
async fn answering(after: Duration) -> (SocketAddr, Arc<AtomicUsize>) {
    serve(move |mut connection, _| async move {
        while let Some(Ok((_, respond))) = connection.accept().await {
            tokio::spawn(async move {
                sleep(after).await;
                answer(respond);
            });
        }
    })
    .await
}

fn answer(mut respond: SendResponse<Bytes>) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from_static(b"ok"), true).unwrap();
}

fn speaking(address: SocketAddr, pool: ConnectionPool) -> Cluster {
    cluster_speaking(Protocol::Http2, vec![Endpoint::new(address)], Policy { pool, ..Policy::default() })
}

async fn fetch(cluster: &Cluster) -> Result<String, RequestError> {
    let forwarded = forward(cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await?;
    Ok(text(forwarded).await)
}

#[tokio::test]
async fn requests_at_the_same_time_share_one_connection() {
    let (address, connections) = answering(Duration::from_millis(20)).await;
    let cluster = speaking(address, ConnectionPool::default());
    for _ in 0..3 {
        let answers = futures_util::future::join_all((0..20).map(|_| fetch(&cluster))).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == "ok"));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn more_streams_than_a_connection_may_have_go_on_another() {
    let (address, connections) = answering(Duration::from_millis(50)).await;
    let cluster = speaking(address, ConnectionPool { max_streams: Some(4), ..ConnectionPool::default() });
    let answers = futures_util::future::join_all((0..12).map(|_| fetch(&cluster))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == "ok"));
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_connection_serves_as_many_requests_as_its_policy_says() {
    let (address, connections) = answering(Duration::ZERO).await;
    let pool = ConnectionPool { max_requests_per_connection: Some(2), ..ConnectionPool::default() };
    let cluster = speaking(address, pool);
    for _ in 0..6 {
        assert_eq!(fetch(&cluster).await.unwrap(), "ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn responses_that_their_clients_do_not_take_stop_no_other_on_the_connection() {
    let (address, connections) = serve(|mut connection, _| async move {
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            if request.uri().path() == "/large" {
                let mut stream = respond.send_response(Response::new(()), false).unwrap();
                stream.send_data(Bytes::from(vec![b'x'; 1 << 20]), true).unwrap();
            } else {
                answer(respond);
            }
        }
    })
    .await;
    let cluster = speaking(address, ConnectionPool::default());
    let policy = ForwardPolicy::default();
    let large = || forward(&cluster, get("/large"), ProxyBody::empty(), &policy);
    // An answer that is there has its head read, and as much of its body as its window lets through.
    let untaken = futures_util::future::join_all([(); 30].map(|()| large())).await;
    assert!(untaken.iter().all(Result::is_ok));
    sleep(Duration::from_millis(300)).await;
    let others = futures_util::future::join_all((0..10).map(|_| fetch(&cluster)));
    let others = timeout(Duration::from_secs(5), others).await.expect("nothing stops them");
    assert!(others.into_iter().all(|answer| answer.unwrap() == "ok"));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    for taken in untaken {
        let body = taken.unwrap().response.into_body().collect_up_to(1 << 20).await.unwrap();
        assert_eq!(body.len(), 1 << 20);
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
    let (address, _) = serve(move |mut connection, _| {
        let ended = ended.clone();
        async move {
            while let Some(Ok((_, respond))) = connection.accept().await {
                answer(respond);
            }
            ended.send(()).unwrap();
        }
    })
    .await;
    let pool = ConnectionPool { idle_timeout: Some(Duration::from_millis(150)), ..ConnectionPool::default() };
    let cluster = speaking(address, pool);
    assert_eq!(fetch(&cluster).await.unwrap(), "ok");
    assert_eq!(cluster.members()[0].state.streams.connections(), 1);
    timeout(Duration::from_secs(5), end.recv()).await.unwrap().unwrap();
    assert_eq!(cluster.members()[0].state.streams.connections(), 0);
}

#[tokio::test]
async fn after_goaway_new_requests_go_to_a_new_connection_and_old_ones_end_well() {
    let (address, connections) = serve(|mut connection, number| async move {
        let mut first = connection.accept().await.unwrap().unwrap().1;
        if number == 1 {
            connection.graceful_shutdown();
            tokio::spawn(async move {
                sleep(Duration::from_millis(200)).await;
                let mut stream = first.send_response(Response::new(()), false).unwrap();
                stream.send_data(Bytes::from_static(b"old"), true).unwrap();
            });
        } else {
            answer(first);
        }
        while let Some(Ok((_, respond))) = connection.accept().await {
            answer(respond);
        }
    })
    .await;
    let cluster = speaking(address, ConnectionPool::default());
    let later = async {
        sleep(Duration::from_millis(100)).await;
        fetch(&cluster).await.unwrap()
    };
    let (old, new) = tokio::join!(fetch(&cluster), later);
    assert_eq!((old.unwrap().as_str(), new.as_str()), ("old", "ok"));
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_that_was_lost_is_replaced_without_a_word() {
    let (address, connections) = serve(|mut connection, _| async move {
        let (_, respond) = connection.accept().await.unwrap().unwrap();
        answer(respond);
        // Lets the answer out, and then drops the connection.
        let _ = timeout(Duration::from_millis(50), connection.accept()).await;
    })
    .await;
    let cluster = speaking(address, ConnectionPool::default());
    for _ in 0..3 {
        assert_eq!(fetch(&cluster).await.unwrap(), "ok");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

/// Refuses this many streams, and answers the others.
async fn refusing(refused: usize) -> SocketAddr {
    let seen = Arc::new(AtomicUsize::new(0));
    let serving = serve(move |mut connection, _| {
        let seen = Arc::clone(&seen);
        async move {
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                if seen.fetch_add(1, Ordering::SeqCst) < refused {
                    respond.send_reset(Reason::REFUSED_STREAM);
                } else {
                    answer(respond);
                }
            }
        }
    });
    serving.await.0
}

#[tokio::test]
async fn a_refused_stream_is_a_failure_unless_a_policy_retries_it() {
    let post = |policy: ForwardPolicy, refused| async move {
        let cluster = speaking(refusing(refused).await, ConnectionPool::default());
        let forwarded = forward(&cluster, head(Request::post("/")), ProxyBody::full("once"), &policy).await?;
        Ok::<_, RequestError>((forwarded.attempts, text(forwarded).await))
    };
    let error = post(ForwardPolicy::default(), 1).await.unwrap_err();
    assert!(matches!(error, RequestError::StreamReset { .. }), "{error:?}");
    assert_eq!(error.status(), 503);
    assert_eq!(post(retrying(2, [On::RefusedStream]), 2).await.unwrap(), (3, "ok".to_owned()));
    assert!(post(retrying(2, [On::ConnectFailure]), 1).await.is_err());
}

#[tokio::test]
async fn a_stream_that_is_reset_says_why() {
    let (address, _) = serve(|mut connection, _| async move {
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_reset(Reason::ENHANCE_YOUR_CALM);
        }
    })
    .await;
    let cluster = speaking(address, ConnectionPool::default());
    let error = fetch(&cluster).await.unwrap_err();
    let RequestError::StreamReset { reason, .. } = &error else { panic!("{error:?}") };
    assert_eq!(reason, Reason::ENHANCE_YOUR_CALM.description());
}

#[tokio::test]
async fn what_speaks_no_http2_is_a_failure_of_the_upstream() {
    let upstream = super::harness::Upstream::answering(super::harness::OK).await;
    let error = fetch(&speaking(upstream.address, ConnectionPool::default())).await.unwrap_err();
    assert!((502..=503).contains(&error.status().as_u16()), "{error:?}");
}

#[tokio::test]
async fn a_slow_head_is_a_timeout_and_resets_its_stream_alone() {
    let (address, connections) = answering(Duration::from_millis(300)).await;
    let cluster = speaking(address, ConnectionPool::default());
    let hurried = ForwardPolicy { timeout: Some(Duration::from_millis(50)), ..ForwardPolicy::default() };
    let (late, fine) = tokio::join!(forward(&cluster, get("/"), ProxyBody::empty(), &hurried), fetch(&cluster));
    assert_eq!(late.unwrap_err(), RequestError::Deadline { milliseconds: 50 });
    assert_eq!(fine.unwrap(), "ok");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn bodies_and_trailers_go_both_ways_as_they_come() {
    let (address, _) = serve(|mut connection, _| async move {
        while let Some(Ok((mut request, mut respond))) = connection.accept().await {
            tokio::spawn(async move {
                assert_eq!(request.uri().to_string(), "http://shop/talk");
                let mut stream = respond.send_response(Response::new(()), false).unwrap();
                while let Some(data) = request.body_mut().data().await {
                    let data = data.unwrap();
                    request.body_mut().flow_control().release_capacity(data.len()).unwrap();
                    stream.send_data(data, false).unwrap();
                }
                stream.send_trailers(request.body_mut().trailers().await.unwrap().unwrap()).unwrap();
            });
        }
    })
    .await;
    let cluster = speaking(address, ConnectionPool::default());
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Result<Frame<Bytes>, BodyError>>();
    let frames = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|frame| (frame, receiver))
    });
    let body = ProxyBody::stream(StreamBody::new(frames.boxed()));
    // Nothing of the body is here when the response begins.
    let policy = ForwardPolicy { conversation: true, ..ForwardPolicy::default() };
    let forwarded = forward(&cluster, head(Request::post("/talk")), body, &policy).await.unwrap();
    let mut response = forwarded.response.into_body();
    for word in ["one", "two"] {
        sender.send(Ok(Frame::data(Bytes::from(word)))).unwrap();
        assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), word);
    }
    let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("x-end"), HeaderValue::from_static("1"))]);
    sender.send(Ok(Frame::trailers(trailers.clone()))).unwrap();
    drop(sender);
    assert_eq!(response.frame().await.unwrap().unwrap().into_trailers().unwrap(), trailers);
}

#[tokio::test]
async fn an_endpoint_is_reached_at_its_other_address() {
    let (address, connections) = answering(Duration::ZERO).await;
    let refusing = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let endpoint = Endpoint { alternatives: Alternatives::new([address]), ..Endpoint::new(refusing) };
    let cluster = cluster_speaking(Protocol::Http2, vec![endpoint], Policy::default());
    for _ in 0..2 {
        let forwarded = forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap();
        assert_eq!(forwarded.endpoint, address);
        assert_eq!(text(forwarded).await, "ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// Answers when told to: one message lets one answer out.
async fn answering_on_demand() -> (SocketAddr, Arc<AtomicUsize>, tokio::sync::mpsc::UnboundedSender<()>) {
    let (go, gone) = tokio::sync::mpsc::unbounded_channel();
    let gone = Arc::new(tokio::sync::Mutex::new(gone));
    let (address, connections) = serve(move |mut connection, _| {
        let gone = Arc::clone(&gone);
        async move {
            while let Some(Ok((_, respond))) = connection.accept().await {
                let gone = Arc::clone(&gone);
                tokio::spawn(async move {
                    gone.lock().await.recv().await;
                    answer(respond);
                });
            }
        }
    })
    .await;
    (address, connections, go)
}

async fn until(mut holds: impl FnMut() -> bool) {
    let waited = timeout(Duration::from_secs(10), async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.expect("it holds in time");
}

#[tokio::test]
async fn where_no_connection_may_be_added_requests_wait_and_only_so_many() {
    let (address, connections, go) = answering_on_demand().await;
    let pool = ConnectionPool {
        max_connections: Some(1),
        max_streams: Some(1),
        max_pending: Some(1),
        ..ConnectionPool::default()
    };
    let cluster = speaking(address, pool);
    let ask = || {
        let cluster = cluster.clone();
        tokio::spawn(async move { fetch(&cluster).await })
    };
    let first = ask();
    until(|| cluster.state().requests() == 1 && cluster.state().pending() == 0).await;
    let second = ask();
    until(|| cluster.state().pending() == 1).await;
    let refused = fetch(&cluster).await.unwrap_err();
    assert!(matches!(refused, RequestError::UpstreamOverloaded { .. }), "{refused:?}");
    assert_eq!(cluster.state().overflows(Limit::Pending), 1);
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap(), "ok");
    go.send(()).unwrap();
    assert_eq!(second.await.unwrap().unwrap(), "ok");
    assert_eq!(
        (connections.load(Ordering::SeqCst), cluster.state().connections(), cluster.state().pending()),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn requests_that_wait_for_the_first_connection_are_counted_too() {
    // It takes connections and says nothing, so the first stream of the connection waits for nobody.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let tls = crate::tls::client::ClientTerms { insecure: true, ..crate::tls::client::ClientTerms::default() };
    let tls = crate::upstream::policy::TlsSettings::new(&tls, Some("shop".to_owned())).unwrap();
    let pool = ConnectionPool { max_pending: Some(1), ..ConnectionPool::default() };
    let policy = Policy { pool, tls: Some(Arc::new(tls)), ..Policy::default() };
    let endpoint = Endpoint::new(listener.local_addr().unwrap());
    let cluster = cluster_speaking(Protocol::Http2, vec![endpoint], policy);
    let waiting = tokio::spawn({
        let cluster = cluster.clone();
        async move { fetch(&cluster).await }
    });
    until(|| cluster.state().pending() == 1).await;
    let refused = fetch(&cluster).await.unwrap_err();
    assert!(matches!(refused, RequestError::UpstreamOverloaded { .. }), "{refused:?}");
    waiting.abort();
}

#[tokio::test]
async fn a_limit_of_connections_is_kept_and_every_endpoint_gets_one() {
    let (one, of_one) = answering(Duration::from_millis(50)).await;
    let (two, of_two) = answering(Duration::from_millis(50)).await;
    let pool = ConnectionPool { max_connections: Some(1), max_streams: Some(2), ..ConnectionPool::default() };
    let endpoints = vec![Endpoint::new(one), Endpoint::new(two)];
    let cluster = cluster_speaking(Protocol::Http2, endpoints, Policy { pool, ..Policy::default() });
    let answers = futures_util::future::join_all((0..24).map(|_| fetch(&cluster))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == "ok"));
    assert_eq!((of_one.load(Ordering::SeqCst), of_two.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn a_limit_of_requests_holds_over_shared_connections() {
    let (address, _, go) = answering_on_demand().await;
    let cluster = speaking(address, ConnectionPool { max_requests: Some(1), ..ConnectionPool::default() });
    let first = tokio::spawn({
        let cluster = cluster.clone();
        async move { fetch(&cluster).await }
    });
    until(|| cluster.state().requests() == 1).await;
    let refused = fetch(&cluster).await.unwrap_err();
    assert!(matches!(refused, RequestError::UpstreamOverloaded { .. }), "{refused:?}");
    assert_eq!(cluster.state().overflows(Limit::Requests), 1);
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap(), "ok");
}

#[tokio::test]
async fn those_who_wait_get_a_new_connection_when_theirs_is_lost() {
    let (address, connections) = serve(|mut connection, number| async move {
        let first = connection.accept().await.unwrap().unwrap().1;
        if number == 1 {
            // The connection is dropped without an answer, a moment later.
            let _ = timeout(Duration::from_millis(100), connection.accept()).await;
            return;
        }
        answer(first);
        while let Some(Ok((_, respond))) = connection.accept().await {
            answer(respond);
        }
    })
    .await;
    let pool = ConnectionPool { max_connections: Some(1), max_streams: Some(1), ..ConnectionPool::default() };
    let cluster = speaking(address, pool);
    let later = async {
        sleep(Duration::from_millis(50)).await;
        fetch(&cluster).await
    };
    let (lost, waited) = timeout(Duration::from_secs(5), async { tokio::join!(fetch(&cluster), later) }).await.unwrap();
    assert!(lost.is_err());
    assert_eq!(waited.unwrap(), "ok");
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}
