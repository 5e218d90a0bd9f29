//! The origin of `cargo xtask bench`: answers every request with the same kibibyte, or, under `/echo`, with the headers
//! that arrived.
//!
//! Usage: `bench-origin ADDRESS`

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fmt::Write;
use tokio::net::TcpListener;

/// As fast as the proxies that are measured with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The usual answer.
const ANSWER: [u8; 1024] = [b'a'; 1024];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).context("usage: bench-origin ADDRESS")?;
    let listener = TcpListener::bind(&address).await.with_context(|| format!("{address} cannot be listened on"))?;
    loop {
        let (stream, _) = listener.accept().await.context("no connection can be accepted")?;
        stream.set_nodelay(true).context("a connection is broken")?;
        tokio::spawn(async move {
            // A connection that breaks ends with its load generator; nobody is left to be told.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = if request.uri().path() == "/echo" { headers(&request) } else { Bytes::from_static(&ANSWER) };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn headers(request: &Request<Incoming>) -> Bytes {
    let mut text = String::new();
    for (name, value) in request.headers() {
        // Writing into a string never fails.
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    Bytes::from(text)
}
