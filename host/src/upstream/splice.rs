//! Hands an upgraded connection through, byte for byte.

use super::forward::Upgrade;
use crate::config::limits;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::{Instant, sleep_until, timeout};

/// Copies both ways until both sides have ended, one has failed or both have been silent for too long.
///
/// Call it once the 101 is on its way to the client: the client's side resolves when it has been sent.
pub async fn splice(client: OnUpgrade, upstream: Upgrade) {
    let Upgrade { connection, watch, stream } = upstream;
    let both = async { tokio::try_join!(client, connection) };
    let (client, upstream) = match timeout(limits::UPGRADE_HANDOVER, both).await {
        Ok(Ok(both)) => both,
        Ok(Err(error)) => return tracing::debug!(%error, "an upgrade was not completed"),
        Err(_) => return tracing::debug!("an upgrade was not completed in time"),
    };
    match copy_both(TokioIo::new(client), TokioIo::new(upstream), limits::UPGRADED_IDLE).await {
        Ok((sent, received)) => tracing::debug!(sent, received, "an upgraded connection ended"),
        Err(error) => tracing::debug!(%error, "an upgraded connection ended with an error"),
    }
    // Until here its endpoint was busy.
    drop((watch, stream));
}

/// Copies both ways and returns the bytes from `left` to `right` and back. The end of one side is passed on to the
/// other, which may still finish what it has to say. Both are closed when this returns.
pub async fn copy_both<L, R>(left: L, right: R, idle: Duration) -> io::Result<(u64, u64)>
where
    L: AsyncRead + AsyncWrite,
    R: AsyncRead + AsyncWrite,
{
    let activity = Activity::new();
    let (left_read, left_write) = split(left);
    let (right_read, right_write) = split(right);
    let both =
        async { tokio::try_join!(copy(left_read, right_write, &activity), copy(right_read, left_write, &activity)) };
    tokio::select! {
        copied = both => copied,
        () = activity.ceased(idle) => Err(io::Error::new(io::ErrorKind::TimedOut, "both sides were silent")),
    }
}

/// When a byte last moved either way.
struct Activity {
    started: Instant,
    /// Milliseconds after `started`.
    last: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        Self { started: Instant::now(), last: AtomicU64::new(0) }
    }

    fn mark(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    async fn ceased(&self, idle: Duration) {
        loop {
            let limit = self.started + Duration::from_millis(self.last.load(Ordering::Relaxed)) + idle;
            if Instant::now() >= limit {
                return;
            }
            sleep_until(limit).await;
        }
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    activity: &Activity,
) -> io::Result<u64> {
    let mut buffer = vec![0; limits::SPLICE_BUFFER];
    let mut copied = 0_u64;
    loop {
        let read = from.read(&mut buffer).await?;
        activity.mark();
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        timeout(limits::WRITE_STALLED, async {
            to.write_all(bytes).await?;
            to.flush().await
        })
        .await??;
        activity.mark();
        copied = copied.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    to.shutdown().await?;
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    const IDLE: Duration = Duration::from_mins(5);

    #[tokio::test]
    async fn bytes_pass_both_ways_and_are_counted() {
        let (mut client, left) = duplex(64);
        let (mut upstream, right) = duplex(64);
        let copying = tokio::spawn(copy_both(left, right, IDLE));
        client.write_all(b"ping").await.unwrap();
        let mut seen = [0; 4];
        upstream.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"ping");
        upstream.write_all(b"pong!").await.unwrap();
        upstream.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "pong!");
        drop(client);
        assert_eq!(copying.await.unwrap().unwrap(), (4, 5));
    }

    #[tokio::test]
    async fn the_end_of_one_side_leaves_the_other_to_finish() {
        let (mut client, left) = duplex(64);
        let (mut upstream, right) = duplex(64);
        let copying = tokio::spawn(copy_both(left, right, IDLE));
        client.shutdown().await.unwrap();
        assert_eq!(upstream.read(&mut [0; 8]).await.unwrap(), 0);
        upstream.write_all(b"last words").await.unwrap();
        drop(upstream);
        let mut seen = String::new();
        client.read_to_string(&mut seen).await.unwrap();
        assert_eq!(seen, "last words");
        copying.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn silence_on_both_sides_ends_the_connection() {
        let (mut client, left) = duplex(64);
        let (_upstream, right) = duplex(64);
        let started = Instant::now();
        let ended = copy_both(left, right, IDLE).await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed(), IDLE);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_only_listens_does_not_end_the_connection() {
        let (_client, left) = duplex(64);
        let (mut upstream, right) = duplex(64);
        let talking = async {
            for _ in 0..3 {
                tokio::time::sleep(IDLE.checked_sub(Duration::from_secs(1)).unwrap()).await;
                upstream.write_all(b"event").await.unwrap();
            }
            drop(upstream);
        };
        let started = Instant::now();
        let (ended, ()) = tokio::join!(copy_both(left, right, IDLE), talking);
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() > IDLE * 3);
    }
}
