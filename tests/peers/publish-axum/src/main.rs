//! What a service written for one purpose does, for `cargo xtask bench publish`: takes a CloudEvent in binary mode,
//! publishes it to JetStream, and answers 202 once the server has acknowledged it.
//!
//! Usage: `publish-axum LISTEN NATS`

use anyhow::{Context, Result};
use async_nats::jetstream::{self, stream};
use async_nats::{HeaderMap, HeaderName, HeaderValue};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap as RequestHeaders, StatusCode};
use axum::routing::post;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

/// The allocator of the proxy it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const STREAM: &str = "bench-axum";
const SUBJECT: &str = "bench.axum";
/// What the stream keeps, so that a long measurement does not fill the disk: bytes.
const KEPT: i64 = 256 * 1024 * 1024;
/// What every event has to have.
const REQUIRED: [&str; 4] = ["ce-specversion", "ce-id", "ce-source", "ce-type"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(nats)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: publish-axum LISTEN NATS");
    };
    let client = async_nats::connect(&nats).await.with_context(|| format!("{nats} is no NATS server"))?;
    let jetstream = jetstream::new(client);
    jetstream
        .create_stream(stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![SUBJECT.to_owned()],
            max_bytes: KEPT,
            storage: stream::StorageType::File,
            ..stream::Config::default()
        })
        .await
        .context("the stream cannot be made")?;
    let service = Router::new().fallback(post(publish)).with_state(jetstream);
    let listener = TcpListener::bind(&listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
    let listener = listener.tap_io(|stream| {
        // A connection that is broken already shows so when it is read.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, service).await?;
    Ok(())
}

async fn publish(State(jetstream): State<jetstream::Context>, head: RequestHeaders, data: Bytes) -> StatusCode {
    let Some(headers) = attributes(&head) else { return StatusCode::BAD_REQUEST };
    let Ok(acknowledged) = jetstream.publish_with_headers(SUBJECT, headers, data).await else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    match acknowledged.await {
        Ok(_) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The event's attributes as headers of a message, with its id as what JetStream tells duplicates by.
fn attributes(head: &RequestHeaders) -> Option<HeaderMap> {
    let there = REQUIRED.iter().all(|name| head.contains_key(*name));
    let mut headers = HeaderMap::new();
    for (name, value) in head.iter().filter(|(name, _)| name.as_str().starts_with("ce-") || *name == "content-type") {
        headers.insert(name.as_str().parse::<HeaderName>().ok()?, value.to_str().ok()?.parse::<HeaderValue>().ok()?);
    }
    let id = head.get("ce-id")?.to_str().ok()?;
    headers.insert(async_nats::header::NATS_MESSAGE_ID, id);
    there.then_some(headers)
}
