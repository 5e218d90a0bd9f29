//! Connections to upstreams, kept by the worker that made them.
//!
//! A worker is one thread, so its idle connections need no lock.

use crate::body::ProxyBody;
use crate::config::limits;
use crate::error::RequestError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

thread_local! {
    static IDLE: RefCell<HashMap<SocketAddr, Vec<Idle>>> = RefCell::new(HashMap::new());
}

struct Idle {
    sender: SendRequest<ProxyBody>,
    since: Instant,
}

/// A connection in use by one exchange.
pub struct Lease {
    /// Sends the request.
    pub sender: SendRequest<ProxyBody>,
    /// Where it leads.
    pub address: SocketAddr,
    /// Whether it served another exchange before, so that it may have been closed meanwhile.
    pub reused: bool,
}

impl Lease {
    /// An idle connection, or a new one.
    pub async fn acquire(address: SocketAddr) -> Result<Self, RequestError> {
        while let Some(mut sender) = take(address) {
            if sender.is_ready() || sender.ready().await.is_ok() {
                return Ok(Self { sender, address, reused: true });
            }
        }
        Self::connect(address).await
    }

    /// A new connection.
    pub async fn connect(address: SocketAddr) -> Result<Self, RequestError> {
        let failed = |reason: String| RequestError::ConnectFailed { endpoint: address.to_string(), reason };
        let connected = timeout(limits::UPSTREAM_CONNECT, TcpStream::connect(address)).await;
        let stream = match connected {
            Err(_) => return Err(failed(format!("no answer within {:?}", limits::UPSTREAM_CONNECT))),
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Ok(Ok(stream)) => stream,
        };
        let _ = stream.set_nodelay(true);
        let handshake =
            http1::Builder::new().max_headers(limits::UPSTREAM_HEADERS).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| failed(error.to_string()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%address, %error, "a connection to an upstream ended with an error");
            }
        });
        Ok(Self { sender, address, reused: false })
    }

    /// Keeps the connection for the next exchange, unless it is closed or there are enough.
    pub fn give_back(self) {
        if self.sender.is_closed() {
            return;
        }
        let idle = Idle { sender: self.sender, since: Instant::now() };
        // During the thread's end there is no pool any more, and the connection just closes.
        let _ = IDLE.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            let list = pool.entry(self.address).or_default();
            let expired = list.iter().take_while(|idle| idle.since.elapsed() > limits::UPSTREAM_IDLE).count();
            list.drain(..expired);
            if list.len() < limits::UPSTREAM_IDLE_CONNECTIONS {
                list.push(idle);
            }
        });
    }
}

/// The most recently used idle connection, which is the least likely to be closed.
fn take(address: SocketAddr) -> Option<SendRequest<ProxyBody>> {
    IDLE.with_borrow_mut(|pool| {
        let list = pool.get_mut(&address)?;
        while let Some(idle) = list.pop() {
            if !idle.sender.is_closed() && idle.since.elapsed() <= limits::UPSTREAM_IDLE {
                return Some(idle.sender);
            }
        }
        None
    })
}
