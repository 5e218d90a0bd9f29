//! A client that knows of no events: one POST on a connection of its own.

use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// For the whole exchange.
const LIMIT: Duration = Duration::from_secs(10);

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The header `x-event-id`.
    pub(crate) event_id: String,
    /// Everything, for when it went wrong.
    pub(crate) text: String,
}

/// Sends JSON to a host behind the proxy.
pub(crate) async fn post(proxy: SocketAddr, host: &str, path: &str, json: &str) -> Result<Answer> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{json}",
        json.len()
    );
    let exchange = async {
        let mut stream = TcpStream::connect(proxy).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        anyhow::Ok(text)
    };
    let text = tokio::time::timeout(LIMIT, exchange).await.context("the proxy does not answer")??;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).context("that is no response")?;
    let line = text.lines().find_map(|line| line.strip_prefix("x-event-id: "));
    Ok(Answer { status, event_id: line.unwrap_or_default().to_owned(), text })
}
