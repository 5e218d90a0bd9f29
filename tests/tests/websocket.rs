//! WebSocket between both versions of HTTP: upgrades of HTTP/1.1 and extended CONNECT of HTTP/2 (RFC 8441).

#![allow(clippy::expect_used, reason = "a test that cannot go on panics")]

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sluicegate_tests::{Behaviour, Directory, Options, Proxy, Upstream, raw, wait_until};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

const LONG: Duration = Duration::from_secs(20);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

/// Asks for WebSocket in HTTP/2, and says and hears some words on it: the status, and what was heard.
fn over_http2(address: SocketAddr, words: &'static [&'static str]) -> (StatusCode, String) {
    runtime().block_on(async { timeout(LONG, talk(address, words)).await.expect("it ends in time") })
}

async fn talk(address: SocketAddr, words: &[&str]) -> (StatusCode, String) {
    let stream = TcpStream::connect(address).await.expect("the proxy listens");
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = made.expect("HTTP/2 is spoken");
    tokio::spawn(connection);
    // Until the proxy's settings have come.
    sleep(Duration::from_millis(200)).await;
    let request = Request::builder().method(Method::CONNECT).uri("http://shop/chat");
    let request = request.extension(Protocol::from_static("websocket")).body(Empty::<Bytes>::new());
    let mut response = sender.send_request(request.expect("a request")).await.expect("an answer");
    if response.status() != StatusCode::OK {
        return (response.status(), String::new());
    }
    assert!(response.headers().get("upgrade").is_none() && response.headers().get("sec-websocket-accept").is_none());
    let mut upgraded = TokioIo::new(hyper::upgrade::on(&mut response).await.expect("the stream is ours"));
    let mut heard = String::new();
    for word in words {
        upgraded.write_all(word.as_bytes()).await.expect("it can be written");
        let mut bytes = vec![0; word.len()];
        upgraded.read_exact(&mut bytes).await.expect("it comes back");
        heard.push_str(&String::from_utf8(bytes).expect("text"));
    }
    (response.status(), heard)
}

/// A service of HTTP/2 that takes extended CONNECT and sends every byte back.
fn service_of_http2() -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
            sender.send(listener.local_addr().expect("an address")).expect("the test waits");
            while let Ok((stream, _)) = listener.accept().await {
                let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let connection = builder.enable_connect_protocol();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service_fn(echo)));
            }
        });
    });
    receiver.recv().expect("the service listens")
}

async fn echo(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    assert_eq!((request.method(), request.uri().path()), (&Method::CONNECT, "/chat"));
    assert_eq!(request.extensions().get::<Protocol>().map(Protocol::as_ref), Some(b"websocket".as_slice()));
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgrade.await.expect("the stream is ours")));
        // It ends with the client.
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    Ok(Response::new(Empty::new()))
}

#[test]
fn a_client_of_http2_speaks_with_a_service_of_http1() {
    let upstream = Upstream::with(Behaviour::Upgrade);
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    assert_eq!(over_http2(proxy.address(), &["hello", "again"]), (StatusCode::OK, "helloagain".to_owned()));
    let arrived = &upstream.requests()[0];
    assert_eq!((arrived.method.as_str(), arrived.target.as_str()), ("GET", "/chat"));
    assert_eq!(arrived.header("upgrade").as_deref(), Some("websocket"));
    assert_eq!(arrived.header("sec-websocket-version").as_deref(), Some("13"));
}

#[test]
fn a_client_of_http1_speaks_with_a_service_of_http2() {
    let options = Options::new().argument("--upstream").argument(format!("shop=h2c://{}", service_of_http2()));
    let proxy = Proxy::start(options);
    let head = "GET /chat HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
    let answer = raw(proxy.address(), format!("{head}hello"));
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(text.starts_with("HTTP/1.1 101 ") && text.ends_with("hello"), "{text}");
    assert!(text.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{text}");
}

#[test]
fn both_sides_may_speak_http2() {
    let options = Options::new().argument("--upstream").argument(format!("shop=h2c://{}", service_of_http2()));
    let proxy = Proxy::start(options);
    assert_eq!(over_http2(proxy.address(), &["hello"]), (StatusCode::OK, "hello".to_owned()));
}

#[test]
fn a_service_that_answers_as_to_any_other_request_is_a_bad_gateway() {
    let upstream = Upstream::with(Behaviour::text("ok"));
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    assert_eq!(over_http2(proxy.address(), &["hello"]).0, StatusCode::BAD_GATEWAY);
    let refusing = Upstream::with(Behaviour::status(403));
    let proxy = Proxy::start(Options::new().upstream("shop", refusing.address()));
    assert_eq!(over_http2(proxy.address(), &["hello"]).0, StatusCode::FORBIDDEN);
}

#[test]
fn a_connection_that_speaks_websocket_counts_as_one_of_its_client() {
    use std::io::{Read, Write};
    let (directory, upstream) = (Directory::new(), Upstream::with(Behaviour::Upgrade));
    directory.write("sluicegate.yaml", "limits: {connections-per-client: 1}\n");
    let options = Options::new().upstream("shop", upstream.address());
    let proxy = Proxy::start(options.argument("--config").argument(directory.file("sluicegate.yaml")));
    let mut speaking = std::net::TcpStream::connect(proxy.address()).expect("the proxy listens");
    speaking.set_read_timeout(Some(LONG)).expect("a socket has a time-out");
    let head = "GET /chat HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\nhello";
    speaking.write_all(head.as_bytes()).expect("it can be written");
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        let mut bytes = [0; 512];
        let read = speaking.read(&mut bytes).expect("it is spoken");
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&bytes[..read]);
    }
    let another = || raw(proxy.address(), "GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
    assert_eq!(String::from_utf8_lossy(&another()), "");
    drop(speaking);
    wait_until(LONG, || another().starts_with(b"HTTP/1.1 "));
}
