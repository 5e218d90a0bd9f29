//! What speaks against an endpoint, and what does not.

use super::harness::{OK, Upstream, cluster_speaking, cluster_with, get, head};
use super::http2::{self, Served};
use crate::body::{BodyError, ProxyBody};
use crate::error::RequestError;
use crate::upstream::policy::{OutlierDetection, Policy};
use crate::upstream::registry::{Cluster, Endpoint, Protocol};
use crate::upstream::{ForwardPolicy, forward};
use bytes::Bytes;
use futures_util::stream::{StreamExt, iter, pending};
use h2::Reason;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// Leaves an endpoint out for so many failures in a row.
fn strict(failures: u32) -> Policy {
    Policy {
        outlier: Some(OutlierDetection { server_errors: Some(failures), ..OutlierDetection::default() }),
        ..Policy::default()
    }
}

fn strict_in_http2(address: SocketAddr, failures: u32) -> Cluster {
    cluster_speaking(Protocol::Http2, vec![Endpoint::new(address)], strict(failures))
}

fn is_out(cluster: &Cluster) -> bool {
    cluster.members()[0].state.out().is_some()
}

/// Takes requests and never answers.
async fn silent() -> Upstream {
    Upstream::start(|mut socket, _| async move {
        socket.rest().await;
    })
    .await
}

fn within(limit: Duration, hurried: bool) -> ForwardPolicy {
    ForwardPolicy { timeout: Some(limit), hurried, conversation: true, ..ForwardPolicy::default() }
}

#[tokio::test]
async fn a_client_that_leaves_no_time_is_no_failure_of_the_endpoint() {
    let upstream = silent().await;
    let cluster = cluster_with([upstream.address], strict(1));
    for limit in [Duration::from_nanos(1), Duration::from_millis(1), Duration::from_millis(30)] {
        forward(&cluster, get("/"), ProxyBody::empty(), &within(limit, true)).await.unwrap_err();
        assert!(!is_out(&cluster), "{limit:?}");
    }
    // The same time is the endpoint's own when the operator gives it.
    let limit = Duration::from_millis(30);
    let late = forward(&cluster, get("/"), ProxyBody::empty(), &within(limit, false)).await;
    assert_eq!(late.unwrap_err(), RequestError::Deadline { milliseconds: 30 });
    assert!(is_out(&cluster));
}

#[tokio::test]
async fn a_client_that_leaves_no_time_is_no_failure_of_an_endpoint_of_http2() {
    let (address, _) = http2::serve(|mut connection, _| async move {
        let mut kept = Vec::new();
        while let Some(Ok(request)) = connection.accept().await {
            kept.push(request);
        }
    })
    .await;
    let cluster = strict_in_http2(address, 1);
    for limit in [Duration::from_nanos(1), Duration::from_millis(30)] {
        forward(&cluster, get("/"), ProxyBody::empty(), &within(limit, true)).await.unwrap_err();
        assert!(!is_out(&cluster), "{limit:?}");
    }
    forward(&cluster, get("/"), ProxyBody::empty(), &within(Duration::from_millis(30), false)).await.unwrap_err();
    assert!(is_out(&cluster));
}

#[tokio::test]
async fn small_pieces_that_a_client_does_not_take_end_a_connection_and_are_no_failure_of_the_endpoint() {
    // More of them than the library lets wait on one connection.
    const PIECES: usize = 60_000;
    let (address, connections) = http2::serve(|mut connection, number| async move {
        let mut kept = Vec::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            match request.uri().path() {
                "/pieces" => {
                    let mut stream = respond.send_response(Response::new(()), false).unwrap();
                    for _ in 0..PIECES {
                        stream.send_data(Bytes::from_static(b"x"), false).unwrap();
                    }
                    kept.push((None, Some(stream)));
                }
                _ if number > 1 => drop(respond.send_response(Response::new(()), true).unwrap()),
                _ => kept.push((Some(respond), None)),
            }
        }
    })
    .await;
    let cluster = strict_in_http2(address, 1);
    let policy = ForwardPolicy::default();
    let send = |head| forward(&cluster, head, ProxyBody::empty(), &policy);
    let (pieces, posted, got) = tokio::join!(
        async {
            // Once the others are on the same connection.
            sleep(Duration::from_millis(100)).await;
            send(get("/pieces")).await
        },
        send(head(Request::post("/"))),
        send(get("/")),
    );
    let error = posted.unwrap_err();
    assert!(matches!(error, RequestError::Reset { .. }), "{error:?}");
    assert_eq!(got.unwrap().response.status(), 200, "what is idempotent is repeated");
    assert!(pieces.unwrap().response.into_body().collect_up_to(1 << 20).await.is_err());
    assert!(!is_out(&cluster));
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_endpoint_answers_for_the_time_of_a_try_although_its_client_is_in_a_hurry() {
    let upstream = silent().await;
    let cluster = cluster_with([upstream.address], strict(1));
    let mut policy = super::harness::retrying(1, []);
    policy.retries.as_mut().unwrap().per_try_timeout = Some(30);
    let policy = ForwardPolicy { timeout: Some(Duration::from_secs(10)), hurried: true, ..policy };
    forward(&cluster, get("/"), ProxyBody::empty(), &policy).await.unwrap_err();
    assert!(is_out(&cluster));
}

#[tokio::test]
async fn an_endpoint_is_not_late_while_its_client_has_not_ended() {
    let upstream = silent().await;
    let cluster = cluster_with([upstream.address], strict(1));
    let word = || iter([Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"word")))]);
    let policy = within(Duration::from_millis(50), false);
    let post = || head(Request::post("/talk"));
    let unended = ProxyBody::stream(StreamBody::new(word().chain(pending())));
    forward(&cluster, post(), unended, &policy).await.unwrap_err();
    assert!(!is_out(&cluster), "the client never ended");
    let last = futures_util::stream::once(async {
        sleep(Duration::from_millis(40)).await;
        Ok(Frame::data(Bytes::from_static(b"last")))
    });
    let slow = ProxyBody::stream(StreamBody::new(word().chain(last).boxed()));
    forward(&cluster, post(), slow, &policy).await.unwrap_err();
    assert!(!is_out(&cluster), "the client took most of the time");
    let prompt = ProxyBody::stream(StreamBody::new(word()));
    forward(&cluster, post(), prompt, &policy).await.unwrap_err();
    assert!(is_out(&cluster));
}

#[tokio::test]
async fn an_endpoint_need_not_take_websocket_over_http2() {
    let (address, _) =
        http2::serve(|mut connection: Served, _| async move { while let Some(Ok(_)) = connection.accept().await {} })
            .await;
    let cluster = strict_in_http2(address, 1);
    let asking = Request::get("/chat").header("connection", "upgrade").header("upgrade", "websocket");
    let asking = asking.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let error = forward(&cluster, head(asking), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap_err();
    assert_eq!((error.status().as_u16(), is_out(&cluster)), (502, false), "{error}");
}

#[tokio::test]
async fn a_response_of_known_length_is_a_success_before_the_end_of_its_stream() {
    let (address, _) = http2::serve(|mut connection, _| async move {
        let mut fails = false;
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            fails = !fails;
            if fails {
                respond.send_reset(Reason::INTERNAL_ERROR);
                continue;
            }
            tokio::spawn(async move {
                let head = Response::builder().header("content-length", 2).body(()).unwrap();
                let mut stream = respond.send_response(head, false).unwrap();
                stream.send_data(Bytes::from_static(b"ok"), false).unwrap();
                sleep(Duration::from_secs(5)).await;
            });
        }
    })
    .await;
    let cluster = strict_in_http2(address, 2);
    for _ in 0..3 {
        forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap_err();
        let forwarded = forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap();
        let mut body = forwarded.response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ok");
        assert!(!body.is_end_stream());
    }
    assert!(!is_out(&cluster), "there were never two failures in a row");
}

#[tokio::test]
async fn a_response_with_trailers_is_a_success_although_nobody_asks_for_more() {
    let upstream = Upstream::start(|mut socket, number| async move {
        socket.head().await;
        if number % 2 == 1 {
            return socket.reset();
        }
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\nconnection: close\r\n\r\n";
        socket.send(head).await;
        socket.send("2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n").await;
    })
    .await;
    let cluster = cluster_with([upstream.address], strict(2));
    for _ in 0..3 {
        forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap_err();
        let forwarded = forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap();
        let mut body = forwarded.response.into_body();
        while !body.frame().await.unwrap().unwrap().is_trailers() {}
    }
    assert!(!is_out(&cluster), "there were never two failures in a row");
}

#[tokio::test]
async fn half_a_response_is_no_success() {
    let upstream = Upstream::start(|mut socket, number| async move {
        socket.head().await;
        if number % 2 == 1 {
            return socket.reset();
        }
        socket.send(&OK.replace("length: 2", "length: 200")).await;
        socket.rest().await;
    })
    .await;
    let cluster = cluster_with([upstream.address], strict(2));
    for _ in 0..2 {
        let _ = forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.map(drop);
        if let Ok(forwarded) = forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await {
            forwarded.response.into_body().frame().await.unwrap().unwrap();
        }
    }
    assert!(is_out(&cluster), "the client that went away half way does not clear the endpoint");
}

#[tokio::test]
async fn a_client_that_breaks_its_body_off_breaks_a_response_that_has_begun_for_itself_alone() {
    let upstream = Upstream::start(|mut socket, number| async move {
        socket.head().await;
        socket.send("HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\nfirst").await;
        if number == 2 {
            return socket.reset();
        }
        socket.rest().await;
    })
    .await;
    let cluster = cluster_with([upstream.address], strict(1));
    for broken in [true, false] {
        let (sender, receiver) = oneshot::channel::<()>();
        let last = futures_util::stream::once(async move {
            let _ = receiver.await;
            if broken { Err(BodyError::Timeout) } else { pending::<Result<_, _>>().next().await.unwrap() }
        });
        let word = iter([Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"word")))]);
        let upload = ProxyBody::stream(StreamBody::new(word.chain(last).boxed()));
        let forwarded =
            forward(&cluster, head(Request::post("/talk")), upload, &ForwardPolicy::default()).await.unwrap();
        let mut body = forwarded.response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
        sender.send(()).unwrap();
        body.frame().await.unwrap().unwrap_err();
        assert_eq!(is_out(&cluster), !broken, "the client broke off: {broken}");
    }
}
