//! What only one process at a time can have, the files of events, is let go of while another process takes over.
//!
//! From then on this process refuses to publish there, which clients are told to try again (503, `retry-after`), and delivers
//! nothing more from there. What it has not finished the other process delivers.

use super::channel::Channel;
use super::channels::Channels;
use super::subscription::Subscription;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Channels {
    /// Lets go, once deliveries that are under way have ended, or after so long.
    pub async fn release(&self, patience: Duration) {
        let exclusive = self.exclusive();
        if exclusive.is_empty() {
            return self.stores().release().await;
        }
        self.released.store(true, Ordering::Release);
        let subscriptions: Vec<Arc<Subscription>> =
            exclusive.iter().flat_map(|channel| channel.subscriptions.iter().cloned()).collect();
        for subscription in &subscriptions {
            subscription.leave();
        }
        let idle = async {
            while !subscriptions.iter().all(|subscription| subscription.cursor.is_idle()) {
                self.finished.notified().await;
            }
        };
        if tokio::time::timeout(patience, idle).await.is_err() {
            tracing::warn!("deliveries are under way that the next process begins anew");
        }
        for letters in exclusive.iter().filter_map(|channel| channel.letters.as_ref()) {
            letters.stop();
        }
        self.stores().release().await;
    }

    /// Takes back what was let go of. The next [`Channels::apply`] opens the channels anew that are there.
    ///
    /// # Errors
    /// When the other process has it.
    pub fn resume(&self) -> io::Result<()> {
        self.stores().resume()?;
        if self.released.swap(false, Ordering::AcqRel) {
            self.stale.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Whether a channel's events are in what was let go of.
    pub(super) fn is_released(&self, channel: &Channel) -> bool {
        self.released.load(Ordering::Acquire) && self.stores().is_exclusive(channel.store)
    }

    fn exclusive(&self) -> Vec<Arc<Channel>> {
        self.all().into_iter().filter(|channel| self.stores().is_exclusive(channel.store)).collect()
    }
}
