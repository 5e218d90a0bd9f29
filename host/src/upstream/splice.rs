//! Hands an upgraded connection through, byte for byte.

use crate::config::limits;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Copies both ways until one side ends or both have been silent for too long.
pub async fn splice(client: OnUpgrade, upstream: OnUpgrade) {
    let (client, upstream) = match tokio::try_join!(client, upstream) {
        Ok(both) => both,
        Err(error) => {
            tracing::debug!(%error, "an upgrade was not completed");
            return;
        }
    };
    let (client_read, client_write) = tokio::io::split(TokioIo::new(client));
    let (upstream_read, upstream_write) = tokio::io::split(TokioIo::new(upstream));
    let ended = tokio::try_join!(copy(client_read, upstream_write), copy(upstream_read, client_write));
    if let Err(error) = ended {
        tracing::debug!(%error, "an upgraded connection ended with an error");
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; limits::SPLICE_BUFFER];
    loop {
        let read = timeout(limits::UPGRADED_IDLE, from.read(&mut buffer)).await??;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        timeout(limits::WRITE_STALLED, to.write_all(bytes)).await??;
        timeout(limits::WRITE_STALLED, to.flush()).await??;
    }
    to.shutdown().await
}
