//! Bytes on a socket, without anybody's idea of HTTP.

use crate::background::{self, AbortOnDrop};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A proxy answers and closes, or says nothing; either shows within this.
const SILENCE: Duration = Duration::from_secs(5);
/// The largest message a raw upstream reads.
const LARGEST: usize = 1 << 20;

/// Sends these bytes and returns all that comes back until the other side closes, or stays silent for five seconds.
///
/// The sending side stays open: a proxy that waits for more must give up by itself. An empty result means that the
/// connection was closed without a byte.
///
/// # Panics
/// When nobody listens there.
#[track_caller]
pub fn raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    raw_until(address, bytes, SILENCE)
}

/// The same, but silence may last this long.
///
/// # Panics
/// When nobody listens there.
#[track_caller]
pub fn raw_until(address: SocketAddr, bytes: impl AsRef<[u8]>, silence: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(silence)).expect("a socket has a time-out");
    // A proxy may answer and close before it has read everything.
    let _ = stream.write_all(bytes.as_ref());
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The time-out, or a reset after the answer.
            Err(_) => break,
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    answer
}

/// A service that speaks no HTTP by itself: it answers each connection's bytes with its own and closes.
#[derive(Debug)]
pub struct RawUpstream {
    address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
    _task: AbortOnDrop,
}

impl RawUpstream {
    /// Answers every connection with these bytes as soon as a whole request head has arrived.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let (answer, received) = (Arc::new(answer.into()), Arc::new(Mutex::new(Vec::new())));
        let listener = background::run(async { TcpListener::bind(("127.0.0.1", 0)).await }).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let record = Arc::clone(&received);
        let task = background::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                background::spawn(answer_once(stream, Arc::clone(&answer), Arc::clone(&record)));
            }
        });
        Self { address, received, _task: AbortOnDrop(task) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every byte that has arrived, of all connections in the order of arrival.
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads until the end of a head, answers, closes, and records whatever else arrives.
async fn answer_once(mut stream: tokio::net::TcpStream, answer: Arc<Vec<u8>>, record: Arc<Mutex<Vec<u8>>>) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    let mut answered = false;
    while seen.len() < LARGEST {
        let Ok(length @ 1..) = stream.read(&mut buffer).await else { return };
        let bytes = buffer.get(..length).unwrap_or_default();
        seen.extend_from_slice(bytes);
        record.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        if !answered && seen.windows(4).any(|four| four == b"\r\n\r\n") {
            answered = true;
            // Whoever has asked may be gone; the bytes it still sends are recorded all the same.
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_through_unchanged_both_ways() {
        let upstream = RawUpstream::answering("not HTTP\n");
        assert_eq!(raw(upstream.address(), "GET / \u{1}\r\n\r\n"), b"not HTTP\n");
        assert_eq!(upstream.received(), b"GET / \x01\r\n\r\n");
    }
}
