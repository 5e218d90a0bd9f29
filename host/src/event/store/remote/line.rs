//! A connection that is made again when it is lost.

use super::PATIENCE;
use crate::event::store::StoreError;
use std::fmt;
use std::future::Future;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// The pause before the second try to connect, which doubles with every other one.
const AGAIN: Duration = Duration::from_millis(20);
/// The longest pause between two tries.
const AGAIN_LATER: Duration = Duration::from_secs(2);

/// A connection for all who need one, while there is one.
pub(in crate::event::store) struct Line<C> {
    /// The server, for messages.
    server: &'static str,
    connection: watch::Sender<Option<C>>,
    given_up: Notify,
}

impl<C> fmt::Debug for Line<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Line").field("server", &self.server).finish_non_exhaustive()
    }
}

impl<C: Clone + Send + Sync> Line<C> {
    pub(in crate::event::store) fn new(server: &'static str) -> Self {
        Self { server, connection: watch::Sender::new(None), given_up: Notify::new() }
    }

    /// The connection, after waiting for it for at most so long.
    async fn get(&self, patience: Duration) -> Option<C> {
        let mut connection = self.connection.subscribe();
        let there = tokio::time::timeout(patience, connection.wait_for(Option::is_some)).await.ok()?;
        there.ok()?.clone()
    }

    /// The connection, or that there is none after [`PATIENCE`].
    pub(in crate::event::store) async fn reached(&self) -> Result<C, StoreError> {
        self.reached_within(PATIENCE).await
    }

    /// The connection, or that there is none after so long.
    pub(in crate::event::store) async fn reached_within(&self, patience: Duration) -> Result<C, StoreError> {
        let gone = || StoreError::Unavailable(format!("the {} cannot be reached", self.server));
        self.get(patience).await.ok_or_else(gone)
    }

    /// Ends when the connection that is there now is lost, or at once where there is none.
    pub(in crate::event::store) async fn lost(&self) {
        // An error says that the sender is gone, which this borrows.
        let _ = self.connection.subscribe().wait_for(Option::is_none).await;
    }

    /// The connection does not answer: it is to be made anew.
    pub(in crate::event::store) fn give_up(&self) {
        self.given_up.notify_waiters();
    }

    /// Keeps a connection until `end`. What connects gives the connection, and what ends with its loss and says why.
    pub(in crate::event::store) async fn keep<Connect, Lost, Error>(
        &self,
        end: CancellationToken,
        connect: impl Fn() -> Connect + Send,
    ) where
        Connect: Future<Output = Result<(C, Lost), Error>> + Send,
        Lost: Future<Output = String> + Send,
        Error: fmt::Display + Send,
    {
        let kept = async {
            let mut tries = 0u32;
            loop {
                match tokio::time::timeout(super::CONNECT, connect()).await {
                    Ok(Ok((connection, lost))) => {
                        tries = 0;
                        self.hold(connection, lost).await;
                    }
                    Ok(Err(error)) => self.failed(tries, &error),
                    Err(_) => self.failed(tries, &"no answer"),
                }
                tokio::time::sleep(AGAIN.saturating_mul(2u32.saturating_pow(tries)).min(AGAIN_LATER)).await;
                tries = tries.saturating_add(1);
            }
        };
        tokio::select! {
            () = end.cancelled() => {}
            never = kept => never,
        }
    }

    async fn hold(&self, connection: C, lost: impl Future<Output = String>) {
        tracing::info!("connected to the {}", self.server);
        let given_up = self.given_up.notified();
        self.connection.send_replace(Some(connection));
        let reason = tokio::select! {
            reason = lost => reason,
            () = given_up => "it does not answer".to_owned(),
        };
        self.connection.send_replace(None);
        tracing::warn!(reason, "the connection to the {} is lost", self.server);
    }

    /// Says so once for each time that the server is away.
    fn failed(&self, tries: u32, error: &dyn fmt::Display) {
        if tries == 0 {
            tracing::warn!(%error, "the {} cannot be reached", self.server);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_lost_is_made_again_and_again() {
        let (line, made, end) =
            (Arc::new(Line::<u32>::new("server")), Arc::new(AtomicU32::new(0)), CancellationToken::new());
        let (keeper, counter, ended) = (Arc::clone(&line), Arc::clone(&made), end.clone());
        let kept = tokio::spawn(async move {
            let connect = || async {
                match counter.fetch_add(1, Ordering::Relaxed) {
                    // The second, third and fourth try fail.
                    1..4 => Err("refused"),
                    number => Ok((number, std::future::pending())),
                }
            };
            keeper.keep(ended, connect).await;
        });
        assert_eq!(line.get(Duration::from_secs(1)).await, Some(0));
        line.give_up();
        line.lost().await;
        assert_eq!(line.get(Duration::ZERO).await, None);
        assert_eq!(line.get(Duration::from_secs(1)).await, Some(4));
        end.cancel();
        kept.await.unwrap();
    }
}
