//! WebSocket and the like.

use super::harness::{OK, Socket, Upstream, cluster_speaking, cluster_with, fetch, front};
use crate::upstream::ForwardPolicy;
use crate::upstream::policy::{ConnectionPool, Policy};
use crate::upstream::registry::{Endpoint, Protocol};
use bytes::Bytes;
use http::Response;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

const ASK: &str = "GET /feed HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

async fn client_of(upstream: &Upstream) -> Socket {
    Socket::connect(front(upstream.cluster(), ForwardPolicy::default(), None).await).await
}

#[tokio::test]
async fn an_upgraded_connection_passes_bytes_both_ways_and_ends_on_both_sides() {
    let (said, mut heard) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let said = said.clone();
        async move {
            said.send(socket.head().await.unwrap()).unwrap();
            socket.send(SWITCH).await;
            socket.send("hello").await;
            said.send(socket.read(4).await).unwrap();
            said.send(socket.rest().await).unwrap();
        }
    })
    .await;
    let mut client = client_of(&upstream).await;
    client.send(ASK).await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 101"));
    assert!(heard.recv().await.unwrap().contains("upgrade: websocket\r\n"));
    assert_eq!(client.read(5).await, "hello");
    client.send("ping").await;
    assert_eq!(heard.recv().await.unwrap(), "ping");
    drop(client);
    assert_eq!(heard.recv().await.unwrap(), "");
}

#[tokio::test]
async fn an_endpoint_is_busy_for_as_long_as_its_upgraded_connection_lasts() {
    let upstream = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        socket.send(SWITCH).await;
        assert_eq!(socket.read(4).await, "ping");
        socket.send("pong").await;
        socket.rest().await;
    })
    .await;
    let pool = ConnectionPool { max_requests: Some(1), ..ConnectionPool::default() };
    let cluster = cluster_with([upstream.address], Policy { pool, ..Policy::default() });
    let front = front(cluster.clone(), ForwardPolicy::default(), None).await;
    let mut client = Socket::connect(front).await;
    client.send(ASK).await;
    client.head().await.unwrap();
    client.send("ping").await;
    assert_eq!(client.read(4).await, "pong");
    assert_eq!((cluster.members()[0].state.active(), cluster.state().requests()), (1, 1));
    drop(client);
    let over = async {
        while cluster.state().requests() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(Duration::from_secs(5), over).await.is_ok());
    assert_eq!(cluster.members()[0].state.active(), 0);
}

#[tokio::test]
async fn an_upgraded_connection_counts_among_those_that_may_be_open() {
    let upstream = Upstream::start(|mut socket, _| async move {
        if socket.head().await.is_some_and(|head| head.contains("upgrade")) {
            socket.send(SWITCH).await;
            socket.rest().await;
        } else {
            socket.send(OK).await;
        }
    })
    .await;
    let pool = ConnectionPool { max_connections: Some(1), ..ConnectionPool::default() };
    let cluster = cluster_with([upstream.address], Policy { pool, ..Policy::default() });
    let front = front(cluster.clone(), ForwardPolicy::default(), None).await;
    let mut client = Socket::connect(front).await;
    client.send(ASK).await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 101"));
    assert_eq!(cluster.state().connections(), 1);
    let waiting = tokio::spawn({
        let cluster = cluster.clone();
        async move { fetch(&cluster).await }
    });
    sleep(Duration::from_millis(100)).await;
    assert_eq!((upstream.connections(), cluster.state().pending()), (1, 1), "another one waits");
    drop(client);
    assert_eq!(timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap(), "ok");
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn nothing_follows_the_request_before_the_upstream_has_agreed() {
    let (silent, mut was_silent) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let silent = silent.clone();
        async move {
            socket.head().await;
            silent.send(socket.is_silent().await).unwrap();
            socket.send(SWITCH).await;
            assert_eq!(socket.read(5).await, "eager");
            socket.send("done").await;
        }
    })
    .await;
    let mut client = client_of(&upstream).await;
    client.send(ASK).await;
    client.send("eager").await;
    assert_eq!(was_silent.recv().await, Some(true));
    client.head().await.unwrap();
    assert_eq!(client.read(4).await, "done");
}

#[tokio::test]
async fn an_upstream_may_decline_and_go_on_with_http() {
    let upstream = Upstream::answering(OK).await;
    let mut client = client_of(&upstream).await;
    client.send(ASK).await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(client.read(2).await, "ok");
    assert_eq!(fetch(&upstream.cluster()).await, "ok");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn an_upgrade_with_a_body_reaches_no_upstream() {
    let upstream = Upstream::answering(OK).await;
    let mut client = client_of(&upstream).await;
    client.send(&ASK.replace("\r\n\r\n", "\r\ncontent-length: 3\r\n\r\nabc")).await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 501"));
    assert_eq!(upstream.connections(), 0);
}

/// A server of HTTP/2 that takes extended CONNECT, or does not, and sends bytes back.
async fn speaking_http2(takes: bool) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (address, (said, asked)) = (listener.local_addr().unwrap(), mpsc::unbounded_channel());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut builder = h2::server::Builder::new();
            if takes {
                builder.enable_connect_protocol();
            }
            let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
            let said = said.clone();
            tokio::spawn(async move {
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let protocol =
                        request.extensions().get::<h2::ext::Protocol>().map(|found| found.as_str().to_owned());
                    let names: Vec<&str> = request.headers().keys().map(http::HeaderName::as_str).collect();
                    let said_of = format!("{} {} {protocol:?} {names:?}", request.method(), request.uri());
                    said.send(said_of).unwrap();
                    let mut sending = respond.send_response(Response::new(()), false).unwrap();
                    tokio::spawn(async move {
                        let mut body = request.into_body();
                        while let Some(Ok(bytes)) = body.data().await {
                            body.flow_control().release_capacity(bytes.len()).unwrap();
                            sending.send_data(bytes, false).unwrap();
                        }
                        let _ = sending.send_data(Bytes::new(), true);
                    });
                }
            });
        }
    });
    (address, asked)
}

const ASK_WITH_KEY: &str = "GET /feed HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";

#[tokio::test]
async fn a_service_of_http2_gets_an_extended_connect() {
    let (address, mut asked) = speaking_http2(true).await;
    let cluster = cluster_speaking(Protocol::Http2, vec![Endpoint::new(address)], Policy::default());
    let mut client = Socket::connect(front(cluster, ForwardPolicy::default(), None).await).await;
    client.send(ASK_WITH_KEY).await;
    let head = client.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    assert_eq!(asked.recv().await.unwrap(), "CONNECT http://shop/feed Some(\"websocket\") [\"sec-websocket-version\"]");
    for word in ["ping", "pong"] {
        client.send(word).await;
        assert_eq!(client.read(4).await, word);
    }
}

#[tokio::test]
async fn a_service_of_http2_that_takes_no_extended_connect_is_a_bad_gateway() {
    let (address, mut asked) = speaking_http2(false).await;
    let cluster = cluster_speaking(Protocol::Http2, vec![Endpoint::new(address)], Policy::default());
    let mut client = Socket::connect(front(cluster, ForwardPolicy::default(), None).await).await;
    client.send(ASK_WITH_KEY).await;
    let head = client.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 502"), "{head}");
    assert!(asked.try_recv().is_err(), "nothing was sent there");
}
