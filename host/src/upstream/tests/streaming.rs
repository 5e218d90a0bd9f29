//! Bodies on their way, both ways.

use super::harness::{OK, Socket, Upstream, front, head, text};
use crate::body::ProxyBody;
use crate::config::limits;
use crate::upstream::{ForwardPolicy, forward};
use bytes::Bytes;
use futures_util::stream::{StreamExt, iter};
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

const CHUNKED_POST: &str = "POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n";

async fn client_of(upstream: &Upstream) -> Socket {
    client_with_limit(upstream, None).await
}

async fn client_with_limit(upstream: &Upstream, limit: Option<u64>) -> Socket {
    Socket::connect(front(upstream.cluster(), ForwardPolicy::default(), limit).await).await
}

/// Tells what came over each connection once it has ended.
async fn listening(answer: Option<&'static str>) -> (Upstream, mpsc::UnboundedReceiver<String>) {
    let (said, heard) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let said = said.clone();
        async move {
            socket.head().await;
            if let Some(answer) = answer {
                socket.send(answer).await;
            }
            said.send(socket.rest().await).unwrap();
        }
    })
    .await;
    (upstream, heard)
}

#[tokio::test]
async fn a_response_reaches_the_client_while_it_is_being_written() {
    let (go, mut wait) = mpsc::unbounded_channel::<()>();
    let gate = std::sync::Mutex::new(Some(async move { wait.recv().await }));
    let upstream = Upstream::start(move |mut socket, _| {
        let gate = gate.lock().unwrap().take();
        async move {
            socket.head().await;
            socket.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").await;
            gate.unwrap().await;
            socket.send("6\r\nsecond\r\n0\r\n\r\n").await;
        }
    })
    .await;
    let mut client = client_of(&upstream).await;
    client.send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    client.head().await.unwrap();
    assert_eq!(client.read(10).await, "5\r\nfirst\r\n");
    go.send(()).unwrap();
    assert_eq!(client.read(16).await, "6\r\nsecond\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_request_reaches_the_upstream_while_it_is_being_written() {
    let (said, mut heard) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let said = said.clone();
        async move {
            socket.head().await;
            said.send(socket.read(8).await).unwrap();
            said.send(socket.read(13).await).unwrap();
            socket.send(OK).await;
        }
    })
    .await;
    let mut client = client_of(&upstream).await;
    client.send(CHUNKED_POST).await;
    client.send("3\r\none\r\n").await;
    assert_eq!(heard.recv().await.unwrap(), "3\r\none\r\n");
    client.send("3\r\ntwo\r\n0\r\n\r\n").await;
    assert_eq!(heard.recv().await.unwrap(), "3\r\ntwo\r\n0\r\n\r\n");
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let (said, mut heard) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let said = said.clone();
        async move {
            while socket.head().await.is_some() {
                socket.read("3\r\none\r\n".len()).await;
                said.send(socket.head().await.unwrap()).unwrap();
                socket.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: sum\r\n\r\n").await;
                socket.send("2\r\nok\r\n0\r\nsum: 7\r\n\r\n").await;
            }
        }
    })
    .await;
    let mut client = client_of(&upstream).await;
    for _ in 0..2 {
        client
            .send(
                "POST / HTTP/1.1\r\nhost: shop\r\nte: trailers\r\ntrailer: digest\r\ntransfer-encoding: chunked\r\n\r\n",
            )
            .await;
        client.send("3\r\none\r\n0\r\ndigest: abc\r\n\r\n").await;
        assert_eq!(heard.recv().await.unwrap(), "0\r\ndigest: abc\r\n\r\n");
        client.head().await.unwrap();
        assert_eq!(client.read(7).await, "2\r\nok\r\n");
        assert_eq!(client.head().await.unwrap(), "0\r\nsum: 7\r\n\r\n");
    }
    assert_eq!(upstream.connections(), 1, "a connection is kept after trailers");
}

#[tokio::test]
async fn half_a_response_reaches_the_client_as_half_a_response() {
    for (head, part) in [("content-length: 100", "only this"), ("transfer-encoding: chunked", "9\r\nonly this\r\n")] {
        let upstream = Upstream::start(move |mut socket, _| async move {
            socket.head().await;
            socket.send(&format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{part}")).await;
        })
        .await;
        let mut client = client_of(&upstream).await;
        client.send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await;
        client.head().await.unwrap();
        let rest = timeout(Duration::from_secs(5), client.rest()).await.unwrap();
        assert_eq!(rest, part, "neither the full length nor a last chunk");
    }
}

#[tokio::test]
async fn a_malformed_first_chunk_reaches_no_upstream() {
    let upstream = Upstream::answering(OK).await;
    let mut client = client_of(&upstream).await;
    client.send(CHUNKED_POST).await;
    client.send("zz\r\n").await;
    assert!(!client.rest().await.contains("200 OK"));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_malformed_later_chunk_leaves_the_upstream_with_an_unfinished_request() {
    let (upstream, mut heard) = listening(None).await;
    let mut client = client_of(&upstream).await;
    client.send(CHUNKED_POST).await;
    client.send("3\r\none\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.send("zz\r\n").await;
    assert_eq!(timeout(Duration::from_secs(5), heard.recv()).await.unwrap().unwrap(), "3\r\none\r\n");
    assert!(!client.rest().await.contains("200 OK"));
}

#[tokio::test]
async fn a_client_gone_within_its_body_leaves_the_upstream_with_an_unfinished_request() {
    let (upstream, mut heard) = listening(None).await;
    let mut client = client_of(&upstream).await;
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 10\r\n\r\nhalf").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(client);
    assert_eq!(timeout(Duration::from_secs(5), heard.recv()).await.unwrap().unwrap(), "half");
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_any_upstream_hears_of_it() {
    let upstream = Upstream::answering(OK).await;
    let mut client = client_with_limit(&upstream, Some(5)).await;
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 6\r\n\r\n").await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 413"));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_refused_and_never_completed() {
    let (upstream, mut heard) = listening(None).await;
    let mut client = client_with_limit(&upstream, Some(5)).await;
    client.send(CHUNKED_POST).await;
    client.send("3\r\none\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.send("3\r\ntwo\r\n0\r\n\r\n").await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 413"));
    assert_eq!(heard.recv().await.unwrap(), "3\r\none\r\n");
}

#[tokio::test]
async fn an_early_answer_reaches_the_client_before_its_body_is_read() {
    let (upstream, _heard) = listening(Some("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")).await;
    let mut client = client_of(&upstream).await;
    client.send(CHUNKED_POST).await;
    client.send("3\r\none\r\n").await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn an_upstream_that_takes_no_more_of_an_upload_that_it_has_answered_is_given_up() {
    let upstream = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        socket.send(OK).await;
        std::future::pending::<()>().await;
    })
    .await;
    let (held, dropped) = oneshot::channel::<()>();
    let endless = iter(std::iter::repeat(Bytes::from(vec![b'x'; 64 << 10]))).map(move |bytes| {
        let _held = &held;
        Ok(Frame::data(bytes))
    });
    let (post, body) = (head(Request::post("/")), ProxyBody::stream(StreamBody::new(endless)));
    let forwarded = forward(&upstream.cluster(), post, body, &ForwardPolicy::default()).await.unwrap();
    assert_eq!(text(forwarded).await, "ok");
    tokio::time::pause();
    // The system takes some more of it each time that it is asked, until it is full.
    timeout(20 * limits::UPSTREAM_WRITE_STALLED, dropped).await.expect("nobody asks for more of it").unwrap_err();
}

#[tokio::test]
async fn a_slow_upload_is_not_held_against_the_upstream() {
    let upstream = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        socket.read(4).await;
        socket.send(OK).await;
    })
    .await;
    let policy = ForwardPolicy { timeout: Some(Duration::from_millis(100)), ..ForwardPolicy::default() };
    let mut client = Socket::connect(front(upstream.cluster(), policy, None).await).await;
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 4\r\n\r\n").await;
    for byte in ["s", "l", "o", "w"] {
        client.send(byte).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_falls_silent_within_its_body_is_given_up() {
    let upstream = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        socket.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart").await;
        socket.rest().await;
    })
    .await;
    let forwarded = crate::upstream::forward(
        &upstream.cluster(),
        super::harness::get("/"),
        crate::body::ProxyBody::empty(),
        &ForwardPolicy::default(),
    )
    .await
    .unwrap();
    let ended = forwarded.response.into_body().collect_up_to(100).await;
    assert!(matches!(ended, Err(crate::body::BodyError::Timeout)), "{ended:?}");
}
