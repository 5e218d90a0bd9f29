//! Looking on at the events of a channel: from now on, or from where its store goes back to.
//!
//! A follower reads at its own pace and holds a batch at most, so one that is slow costs nobody anything; one that is
//! slower than what is kept is told that it has missed something.

use super::addressed;
use super::channel::Channel;
use super::channels::Channels;
use super::store::archived::{self, ArchiveReader};
use super::store::recent::Recent;
use super::store::{Archive, History, Kept, Reader, StoreError};
use crate::config::limits::LISTENERS;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Between two tries to read what cannot be read.
const AGAIN: Duration = Duration::from_secs(1);

/// Where a follower begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the next event that is published.
    Next,
    /// With the oldest that is kept.
    Oldest,
    /// At this position.
    Position(u64),
    /// With what was taken at this time.
    Time(SystemTime),
}

/// Why a channel cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// There is no such channel.
    #[error("no channel is called {channel}")]
    UnknownChannel {
        /// As asked for.
        channel: String,
    },
    /// As many listen to it as may.
    #[error("{LISTENERS} clients listen to channel {channel} already")]
    Crowded {
        /// `NAMESPACE/NAME`.
        channel: String,
    },
    /// Its store keeps events only until each subscription is done with them.
    #[error("channel {channel} cannot be read back: its store keeps no history, {reason}")]
    NoHistory {
        /// `NAMESPACE/NAME`.
        channel: String,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// The server that keeps it does not answer.
    #[error("channel {channel} cannot be read back now: {reason}")]
    Unanswered {
        /// `NAMESPACE/NAME`.
        channel: String,
        /// What is wrong.
        reason: String,
    },
}

/// An event and where it is.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its position, which grows.
    pub position: u64,
    /// When the store took it.
    pub time: SystemTime,
    /// What it is.
    pub event: Arc<Event>,
}

/// What a follower sees at once.
#[derive(Debug, Clone, Default)]
pub struct Glimpse {
    /// Whether there was something before that is not kept any more.
    pub missed: bool,
    /// In the order of publishing.
    pub events: Vec<Seen>,
}

/// What publishers tell those who look on.
#[derive(Debug)]
pub(super) struct Audience {
    /// For stores without a history of their own.
    recent: Arc<Recent>,
    arrived: Notify,
    /// The channel is gone, or its events are elsewhere.
    pub(super) gone: CancellationToken,
    listeners: AtomicUsize,
    streamed: AtomicU64,
}

impl Default for Audience {
    fn default() -> Self {
        let (recent, arrived, gone) = (Recent::new(), Notify::new(), CancellationToken::new());
        Self { recent, arrived, gone, listeners: AtomicUsize::new(0), streamed: AtomicU64::new(0) }
    }
}

impl Audience {
    /// What somebody who looks on would want to have of these events, once they are stored.
    pub(super) fn wants(&self, events: &[Arc<Event>]) -> Option<Vec<Arc<Event>>> {
        self.recent.is_wanted().then(|| events.to_vec())
    }

    /// Clients that listen.
    pub(super) fn listeners(&self) -> usize {
        self.listeners.load(Ordering::Relaxed)
    }

    /// Events that were sent to them.
    pub(super) fn streamed(&self) -> u64 {
        self.streamed.load(Ordering::Relaxed)
    }

    /// Events were stored.
    pub(super) fn tell(&self, wanted: Option<Vec<Arc<Event>>>) {
        if let Some(events) = wanted {
            self.recent.push(events);
        }
        self.arrived.notify_waiters();
    }
}

/// A client's place among those that listen to a channel.
#[derive(Debug)]
pub struct Listening {
    /// What it gets.
    pub follower: Follower,
    audience: Arc<Audience>,
}

impl Listening {
    /// Counts events that it was sent.
    pub fn sent(&self, events: usize) {
        self.audience.streamed.fetch_add(u64::try_from(events).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.audience.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads the events of one channel.
#[derive(Debug)]
pub struct Follower {
    audience: Arc<Audience>,
    reader: Box<dyn Reader>,
    /// Nothing before is wanted.
    since: Option<SystemTime>,
    missed: bool,
    /// Where the log ended when this began.
    end: u64,
    /// Whether positions without an event say nothing.
    is_sparse: bool,
}

impl Channels {
    /// Follows a channel (`NAMESPACE/NAME`). Where its store keeps no history, what is published through this process
    /// while somebody looks on is kept for a while.
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn follow(&self, channel: &str, start: Start) -> Result<Follower, FollowError> {
        let channel = self.known(channel)?;
        let history = channel.log.history().unwrap_or_else(|| Arc::new(Arc::clone(&channel.audience.recent)));
        Ok(Follower::new(&channel, &*history, start))
    }

    /// Follows a channel for a client; there may be so many.
    ///
    /// # Errors
    /// When there is no such channel, or too many listen to it.
    pub fn listen(&self, channel: &str, start: Start) -> Result<Listening, FollowError> {
        let audience = Arc::clone(&self.known(channel)?.audience);
        let follower = self.follow(channel, start)?;
        audience.listeners.fetch_add(1, Ordering::Relaxed);
        let listening = Listening { follower, audience };
        if listening.audience.listeners() > LISTENERS {
            return Err(FollowError::Crowded { channel: channel.to_owned() });
        }
        Ok(listening)
    }

    pub(super) fn known(&self, channel: &str) -> Result<Arc<Channel>, FollowError> {
        self.channel(channel).ok_or_else(|| FollowError::UnknownChannel { channel: channel.to_owned() })
    }
}

impl Follower {
    pub(super) fn new(channel: &Channel, history: &dyn History, start: Start) -> Self {
        let span = history.span();
        let (from, since) = match start {
            Start::Next => (span.end, None),
            Start::Oldest => (span.start, None),
            Start::Position(position) => (position, None),
            Start::Time(time) => (history.since(time), Some(time)),
        };
        let missed = from < span.start || from > span.end;
        let reader = history.reader(if from > span.end { span.end } else { from.max(span.start) });
        Self { audience: Arc::clone(&channel.audience), reader, since, missed, end: span.end, is_sparse: false }
    }

    /// Reads what a server keeps.
    ///
    /// # Errors
    /// When the server does not answer.
    pub(super) async fn of_archive(
        channel: &Channel,
        archive: Arc<dyn Archive>,
        start: Start,
    ) -> Result<Self, StoreError> {
        let span = archived::answer(archive.span()).await?;
        let (from, since) = match start {
            Start::Next => (span.end, None),
            Start::Oldest => (span.start, None),
            Start::Position(position) => (position, None),
            Start::Time(time) => (archived::answer(archive.since(time)).await?, Some(time)),
        };
        let missed = since.is_none() && from < span.start;
        let reader = Box::new(ArchiveReader::new(archive, from.max(span.start)));
        Ok(Self { audience: Arc::clone(&channel.audience), reader, since, missed, end: span.end, is_sparse: true })
    }

    /// Waits for what comes next; none once the channel is gone.
    pub async fn next(&mut self) -> Option<Glimpse> {
        loop {
            let audience = Arc::clone(&self.audience);
            let arrived = audience.arrived.notified();
            tokio::pin!(arrived);
            // From here on nothing that is published is missed.
            arrived.as_mut().enable();
            let wait = match self.look().await {
                Ok(glimpse) if glimpse.missed || !glimpse.events.is_empty() => return Some(glimpse),
                Ok(_) => None,
                Err(error) => {
                    tracing::warn!(%error, "the events of a channel cannot be read back");
                    Some(AGAIN)
                }
            };
            let again = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = arrived => {}
                () = again => {}
                () = audience.gone.cancelled() => return None,
            }
        }
    }

    /// What there is now; empty when there is nothing yet.
    ///
    /// # Errors
    /// When it cannot be read, with the reason.
    pub async fn look(&mut self) -> Result<Glimpse, String> {
        loop {
            let expected = self.reader.position();
            let batch = self.reader.next().await.map_err(|error| error.to_string())?;
            let end = self.reader.position();
            let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            let missed = std::mem::take(&mut self.missed) || (!self.is_sparse && end - expected != count);
            let is_empty = batch.is_empty();
            let events: Vec<Seen> = batch.into_iter().filter(|kept| self.is_wanted(kept)).map(seen).collect();
            if missed || is_empty || !events.is_empty() {
                return Ok(Glimpse { missed, events });
            }
        }
    }

    /// Where the log ended when this began to follow it.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The position of what comes next.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// What was put back for one subscription is no news.
    fn is_wanted(&self, kept: &Kept) -> bool {
        addressed::receiver(&kept.event).is_none() && self.since.is_none_or(|since| kept.time >= since)
    }
}

fn seen(Kept { position, time, mut event }: Kept) -> Seen {
    if addressed::mark(&event).is_some() {
        addressed::strip(Arc::make_mut(&mut event));
    }
    Seen { position, time, event }
}
