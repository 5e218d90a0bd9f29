//! The least that a proxy on hyper can cost, for `cargo xtask bench`: one thread, a pool of connections, no policy.
//!
//! It passes requests on as they come, without the checks, limits and deadlines of a proxy one would run.
//!
//! Usage: `bench-hyper LISTEN ORIGIN`

use anyhow::Result;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use sluicegate_tests::bench::{self, Pooled};
use std::net::SocketAddr;

const USAGE: &str = "bench-hyper LISTEN ORIGIN";

/// The allocator of the proxy it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut address = || bench::address(arguments.next(), USAGE);
    let (listen, origin) = (address()?, address()?);
    bench::accept(listen, move |request| pass(origin, request)).await
}

async fn pass(origin: SocketAddr, mut request: Request<Incoming>) -> Response<Either<Pooled, Empty<Bytes>>> {
    request.headers_mut().remove(CONNECTION);
    match bench::send(origin, request.map(Either::Left)).await {
        Ok(response) => response.map(Either::Left),
        Err(_) => {
            let mut failure = Response::new(Either::Right(Empty::new()));
            *failure.status_mut() = StatusCode::BAD_GATEWAY;
            failure
        }
    }
}
