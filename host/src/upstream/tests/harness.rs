//! Upstreams made of plain sockets, and a front that forwards whatever a client of plain sockets sends.

use crate::body::ProxyBody;
use crate::upstream::policy::{Policy, PortPolicies, ServicePolicy};
use crate::upstream::registry::{Cluster, Endpoint, Names, Protocol, Registry, ServicePort};
use crate::upstream::splice::splice;
use crate::upstream::{ForwardPolicy, Forwarded, forward};
use crate::wasm::types::{RetryCondition, RetryPolicy};
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
pub(crate) const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";

/// A server and how many connections it has taken.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Runs `serve` for every connection, with its number from 1.
    pub(crate) async fn start<F>(serve: impl Fn(Socket, usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::spawn(serve(Socket(stream), number));
            }
        });
        Self { address, connections }
    }

    /// Answers every request of every connection alike.
    pub(crate) async fn answering(response: &'static str) -> Self {
        Self::start(move |mut socket, _| async move {
            while socket.head().await.is_some() {
                socket.send(response).await;
            }
        })
        .await
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn cluster(&self) -> Cluster {
        Cluster::of("shop", self.address)
    }
}

/// One side of a connection, spoken by hand.
pub(crate) struct Socket(TcpStream);

impl Socket {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// A message's head, without a byte of what follows; none at the end of the connection.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        Some(String::from_utf8(head).unwrap())
    }

    /// Exactly this many bytes.
    pub(crate) async fn read(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// All that comes until the connection ends or is reset.
    pub(crate) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Whether nothing comes for a while.
    pub(crate) async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(100), self.0.read_u8()).await.is_err()
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        self.0.set_zero_linger().unwrap();
    }
}

/// A server that forwards every request to the cluster and answers errors with their status and kind.
pub(crate) async fn front(cluster: Cluster, policy: ForwardPolicy, body_limit: Option<u64>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (cluster, policy) = (cluster.clone(), policy.clone());
            let service = service_fn(move |request| relay(cluster.clone(), policy.clone(), body_limit, request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection.with_upgrades());
        }
    });
    address
}

async fn relay(
    cluster: Cluster,
    policy: ForwardPolicy,
    limit: Option<u64>,
    mut request: Request<Incoming>,
) -> Result<Response<ProxyBody>, Infallible> {
    let client = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let forwarded = forward(&cluster, parts, ProxyBody::request(body, limit), &policy).await;
    let Forwarded { response, upgrade, attempts, .. } = match forwarded {
        Ok(forwarded) => forwarded,
        Err(error) => {
            let mut response = Response::new(ProxyBody::full(error.kind()));
            *response.status_mut() = error.status();
            return Ok(response);
        }
    };
    if let Some(upstream) = upgrade {
        tokio::spawn(splice(client, upstream));
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.insert("attempts", attempts.into());
    Ok(Response::from_parts(parts, body))
}

/// The head of a GET.
pub(crate) fn get(path: &str) -> Parts {
    head(Request::get(path))
}

pub(crate) fn head(request: http::request::Builder) -> Parts {
    request.header("host", "shop").body(()).unwrap().into_parts().0
}

/// Forwards a GET with the default policy and returns the response's body.
pub(crate) async fn fetch(cluster: &Cluster) -> String {
    let forwarded = forward(cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap();
    text(forwarded).await
}

pub(crate) async fn text(forwarded: Forwarded) -> String {
    let body = forwarded.response.into_body().collect_up_to(1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Retries at once, this many times.
pub(crate) fn retrying(attempts: u32, conditions: impl Into<Vec<RetryCondition>>) -> ForwardPolicy {
    let retries = RetryPolicy {
        attempts,
        conditions: conditions.into(),
        per_try_timeout: None,
        backoff: 1,
        ignore_previous_hosts: true,
    };
    ForwardPolicy { retries: Some(retries), ..ForwardPolicy::default() }
}

/// An address where nothing listens, for what never connects.
pub(crate) fn port(number: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, number))
}

/// A port that was free a moment ago.
pub(crate) async fn closed_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
}

pub(crate) fn cluster(addresses: impl IntoIterator<Item = SocketAddr>) -> Cluster {
    registry([("shop", addresses.into_iter().collect())]).find("shop", None).unwrap()
}

pub(crate) fn cluster_with(addresses: impl IntoIterator<Item = SocketAddr>, policy: Policy) -> Cluster {
    cluster_of(addresses.into_iter().map(Endpoint::new).collect(), policy)
}

pub(crate) fn cluster_of(endpoints: Vec<Endpoint>, policy: Policy) -> Cluster {
    cluster_speaking(Protocol::Http1, endpoints, policy)
}

pub(crate) fn cluster_speaking(protocol: Protocol, endpoints: Vec<Endpoint>, policy: Policy) -> Cluster {
    let mut registry = Registry::new(Names::default());
    registry.add("shop".to_owned(), vec![ServicePort { number: None, name: None, protocol, endpoints }]);
    let base = PortPolicies { all: Arc::new(policy), ..PortPolicies::default() };
    registry.set_policy("shop", ServicePolicy { base, subsets: Vec::new() });
    registry.find("shop", None).unwrap()
}

pub(crate) fn registry<const N: usize>(services: [(&str, Vec<SocketAddr>); N]) -> Registry {
    let mut registry = Registry::new(Names::default());
    for (name, addresses) in services {
        let endpoints = addresses.into_iter().map(Endpoint::new).collect();
        registry
            .add(name.to_owned(), vec![ServicePort { number: None, name: None, protocol: Protocol::Http1, endpoints }]);
    }
    registry
}
