//! Suites that others have made for the protocols that pass through, run against the real proxy with a chain of filters.
//!
//! - [`http2`]: `httpwg` asks whether a server of HTTP/2 does what RFC 9113 says
//! - [`websocket`]: `kosoku` has Autobahn's cases of WebSocket, which a service has to do through the proxy as it does without
//! - [`grpc`]: the cases of gRPC's interoperability tests, between client and service of gRPC's own core
//!
//! `cargo xtask test` and `cargo xtask conformance` fetch them. What is known to differ is listed, with its reason, in
//! `tests/conformance`.

mod grpc;
mod http2;
mod python;
mod websocket;

pub use grpc::grpc;
pub use http2::http2;
pub use websocket::websocket;

use crate::options::Options;
use std::net::SocketAddr;

/// A chain: a filter of the operator's that changes nothing but two headers, then the router. Whatever is asked for goes
/// to one service, which speaks what `scheme` says, or HTTP/1.1 where that is empty.
fn chain(scheme: &str, service: SocketAddr) -> Options {
    plain(scheme, service).filter("headers")
}

/// The same without a filter of the operator's.
fn plain(scheme: &str, service: SocketAddr) -> Options {
    Options::new()
        .argument("--upstream")
        .argument(format!("*={scheme}{service}"))
        .argument("--access-log")
        .argument("off")
}
