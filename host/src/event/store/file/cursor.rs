//! The place of one subscription in the log of its channel.

use super::done::Done;
use super::log::{FileLog, Record};
use super::place::Place;
use super::read::{Ahead, Chunk, Spot};
use crate::event::store::{Cursor, Figures, Taken};
use futures_util::future::{BoxFuture, FutureExt};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Between two tries to read a file that cannot be read.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// The place of one subscription.
#[derive(Debug)]
pub(super) struct FileCursor {
    log: Arc<FileLog>,
    subscription: String,
    /// Where the place is written, until the subscription is gone.
    file: Mutex<Option<PathBuf>>,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    done: Done,
    /// Nothing at or above was given out, by this process or a former one.
    given: u64,
    /// The position after what was read ahead.
    reading: u64,
    /// Where that is in the files, when it was read from there.
    spot: Option<Spot>,
    ahead: VecDeque<Record>,
    in_flight: BTreeMap<u64, Record>,
    /// Given back, and when to give out again.
    again: Vec<(Instant, Record)>,
    redelivered: u64,
    lost: u64,
    /// Whether it has moved since it was written.
    moved: bool,
    ended: bool,
}

/// What to do for the next event.
enum Step {
    Take(Taken),
    Read(u64, Option<Spot>),
    Wait(Option<Instant>),
    End,
}

impl FileCursor {
    /// Where the subscription was; at the end when it is new, and at `oldest` when its file cannot be read.
    pub(super) fn open(log: &Arc<FileLog>, subscription: &str, oldest: u64) -> Arc<Self> {
        let file = log.place(subscription);
        let end = log.end();
        let place = match Place::read(&file) {
            Ok(Some(place)) => place,
            Ok(None) => Place::new(subscription, &Done::below(end), end),
            Err(error) => {
                let channel = &log.channel;
                tracing::warn!(channel, subscription, file = %file.display(), %error,
                    "where the subscription was cannot be read: it gets all that is stored");
                Place::new(subscription, &Done::below(oldest), end)
            }
        };
        // Before any event is taken for it, since a crash must not make it new again. Where that fails it is tried again.
        let written = place.write(&file, true);
        if let Err(error) = &written {
            tracing::warn!(channel = log.channel, subscription, %error, "the subscription's place cannot be written yet");
        }
        let done = place.done();
        let reading = done.lowest_open();
        let state = State { done, given: place.given, reading, moved: written.is_err(), ..State::default() };
        let (log, subscription, file) = (Arc::clone(log), subscription.to_owned(), Mutex::new(Some(file)));
        Arc::new(Self { log, subscription, file, state: Mutex::new(state), arrived: Notify::new() })
    }

    /// `NAMESPACE/NAME`.
    pub(super) fn subscription(&self) -> &str {
        &self.subscription
    }

    /// The lowest position that it is not done with.
    pub(super) fn lowest_open(&self) -> u64 {
        self.state().done.lowest_open()
    }

    /// There may be more to read.
    pub(super) fn wake(&self) {
        self.arrived.notify_one();
    }

    /// Is done with everything before a position; says how many events that drops.
    pub(super) fn give_up_before(&self, position: u64) -> u64 {
        let mut state = self.state();
        let first = state.done.lowest_open();
        let before = state.done.open_between(first, position);
        state.lose(first, position);
        state.ahead.retain(|record| record.position >= position);
        before
    }

    /// Writes the place if it has moved.
    pub(super) fn save(&self, synced: bool) -> io::Result<()> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &*file else { return Ok(()) };
        let place = {
            let mut state = self.state();
            if !std::mem::take(&mut state.moved) && !synced {
                return Ok(());
            }
            Place::new(&self.subscription, &state.done, state.given)
        };
        place.write(file, synced).inspect_err(|_| self.state().moved = true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self) -> Step {
        let mut state = self.state();
        if state.ended {
            return Step::End;
        }
        let now = Instant::now();
        if let Some(index) = state.again.iter().position(|(due, _)| *due <= now) {
            let (_, record) = state.again.swap_remove(index);
            state.redelivered += 1;
            return Step::Take(state.take(record));
        }
        loop {
            while let Some(record) = state.ahead.pop_front() {
                if state.done.open_from(record.position) == record.position {
                    if record.position < state.given {
                        state.redelivered += 1;
                    }
                    note_moved(&self.log, &mut state);
                    return Step::Take(state.take(record));
                }
            }
            let position = state.done.open_from(state.reading);
            match self.log.ahead(position) {
                Ahead::Nothing => return Step::Wait(state.again.iter().map(|(due, _)| *due).min()),
                Ahead::OnDisk => return Step::Read(position, state.spot),
                Ahead::Records(records) => {
                    state.reading = records.last().map_or(position, |last| last.position + 1);
                    state.spot = None;
                    state.ahead.extend(records);
                }
            }
        }
    }

    /// Takes in what was read from files. Positions that are missing are lost.
    fn put(&self, from: u64, chunk: Chunk) {
        let mut state = self.state();
        let mut expected = from;
        for record in &chunk.records {
            state.lose(expected, record.position);
            expected = record.position + 1;
        }
        state.lose(expected, chunk.next);
        state.reading = chunk.next;
        state.spot = chunk.spot;
        state.ahead.extend(chunk.records);
    }

    async fn read(&self, position: u64, spot: Option<Spot>) {
        let log = Arc::clone(&self.log);
        let read = tokio::task::spawn_blocking(move || log.read(position, spot)).await;
        match read.map_err(io::Error::other).and_then(|read| read) {
            Ok(chunk) => self.put(position, chunk),
            Err(error) => {
                let (channel, subscription) = (&self.log.channel, &self.subscription);
                tracing::error!(channel, subscription, %error, "stored events cannot be read");
                tokio::time::sleep(READ_AGAIN).await;
            }
        }
    }

    /// Tells the writer that the place has moved.
    fn changed(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        note_moved(&self.log, &mut state);
    }

    fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.ahead = VecDeque::new();
        state.again = Vec::new();
        drop(state);
        self.arrived.notify_one();
    }
}

/// Notes that a place has to be written; the writer hears of it once.
fn note_moved(log: &FileLog, state: &mut State) {
    if !std::mem::replace(&mut state.moved, true) {
        log.moved();
    }
}

impl State {
    fn take(&mut self, record: Record) -> Taken {
        let (event, position) = (Arc::clone(&record.event), record.position);
        self.given = self.given.max(position + 1);
        self.in_flight.insert(position, record);
        Taken { event, position }
    }

    fn lose(&mut self, first: u64, end: u64) {
        if first < end {
            self.lost += self.done.open_between(first, end);
            self.done.add(first, end);
            self.moved = true;
        }
    }

    fn oldest(&self) -> Option<SystemTime> {
        let in_flight = self.in_flight.values().next().map(|record| record.time);
        let ahead = self.ahead.front().map(|record| record.time);
        in_flight.into_iter().chain(ahead).chain(self.again.iter().map(|(_, record)| record.time)).min()
    }
}

impl Cursor for FileCursor {
    fn next(&self) -> BoxFuture<'_, Option<Taken>> {
        async {
            loop {
                match self.step() {
                    Step::Take(taken) => return Some(taken),
                    Step::End => return None,
                    Step::Read(position, spot) => self.read(position, spot).await,
                    Step::Wait(None) => self.arrived.notified().await,
                    Step::Wait(Some(due)) => {
                        // Either way the next step finds out what there is.
                        let _ = tokio::time::timeout_at(due, self.arrived.notified()).await;
                    }
                }
            }
        }
        .boxed()
    }

    fn ack(&self, position: u64) {
        self.changed(|state| {
            state.in_flight.remove(&position);
            state.done.add(position, position + 1);
        });
    }

    fn give_back(&self, position: u64, after: Duration) {
        self.changed(|state| {
            if let Some(record) = state.in_flight.remove(&position).filter(|_| !state.ended) {
                state.again.push((Instant::now() + after, record));
            }
        });
        self.arrived.notify_one();
    }

    fn figures(&self) -> Figures {
        let state = self.state();
        let end = self.log.end();
        let open = usize::try_from(state.done.open_between(0, end)).unwrap_or(usize::MAX);
        let oldest = state.oldest().or_else(|| {
            let position = state.done.open_from(state.reading);
            (position < end).then(|| self.log.time_of(position)).flatten()
        });
        Figures {
            queued: open.saturating_sub(state.in_flight.len()),
            in_flight: state.in_flight.len(),
            redelivered: state.redelivered,
            lost: state.lost,
            oldest,
        }
    }

    fn is_idle(&self) -> bool {
        self.state().in_flight.is_empty()
    }

    fn stop(&self) {
        self.end();
    }

    fn close(&self) -> usize {
        self.end();
        self.log.forget(&self.subscription);
        let open = self.state().done.open_between(0, self.log.end());
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(error)) = file.map(std::fs::remove_file) {
            let (channel, subscription) = (&self.log.channel, &self.subscription);
            tracing::warn!(channel, subscription, %error, "the place of the subscription is not removed");
        }
        self.log.moved();
        usize::try_from(open).unwrap_or(usize::MAX)
    }
}
