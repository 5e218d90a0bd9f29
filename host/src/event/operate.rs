//! What operators do with events: dead letters put back or dropped, what was published before published again.

use super::addressed;
use super::channel::Channel;
use super::channels::Channels;
use super::follow::{Seen, Start};
use super::letters::{DeadLetters, Numbered};
use super::refusal::PublishError;
use super::wanted::Wanted;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Dead letters that are put back with one wait for the store.
const TOGETHER: usize = 64;
/// How long one answer to a replay takes before it says where to go on.
const MOMENT: Duration = Duration::from_secs(5);

/// Which dead letters are meant: those that everything holds for that is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `NAMESPACE/NAME` of their channel.
    pub channel: Option<String>,
    /// `NAMESPACE/NAME` of their subscription.
    pub subscription: Option<String>,
    /// Part of the reason.
    pub reason: Option<String>,
    /// Their numbers; empty means all.
    pub numbers: Vec<u64>,
}

/// What came of putting dead letters back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutBack {
    /// How many are on their way again, and dead letters no more.
    pub replayed: usize,
    /// Channel and number of those that are not, and why.
    pub refused: Vec<(String, u64, String)>,
}

/// What of a channel is published again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// `NAMESPACE/NAME`.
    pub channel: String,
    /// `NAMESPACE/NAME` of the only subscription that gets it; none means all.
    pub subscription: Option<String>,
    /// Where it begins.
    pub from: Start,
    /// Where it ends.
    pub until: Until,
    /// Which of its events; none means all.
    pub wanted: Option<Wanted>,
}

/// Where a replay ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Until {
    /// After this position.
    pub position: Option<u64>,
    /// Before what was taken at this time.
    pub time: Option<SystemTime>,
}

/// What came of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many events were published again.
    pub replayed: usize,
    /// Whether some were not kept any more.
    pub missed: bool,
    /// Where to go on; none when it is done.
    pub next: Option<u64>,
    /// Where the channel ended as this began: what lies behind may be what it published itself.
    pub end: u64,
    /// Why it ended before that, for people.
    pub failure: Option<String>,
}

impl Until {
    fn is_after(&self, seen: &Seen) -> bool {
        self.position.is_none_or(|last| seen.position <= last) && self.time.is_none_or(|end| seen.time < end)
    }
}

impl Replayed {
    /// The end of one that cannot go on from a position; the reason alone where nothing is done yet.
    fn ended_by(mut self, reason: String, at: u64) -> Result<Self, String> {
        if self.replayed == 0 {
            return Err(reason);
        }
        (self.next, self.failure) = (Some(at), Some(reason));
        Ok(self)
    }
}

impl Selection {
    fn has(&self, letter: &Numbered) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.subscription, &letter.letter.subscription)
            && self.reason.as_deref().is_none_or(|part| letter.letter.reason.contains(part))
            && (self.numbers.is_empty() || self.numbers.contains(&letter.number))
    }
}

impl Channels {
    /// The dead letters that are meant, by channel, the oldest first.
    pub fn dead_letters(&self, selection: &Selection) -> Vec<Numbered> {
        self.meant(selection).into_iter().flat_map(|(_, _, letters)| letters).collect()
    }

    /// Drops the dead letters that are meant; says how many.
    pub fn drop_dead_letters(&self, selection: &Selection) -> usize {
        let meant = self.meant(selection).into_iter();
        meant.map(|(_, kept, letters)| letters.iter().filter(|letter| kept.remove(letter.number)).count()).sum()
    }

    /// Puts the events of the dead letters that are meant back, each to its subscription alone. It is a dead letter until
    /// the store has it again, so whatever happens meanwhile it is not lost, though it may be delivered twice.
    pub async fn replay_dead_letters(&self, selection: &Selection) -> PutBack {
        let mut outcome = PutBack::default();
        for (channel, kept, letters) in self.meant(selection) {
            let is_there = |letter: &Numbered| {
                channel.subscriptions.iter().any(|subscription| subscription.name == letter.letter.subscription)
            };
            let (back, stray): (Vec<Numbered>, Vec<Numbered>) = letters.into_iter().partition(is_there);
            for letter in stray {
                let reason = format!("the channel has no subscription {} any more", letter.letter.subscription);
                outcome.refused.push((letter.channel, letter.number, reason));
            }
            // Those of one subscription go together.
            let same = |one: &Numbered, other: &Numbered| one.letter.subscription == other.letter.subscription;
            for letters in back.chunk_by(same).flat_map(|letters| letters.chunks(TOGETHER)) {
                let events = letters.iter().map(|letter| letter.letter.event.clone());
                let subscription = letters.first().map(|letter| letter.letter.subscription.as_str());
                let refused = self.put_in(&channel, events, subscription).await.err();
                for letter in letters {
                    match &refused {
                        None => outcome.replayed += usize::from(kept.remove(letter.number)),
                        Some(error) => {
                            outcome.refused.push((letter.channel.clone(), letter.number, error.to_string()));
                        }
                    }
                }
            }
        }
        outcome
    }

    /// Publishes again what a channel's store has from a place on, up to before a position or a time, to one subscription
    /// or to all; as much as can be done in a moment.
    ///
    /// # Errors
    /// With the reason, for people, when nothing was published.
    pub async fn replay(&self, replay: &Replay) -> Result<Replayed, String> {
        let channel =
            self.channel(&replay.channel).ok_or_else(|| format!("no channel is called {}", replay.channel))?;
        if let Some(name) = &replay.subscription
            && !channel.subscriptions.iter().any(|subscription| subscription.name == *name)
        {
            return Err(format!("channel {} has no subscription {name}", channel.name));
        }
        let mut follower = self.read_back(&channel.name, replay.from).await.map_err(|error| error.to_string())?;
        let began = Instant::now();
        // What it publishes itself goes to the end, and is not published again. A later answer must not go beyond it either.
        let end = follower.end();
        let mut outcome = Replayed { end, ..Replayed::default() };
        while outcome.next.is_none() && follower.position() < end {
            let at = follower.position();
            let mut glimpse = match follower.look().await {
                Ok(glimpse) => glimpse,
                Err(reason) => return outcome.ended_by(reason, at),
            };
            outcome.missed |= glimpse.missed;
            let count = glimpse.events.len();
            glimpse.events.retain(|seen| seen.position < end && replay.until.is_after(seen));
            let over = glimpse.events.len() < count;
            glimpse.events.retain(|seen| replay.wanted.as_ref().is_none_or(|wanted| wanted.has(&seen.event)));
            for seen in glimpse.events.chunks(TOGETHER) {
                let events = seen.iter().map(|seen| (*seen.event).clone());
                if let Err(error) = self.put_in(&channel, events, replay.subscription.as_deref()).await {
                    let at = seen.first().map_or(at, |first| first.position);
                    return outcome.ended_by(error.to_string(), at);
                }
                outcome.replayed += seen.len();
            }
            if over {
                break;
            }
            if began.elapsed() >= MOMENT {
                outcome.next = Some(follower.position());
            }
        }
        Ok(outcome)
    }

    /// Puts events into a channel's log: for one subscription alone, or for all.
    async fn put_in(
        &self,
        channel: &Channel,
        events: impl Iterator<Item = Event>,
        subscription: Option<&str>,
    ) -> Result<(), PublishError> {
        if self.is_draining() {
            return Err(PublishError::Draining { channel: channel.name.clone() });
        }
        let events: Vec<Arc<Event>> = events
            .map(|event| match subscription {
                Some(name) => addressed::to(event, name),
                None => addressed::again(event),
            })
            .map(Arc::new)
            .collect();
        let (count, wanted) = (events.len(), subscription.is_none().then(|| channel.audience.wants(&events)).flatten());
        let stored = match channel.log.reserve(events) {
            Ok(room) => room.commit().await,
            Err(error) => Err(error),
        };
        stored.map_err(|error| PublishError::of_store(&channel.name, &error))?;
        match subscription {
            Some(name) => channel.count_for(name, count),
            None => channel.count(count),
        }
        channel.audience.tell(wanted);
        Ok(())
    }

    /// The letters that are meant, with their channel.
    fn meant(&self, selection: &Selection) -> Vec<(Arc<Channel>, Arc<DeadLetters>, Vec<Numbered>)> {
        let channels = self.all().into_iter();
        let channels = channels.filter(|channel| selection.channel.as_ref().is_none_or(|name| *name == channel.name));
        let with_letters = channels.filter_map(|channel| {
            let letters = channel.letters.clone()?;
            let meant = letters.list(|letter| selection.has(letter));
            Some((channel, letters, meant))
        });
        with_letters.filter(|(_, _, letters)| !letters.is_empty()).collect()
    }
}
