//! What the admin endpoint does with events: publishes one, shows them as they come, publishes again what was before.

use super::query::{self, Query};
use crate::event::json::{Readable, parse};
use crate::event::{Channels, Follower, Glimpse, PublishError, Replay, Replayed, Seen, Start, Until, Wanted};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// The longest wait for an event to come.
const WAIT: Duration = Duration::from_secs(1);
/// Events in an answer, where there are so many; a batch more is possible.
const EVENTS: usize = 4_096;
/// Their data in an answer, in bytes.
const BYTES: usize = 8 << 20;

/// What a follower of a channel has come to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadStatus {
    /// Where the next look goes on.
    pub next: u64,
    /// Whether there was something before that is not kept any more.
    pub missed: bool,
    /// In the order of publishing.
    pub events: Vec<SeenStatus>,
}

/// An event and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenStatus {
    /// Its position.
    pub position: u64,
    /// When it was taken (RFC 3339).
    pub taken: String,
    /// The event in the JSON format of CloudEvents.
    pub event: Value,
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayStatus {
    /// How many events were published again.
    pub replayed: usize,
    /// Whether some were not kept any more.
    pub missed: bool,
    /// Where to go on; none when it is done.
    pub next: Option<u64>,
    /// Where the channel ended as it began: what lies behind may be what it published itself.
    pub end: u64,
    /// Why it ended at `next`, where it did not end by itself.
    pub failure: Option<String>,
}

/// An event that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedStatus {
    /// Its id.
    pub id: String,
}

/// What of a channel is read or published again, as a client asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stretch {
    /// `NAMESPACE/NAME`.
    pub channel: String,
    /// `NAMESPACE/NAME` of the only subscription that gets it.
    pub subscription: Option<String>,
    /// From this position on.
    pub from: Option<u64>,
    /// From this time on (RFC 3339).
    pub since: Option<String>,
    /// Up to this position.
    pub to: Option<u64>,
    /// Before this time (RFC 3339).
    pub until: Option<String>,
    /// Only what this expression of CloudEvents SQL is true for.
    pub filter: Option<String>,
}

/// Why an event is not published.
#[derive(Debug)]
pub(super) enum Unpublished {
    Question(String),
    Channel(PublishError),
}

impl Stretch {
    /// The path and query that ask for it.
    pub(super) fn path(&self, path: &str) -> String {
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let parameters = [
            ("channel", Some(self.channel.clone())),
            ("subscription", self.subscription.clone()),
            ("from", number(self.from)),
            ("since", self.since.clone()),
            ("to", number(self.to)),
            ("until", self.until.clone()),
            ("filter", self.filter.clone()),
        ];
        query::path(path, parameters)
    }

    fn read(query: Option<&str>) -> Result<Self, String> {
        let mut query = Query::of(query);
        let mut number = |name: &str| query.numbers(name).map(|numbers| numbers.first().copied());
        let (from, to) = (number("from")?, number("to")?);
        let stretch = Self {
            channel: query.take("channel").ok_or("say which `channel`")?,
            subscription: query.take("subscription"),
            from,
            since: query.take("since"),
            to,
            until: query.take("until"),
            filter: query.take("filter"),
        };
        query.end()?;
        Ok(stretch)
    }

    fn wanted(&self) -> Result<Option<Wanted>, String> {
        self.filter.as_deref().map(str::parse).transpose().map_err(|error| format!("`filter`: {error}"))
    }

    fn start(&self) -> Result<Start, String> {
        Ok(match (self.from, &self.since) {
            (Some(_), Some(_)) => return Err("`from` and `since` are two beginnings".to_owned()),
            (Some(0), None) => Start::Oldest,
            (Some(position), None) => Start::Position(position),
            (None, Some(since)) => Start::Time(time(since)?),
            (None, None) => Start::Next,
        })
    }
}

/// Publishes the event in a body to the channel of a query.
pub(super) async fn publish(
    channels: &Channels,
    query: Option<&str>,
    body: &[u8],
) -> Result<PublishedStatus, Unpublished> {
    let channel = Stretch::read(query).map_err(Unpublished::Question)?.channel;
    let event = parse(body).map_err(Unpublished::Question)?;
    let id = event.id.clone();
    channels.publish(&channel, event).await.map_err(Unpublished::Channel)?;
    Ok(PublishedStatus { id })
}

/// What comes next in a channel; waits a moment where there is nothing yet. The first question, without a beginning,
/// only says where to go on.
pub(super) async fn read(channels: &Channels, query: Option<&str>) -> Result<ReadStatus, String> {
    let stretch = Stretch::read(query)?;
    let start = stretch.start()?;
    let follower = channels.look_back(&stretch.channel, start).await;
    let mut follower = follower.map_err(|error| error.to_string())?;
    if start == Start::Next {
        return Ok(ReadStatus { next: follower.position(), missed: false, events: Vec::new() });
    }
    let glimpse = glimpse(&mut follower, stretch.wanted()?.as_ref()).await?;
    let glimpse = glimpse.ok_or_else(|| format!("channel {} is gone", stretch.channel))?;
    let events = glimpse.events.into_iter().map(seen).collect::<Result<_, _>>()?;
    Ok(ReadStatus { next: follower.position(), missed: glimpse.missed, events })
}

/// As much of what is wanted as one answer holds, since each question looks for its place anew; what is not wanted is
/// neither written nor sent. None: the channel is gone.
async fn glimpse(follower: &mut Follower, wanted: Option<&Wanted>) -> Result<Option<Glimpse>, String> {
    let (deadline, mut all) = (Instant::now() + WAIT, Glimpse::default());
    let add = |all: &mut Glimpse, mut more: Glimpse| {
        more.events.retain(|seen| wanted.is_none_or(|wanted| wanted.has(&seen.event)));
        all.missed |= more.missed;
        all.events.extend(more.events);
    };
    while all.events.is_empty() && !all.missed && Instant::now() < deadline {
        match tokio::time::timeout_at(deadline, follower.next()).await {
            Ok(Some(more)) => add(&mut all, more),
            Ok(None) => return Ok(None),
            Err(_) => break,
        }
    }
    while !all.events.is_empty() && all.events.len() < EVENTS && size_of(&all) < BYTES && Instant::now() < deadline {
        let more = follower.look().await?;
        if more.events.is_empty() {
            break;
        }
        add(&mut all, more);
    }
    Ok(Some(all))
}

/// Publishes again what a query asks for.
pub(super) async fn replay(channels: &Channels, query: Option<&str>) -> Result<ReplayStatus, String> {
    let stretch = Stretch::read(query)?;
    let from = match stretch.start()? {
        Start::Next => Start::Oldest,
        start => start,
    };
    let until = Until { position: stretch.to, time: stretch.until.as_deref().map(time).transpose()? };
    let wanted = stretch.wanted()?;
    let replay = Replay { channel: stretch.channel, subscription: stretch.subscription, from, until, wanted };
    let Replayed { replayed, missed, next, end, failure } = channels.replay(&replay).await?;
    Ok(ReplayStatus { replayed, missed, next, end, failure })
}

fn size_of(glimpse: &Glimpse) -> usize {
    glimpse.events.iter().map(|seen| seen.event.data.as_ref().map_or(0, Vec::len)).sum()
}

fn seen(Seen { position, time, event }: Seen) -> Result<SeenStatus, String> {
    let taken = humantime::format_rfc3339_millis(time).to_string();
    let event = serde_json::to_value(Readable(&event)).map_err(|error| error.to_string())?;
    Ok(SeenStatus { position, taken, event })
}

fn time(text: &str) -> Result<SystemTime, String> {
    let time: Timestamp = text.parse().map_err(|_| format!("{text:?} is no time such as 2026-01-31T18:30:00Z"))?;
    // What lies before 1970 is as old as anything.
    let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or_default();
    Ok(UNIX_EPOCH + Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_goes_over_the_wire() {
        let stretch = Stretch {
            channel: "default/orders".into(),
            subscription: Some("default/stock".into()),
            from: Some(3),
            since: None,
            to: Some(9),
            until: Some("2026-01-31T18:30:00+01:00".into()),
            filter: Some("type LIKE 'order.%' AND a % 2 = 1".into()),
        };
        let path = stretch.path("/events/replay");
        assert_eq!(Stretch::read(path.split_once('?').map(|(_, query)| query)), Ok(stretch));
    }

    #[test]
    fn a_stretch_has_a_channel_one_beginning_and_times_that_are_times() {
        assert!(Stretch::read(Some("from=1")).unwrap_err().contains("`channel`"));
        let both = Stretch { from: Some(1), since: Some("2026-01-31T18:30:00Z".into()), ..Stretch::default() };
        assert!(both.start().unwrap_err().contains("two beginnings"));
        assert!(time("yesterday").unwrap_err().contains("yesterday"));
    }
}
