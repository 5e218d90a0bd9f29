//! Composition written by hand, for `cargo xtask bench compose`: asks two services at once and answers with
//! `{"order": ..., "inventory": ...}`.
//!
//! `parsed` has serde_json read both documents to their end before their bytes are put together; `spliced` only looks
//! at their first and last byte, and at the content type. Neither has deadlines, limits or partial answers.
//!
//! Usage: `bench-compose parsed|spliced LISTEN ORDER INVENTORY`

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures_util::future::try_join;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Empty, Full};
use hyper::body::Incoming;
use serde::de::IgnoredAny;
use sluicegate_tests::bench;
use std::net::SocketAddr;

const USAGE: &str = "bench-compose parsed|spliced LISTEN ORDER INVENTORY";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The allocator of the proxy it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a document is made sure of before it becomes a part of another.
#[derive(Clone, Copy)]
enum Check {
    Parsed,
    Spliced,
}

/// The services that are asked.
#[derive(Clone, Copy)]
struct Services {
    order: SocketAddr,
    inventory: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let check = match arguments.next().as_deref() {
        Some("parsed") => Check::Parsed,
        Some("spliced") => Check::Spliced,
        _ => bail!("usage: {USAGE}"),
    };
    let mut address = || bench::address(arguments.next(), USAGE);
    let (listen, services) = (address()?, Services { order: address()?, inventory: address()? });
    bench::accept(listen, move |request| answer(check, services, request)).await
}

async fn answer(check: Check, services: Services, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let parts =
        try_join(call(check, services.order, "order", path), call(check, services.inventory, "inventory", path));
    match parts.await {
        Ok((order, inventory)) => {
            let mut response = Response::new(Full::new(merged(&order, &inventory)));
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response
        }
        Err(error) => {
            let mut failure = Response::new(Full::new(Bytes::from(format!("{error:#}\n"))));
            *failure.status_mut() = StatusCode::BAD_GATEWAY;
            failure
        }
    }
}

async fn call(check: Check, service: SocketAddr, host: &'static str, path: &str) -> Result<Bytes> {
    let request = Request::get(path).header(HOST, host).body(Either::Right(Empty::new()))?;
    let response = bench::send(service, request).await?;
    let good = response.status().is_success() && response.headers().get(CONTENT_TYPE) == Some(&JSON);
    ensure!(good, "{host} answers {}", response.status());
    let body = response.into_body().collect().await?.to_bytes();
    match check {
        Check::Parsed => {
            serde_json::from_slice::<IgnoredAny>(&body).with_context(|| format!("{host} sends no JSON"))?;
        }
        Check::Spliced => ensure!(body.starts_with(b"{") && body.ends_with(b"}"), "{host} sends no object"),
    }
    Ok(body)
}

fn merged(order: &[u8], inventory: &[u8]) -> Bytes {
    let parts: [&[u8]; 5] = [b"{\"order\":", order, b",\"inventory\":", inventory, b"}"];
    Bytes::from(parts.concat())
}
