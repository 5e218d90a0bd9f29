//! The origin of `cargo xtask bench`: answers every request with the same kibibyte, or, under `/echo`, with the headers
//! that arrived.
//!
//! The kibibyte is `plain` text, or the JSON document of the service `order` or `inventory`.
//!
//! Usage: `bench-origin NAME=ADDRESS...`

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Value, json};
use sluicegate_tests::bench;
use std::fmt::Write;

const USAGE: &str = "bench-origin NAME=ADDRESS..., with the names plain, order and inventory";

/// As fast as the proxies that are measured with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The size of every usual answer in bytes.
const SIZE: usize = 1024;

/// What a service answers, made once and kept until the process ends.
#[derive(Clone, Copy)]
struct Service {
    content_type: &'static str,
    body: &'static [u8],
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut services = tokio::task::JoinSet::new();
    for argument in std::env::args().skip(1) {
        let (name, address) = argument.split_once('=').with_context(|| format!("usage: {USAGE}"))?;
        let service = Service::called(name)?;
        let address = bench::address(Some(address.to_owned()), USAGE)?;
        services.spawn(bench::accept(address, move |request| answer(service, request)));
    }
    services.join_next().await.with_context(|| format!("usage: {USAGE}"))??
}

impl Service {
    fn called(name: &str) -> Result<Self> {
        let (content_type, body) = match name {
            "plain" => ("text/plain", vec![b'a'; SIZE]),
            "order" => ("application/json", document(order)?),
            "inventory" => ("application/json", document(stock)?),
            other => bail!("there is no service {other}; usage: {USAGE}"),
        };
        Ok(Self { content_type, body: body.leak() })
    }
}

async fn answer(service: Service, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let echo = request.uri().path() == "/echo";
    let body = if echo { headers(&request) } else { Bytes::from_static(service.body) };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(service.content_type));
    response
}

fn headers(request: &Request<Incoming>) -> Bytes {
    let mut text = String::new();
    for (name, value) in request.headers() {
        // Writing into a string never fails.
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    Bytes::from(text)
}

fn order(number: usize) -> Value {
    json!({"product": format!("product-{number:03}"), "ordered": number * 3, "price": 19.5, "paid": number % 2 == 0})
}

fn stock(number: usize) -> Value {
    json!({"product": format!("product-{number:03}"), "stock": number * 7, "location": "aisle \"4\"", "next": null})
}

/// A JSON document of exactly [`SIZE`] bytes: as many entries as fit, and a note that fills the rest.
fn document(entry: fn(usize) -> Value) -> Result<Vec<u8>> {
    let with = |entries: &[Value], note: usize| json!({"products": entries, "note": "n".repeat(note)}).to_string();
    let mut entries = Vec::new();
    while with(&entries, 0).len() <= SIZE {
        entries.push(entry(entries.len()));
    }
    entries.pop();
    let room = SIZE.checked_sub(with(&entries, 0).len()).context("not even an empty document fits")?;
    Ok(with(&entries, room).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_the_same_size_and_documents_are_json() {
        for name in ["plain", "order", "inventory"] {
            let service = Service::called(name).unwrap();
            assert_eq!(service.body.len(), SIZE, "{name}");
            assert_eq!(serde_json::from_slice::<Value>(service.body).is_ok(), name != "plain", "{name}");
        }
        assert!(Service::called("other").is_err());
    }
}
