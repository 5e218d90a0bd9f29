//! An upstream that keeps what each of its connections has received.

use crate::background::{self, AbortOnDrop};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

/// Answers once the first head of a connection is there, and reads on until the other side closes.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Vec<u8>>>>,
    _task: AbortOnDrop,
}

impl Recorder {
    /// Listens on a free port.
    pub fn start() -> Self {
        let connections = Arc::new(Mutex::new(Vec::new()));
        let listener = background::run(async { TcpListener::bind(("127.0.0.1", 0)).await }).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let record = Arc::clone(&connections);
        let task = background::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                background::spawn(serve(stream, Arc::clone(&record)));
            }
        });
        Self { address, connections, _task: AbortOnDrop(task) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What every connection has received so far, in the order in which they were accepted.
    pub fn connections(&self) -> Vec<Vec<u8>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(mut stream: TcpStream, record: Arc<Mutex<Vec<Vec<u8>>>>) {
    let index = {
        let mut connections = record.lock().unwrap_or_else(PoisonError::into_inner);
        connections.push(Vec::new());
        connections.len() - 1
    };
    let mut buffer = [0; 4096];
    let mut answered = false;
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let whole_head = {
            let mut connections = record.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(seen) = connections.get_mut(index) else { return };
            seen.extend_from_slice(buffer.get(..length).unwrap_or_default());
            seen.windows(4).any(|four| four == b"\r\n\r\n")
        };
        if whole_head && !answered {
            answered = true;
            // Whoever has asked may be gone; what it still sends is recorded all the same.
            let _ = stream.write_all(ANSWER).await;
            let _ = stream.shutdown().await;
        }
    }
}
