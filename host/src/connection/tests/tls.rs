//! Clients over TLS that are slow: its library takes more than the wire does, and gives it on when it is flushed.

use super::*;
use crate::tls::certificate::certified_key;
use crate::tls::client::ClientTerms;
use crate::tls::server::Terms;
use crate::tls::testing::Authority;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{DuplexStream, ReadBuf, duplex};
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

const SHORT: Duration = Duration::from_millis(150);
/// What the wire holds, in bytes; the library holds 64 KiB.
const WIRE: usize = 4 << 10;

/// A client, and what serves it.
async fn connect(timeouts: Timeouts) -> (TlsStream<DuplexStream>, JoinHandle<()>) {
    let authority = Authority::new("ca");
    let pair = authority.issue(&["a.example"]);
    let certified = certified_key(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
    let acceptor = TlsAcceptor::from(Terms::simple(certified).config().unwrap());
    let (near, far) = duplex(WIRE);
    let serving = tokio::spawn(async move {
        let stream = acceptor.accept(far).await.unwrap();
        let [peer, local] = [1, 2].map(|port| ([127, 0, 0, 1], port).into());
        let accepted =
            Accepted { stream, peer, local, arrival: Arrival::default(), tls: None, place: Place::default() };
        serve(accepted, Arc::<Echo>::default(), timeouts, Drain::default()).await;
    });
    let authorities = Some(authority.certificate().into_bytes());
    let terms = ClientTerms { server_name: "a.example".to_owned(), authorities, ..ClientTerms::default() };
    let connector = terms.connector().unwrap();
    let client = TlsConnector::from(connector.config).connect(connector.server_name, near).await.unwrap();
    (client, serving)
}

/// Asks for a response that the library can hold and the wire cannot, and takes nothing of it.
async fn ask(client: &mut TlsStream<DuplexStream>) -> Vec<u8> {
    let mut body = vec![b'x'; 40 << 10];
    body.extend_from_slice(b"end");
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&body).await.unwrap();
    client.flush().await.unwrap();
    body
}

#[tokio::test]
async fn the_end_of_a_response_is_there_when_a_slow_client_comes_for_it() {
    let timeouts = Timeouts { rest: SHORT / 15, ..Timeouts::default() };
    let (mut client, _serving) = connect(timeouts).await;
    for _ in 0..2 {
        let body = ask(&mut client).await;
        sleep(timeouts.rest * 20).await;
        let mut response = Vec::new();
        while !response.ends_with(b"end") {
            let read = timeout(PATIENCE, client.read_buf(&mut response)).await.expect("the rest never comes");
            assert_ne!(read.unwrap(), 0, "the connection ends");
        }
        assert!(response.ends_with(&body));
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off() {
    let timeouts = Timeouts { write_stalled: SHORT, ..Timeouts::default() };
    for more in [0, 1] {
        let (mut client, serving) = connect(timeouts).await;
        ask(&mut client).await;
        for _ in 0..more {
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            client.flush().await.unwrap();
        }
        timeout(PATIENCE, serving).await.expect("the connection is still served").unwrap();
    }
}

/// What a wire is to TLS whose other end takes nothing.
struct Stuck;

impl AsyncRead for Stuck {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Stuck {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn neither_a_flush_nor_the_end_waits_for_ever() {
    let timeouts = Timeouts { write_stalled: SHORT, ..Timeouts::default() };
    let io = || GateIo::raw(Stuck, bytes::BytesMut::new(), timeouts);
    let error = timeout(PATIENCE, io().shutdown()).await.expect("it waits for ever").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    // That there is room to write says nothing of who reads.
    let mut io = io();
    let writing = async {
        loop {
            io.write_all(b"x").await.unwrap();
            if let Ok(flushed) = timeout(SHORT / 5, io.flush()).await {
                return flushed.unwrap_err().kind();
            }
        }
    };
    let kind = timeout(PATIENCE, writing).await.expect("it waits for ever");
    assert_eq!(kind, io::ErrorKind::TimedOut);
}
