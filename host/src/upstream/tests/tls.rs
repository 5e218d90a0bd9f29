//! Endpoints that are spoken to with TLS, with real handshakes.

use super::harness::{OK, cluster_speaking, fetch, get, retrying, text};
use crate::body::ProxyBody;
use crate::error::RequestError;
use crate::tls::client::{ClientTerms, Identity};
use crate::tls::provider;
use crate::tls::testing::{Authority, Pair};
use crate::upstream::policy::{Balancing, ConnectionPool, Policy, TlsSettings};
use crate::upstream::registry::{Cluster, Endpoint, Protocol};
use crate::upstream::{ForwardPolicy, forward};
use crate::wasm::types::RetryCondition as On;
use bytes::Bytes;
use http::Response;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A server that knows both versions of HTTP, and what its clients have said: server name, protocol, certificates.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(pair: &Pair, clients: Option<&Authority>, protocols: &[&str]) -> Self {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let roots = crate::tls::certificate::roots(authority.certificate().as_bytes()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let certified = crate::tls::certificate::certified_key(pair.certificate.as_bytes(), pair.key.as_bytes());
        let resolver = rustls::sign::SingleCertAndKey::from(certified.unwrap());
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let (acceptor, seen) = (TlsAcceptor::from(Arc::new(config)), Arc::new(Mutex::new(Vec::new())));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), seen: Arc::clone(&seen) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let session = stream.get_ref().1;
                    let protocol = session.alpn_protocol().map(String::from_utf8_lossy).unwrap_or_default();
                    let name = session.server_name().unwrap_or("none");
                    let shown = session.peer_certificates().map_or(0, <[_]>::len);
                    let http2 = protocol == "h2";
                    seen.lock().unwrap().push(format!("{name} {protocol} {shown}"));
                    if http2 { serve_http2(stream).await } else { serve_http1(stream).await }
                });
            }
        });
        server
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve_http1(mut stream: TlsStream<TcpStream>) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            stream.write_all(OK.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
    }
}

async fn serve_http2(stream: TlsStream<TcpStream>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let answer = Bytes::from(format!("over {}", request.uri().scheme_str().unwrap()));
        respond.send_response(Response::new(()), false).unwrap().send_data(answer, true).unwrap();
    }
}

fn trusting(authority: &Authority) -> ClientTerms {
    ClientTerms { authorities: Some(authority.certificate().into_bytes()), ..ClientTerms::default() }
}

fn policy(terms: &ClientTerms, name: Option<&str>) -> Policy {
    let tls = TlsSettings::new(terms, name.map(str::to_owned)).unwrap();
    Policy { tls: Some(Arc::new(tls)), ..Policy::default() }
}

fn speaking(protocol: Protocol, server: &Server, policy: Policy) -> Cluster {
    cluster_speaking(protocol, vec![Endpoint::new(server.address)], policy)
}

#[tokio::test]
async fn a_server_is_asked_for_the_service_and_its_connection_is_kept() {
    let authority = Authority::new("ca");
    let server = Server::start(&authority.issue(&["shop"]), None, &["h2", "http/1.1"]).await;
    let cluster = speaking(Protocol::Http1, &server, policy(&trusting(&authority), None));
    for _ in 0..3 {
        assert_eq!(fetch(&cluster).await, "ok");
    }
    assert_eq!(server.seen(), ["shop http/1.1 0"]);
}

#[tokio::test]
async fn connections_of_other_settings_never_mix() {
    let authority = Authority::new("ca");
    let server = Server::start(&authority.issue(&["shop", "store"]), None, &["http/1.1"]).await;
    let terms = trusting(&authority);
    let pool = ConnectionPool { max_connections: Some(8), ..ConnectionPool::default() };
    for pool in [ConnectionPool::default(), pool] {
        let with = |policy| Policy { pool: pool.clone(), ..policy };
        let one = speaking(Protocol::Http1, &server, with(policy(&terms, None)));
        let other = speaking(Protocol::Http1, &server, with(policy(&terms, Some("store"))));
        let before = server.seen().len();
        for _ in 0..2 {
            assert_eq!((fetch(&one).await, fetch(&other).await), ("ok".into(), "ok".into()));
        }
        assert_eq!(server.seen()[before..], ["shop http/1.1 0", "store http/1.1 0"]);
    }
}

#[tokio::test]
async fn http2_is_agreed_on_and_shared() {
    let authority = Authority::new("ca");
    let server = Server::start(&authority.issue(&["shop"]), None, &["h2", "http/1.1"]).await;
    let cluster = speaking(Protocol::Http2, &server, policy(&trusting(&authority), None));
    let (one, other) = tokio::join!(fetch(&cluster), fetch(&cluster));
    assert_eq!((one.as_str(), other.as_str()), ("over https", "over https"));
    assert_eq!(server.seen(), ["shop h2 0"]);
}

#[tokio::test]
async fn a_server_without_http2_is_not_spoken_to_in_it() {
    let authority = Authority::new("ca");
    let server = Server::start(&authority.issue(&["shop"]), None, &[]).await;
    let cluster = speaking(Protocol::Http2, &server, policy(&trusting(&authority), None));
    let error = forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("does not speak HTTP/2"), "{error}");
}

#[tokio::test]
async fn the_certificate_of_a_policy_is_shown() {
    let authority = Authority::new("ca");
    let server = Server::start(&authority.issue(&["shop"]), Some(&authority), &["http/1.1"]).await;
    let own = authority.issue(&["proxy"]);
    let own = Identity { chain: own.certificate.into_bytes(), key: own.key.into_bytes() };
    let terms = ClientTerms { own: Some(own), ..trusting(&authority) };
    let cluster = speaking(Protocol::Http1, &server, policy(&terms, None));
    assert_eq!(fetch(&cluster).await, "ok");
    assert_eq!(server.seen(), ["shop http/1.1 1"]);
}

#[tokio::test]
async fn an_impostor_is_a_failed_connection_and_another_endpoint_may_be_tried() {
    let (authority, stranger) = (Authority::new("ca"), Authority::new("stranger"));
    let impostor = Server::start(&stranger.issue(&["shop"]), None, &["http/1.1"]).await;
    let policy = policy(&trusting(&authority), None);
    let cluster = speaking(Protocol::Http1, &impostor, policy.clone());
    let error = forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap_err();
    assert!(matches!(error, RequestError::HandshakeFailed { .. }), "{error:?}");
    assert_eq!((error.status().as_u16(), error.kind()), (503, "tls_protocol_error"));

    let good = Server::start(&authority.issue(&["shop"]), None, &["http/1.1"]).await;
    let endpoints = [&impostor, &good].map(|server| Endpoint::new(server.address)).to_vec();
    let in_turn = Policy { balancer: Balancing::RoundRobin, ..policy };
    let cluster = cluster_speaking(Protocol::Http1, endpoints, in_turn);
    let mut most = 0;
    for _ in 0..4 {
        let retried = retrying(1, [On::ConnectFailure]);
        let forwarded = forward(&cluster, get("/"), ProxyBody::empty(), &retried).await.unwrap();
        most = most.max(forwarded.attempts);
        assert_eq!(text(forwarded).await, "ok");
    }
    assert_eq!(most, 2);
}

#[tokio::test]
async fn who_speaks_no_tls_is_a_failed_connection() {
    let plain = super::harness::Upstream::answering(OK).await;
    let authority = Authority::new("ca");
    let cluster =
        cluster_speaking(Protocol::Http1, vec![Endpoint::new(plain.address)], policy(&trusting(&authority), None));
    let error = forward(&cluster, get("/"), ProxyBody::empty(), &ForwardPolicy::default()).await.unwrap_err();
    assert!(matches!(error, RequestError::HandshakeFailed { .. } | RequestError::ConnectFailed { .. }), "{error:?}");
}
