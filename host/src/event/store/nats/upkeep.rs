//! What everybody is done with and is kept for a while to be read back: it goes in the end, or when there is no room.

use super::{Nats, publish};
use crate::event::letters;
use crate::event::store::StoreError;
use crate::event::store::remote::unavailable;
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often is looked at most and at least, whatever the time that events are kept for: what is looked for is exact to one
/// part in [`PARTS`] of that.
const OFTEN: Duration = Duration::from_millis(200);
const SELDOM: Duration = Duration::from_mins(1);
const PARTS: u32 = 16;

/// For how long a channel keeps what everybody is done with.
pub(super) fn history(nats: &Nats, channel: &str) -> Option<Duration> {
    letters::history_of(channel, nats.settings.history)
}

/// Removes what has been kept for long enough, again and again; never ends.
pub(super) async fn keep_up(nats: &Nats, channel: &str) {
    let Some(history) = history(nats, channel) else { return std::future::pending().await };
    let mut ends = Ends::default();
    loop {
        tokio::time::sleep((history / PARTS).clamp(OFTEN, SELDOM)).await;
        // Where this fails it is done the next time.
        let Ok(stream) = nats.shared.context.get_stream(publish::stream_name(channel)).await else { continue };
        if let Some(old) = ends.add(Instant::now(), stream.cached_info().state.last_sequence, history)
            && let Err(error) = purge(&stream, old).await
        {
            tracing::debug!(channel, %error, "what is too old to be kept is still there");
        }
    }
}

/// Removes everything that is kept although everybody is done with it.
pub(super) async fn make_room(nats: &Nats, channel: &str) -> Result<(), StoreError> {
    let stream = nats.shared.context.get_stream(publish::stream_name(channel)).await;
    purge(&stream.map_err(|error| unavailable(&error))?, u64::MAX).await
}

/// Removes the messages up to a number that all consumers are done with.
async fn purge(stream: &Stream, until: u64) -> Result<(), StoreError> {
    let (mut until, mut consumers) = (until.min(stream.cached_info().state.last_sequence), stream.consumers());
    while let Some(consumer) = consumers.next().await {
        until = until.min(consumer.map_err(|error| unavailable(&error))?.ack_floor.stream_sequence);
    }
    if until < stream.cached_info().state.first_sequence {
        return Ok(());
    }
    let purged = stream.purge().sequence(until.saturating_add(1)).await;
    purged.map(drop).map_err(|error| unavailable(&error))
}

/// Where a stream ended when, as far back as events are kept.
#[derive(Debug, Default)]
struct Ends(VecDeque<(Instant, u64)>);

impl Ends {
    /// Adds an end; gives the last one that is older than so long.
    fn add(&mut self, now: Instant, end: u64, age: Duration) -> Option<u64> {
        self.0.push_back((now, end));
        let is_old = |(since, _): &(Instant, u64)| now.duration_since(*since) >= age;
        let mut old = None;
        while let Some((_, end)) = self.0.front().filter(|first| is_old(first)) {
            old = Some(*end);
            self.0.pop_front();
        }
        old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_old_once_as_much_time_has_passed_and_only_once() {
        let (begin, mut ends) = (Instant::now(), Ends::default());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let age = Duration::from_secs(10);
        assert_eq!(ends.add(at(0), 5, age), None);
        assert_eq!(ends.add(at(4), 7, age), None);
        assert_eq!(ends.add(at(9), 8, age), None);
        assert_eq!(ends.add(at(14), 9, age), Some(7));
        assert_eq!(ends.add(at(15), 9, age), None);
        assert_eq!(ends.add(at(100), 9, age), Some(9));
    }
}
