//! Steps of a publisher, a subscription and a machine that fails, on the store of events in files.
//!
//! The first byte says how much room there is. Each one after it is a step: `p` publishes one event, `P` three at once;
//! `t` takes one, `a` acknowledges the oldest in flight, `z` the latest, `g` gives the oldest back; `c` is a crash and
//! `e` an end in good order, both with a start after; other bytes count as one of these.
//!
//! - An event that was taken in comes until it is acknowledged, whatever happens, and nothing else does.
//! - What was acknowledged before an end in good order never comes again.
//! - Events that come for the first time come in the order in which they were published.

use sluicegate::fuzzing::{Files, Subscribed};
use sluicegate::wasm::types::Event;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Steps of one input: each end of the store takes about a millisecond.
const STEPS: usize = 48;
/// No event takes that long to come from a disk.
const PATIENCE: Duration = Duration::from_secs(20);
const KINDS: &[u8] = b"pPtazgce";

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let Some((room, steps)) = bytes.split_first() else { return };
    let room = if room.is_multiple_of(2) { 64 << 20 } else { 4 << 10 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("there is no runtime: {error}"));
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("there is no directory: {error}"));
    let mut machine = Machine::start(directory.path(), room, &runtime);
    for step in steps.iter().take(STEPS) {
        let kind = if KINDS.contains(step) { *step } else { KINDS[usize::from(*step) % KINDS.len()] };
        machine.step(kind);
    }
    machine.end();
    machine.take_all();
}

struct Machine<'a> {
    directory: &'a Path,
    room: u64,
    runtime: &'a Runtime,
    running: Option<(Files, Subscribed)>,
    known: Known,
}

/// What must be so.
#[derive(Debug, Default)]
struct Known {
    next: u32,
    /// Those that were taken in and not acknowledged.
    open: BTreeSet<u32>,
    /// Those that were acknowledged since the last start.
    done: BTreeSet<u32>,
    /// Those that were acknowledged before a crash, and have not come again since: they may.
    perhaps: BTreeSet<u32>,
    /// Those that are in flight, in the order in which they came.
    in_flight: Vec<(u64, u32)>,
    /// The latest that came.
    latest: Option<u32>,
}

impl<'a> Machine<'a> {
    fn start(directory: &'a Path, room: u64, runtime: &'a Runtime) -> Self {
        let mut machine = Self { directory, room, runtime, running: None, known: Known::default() };
        machine.open();
        machine
    }

    fn open(&mut self) {
        let files = Files::open(self.directory, self.room).unwrap_or_else(|error| panic!("it does not open: {error}"));
        let subscribed = files.subscribe("shop/stock").unwrap_or_else(|error| panic!("no subscription: {error}"));
        self.running = Some((files, subscribed));
    }

    fn parts(&self) -> (&Files, &Subscribed) {
        let (files, subscribed) = self.running.as_ref().unwrap_or_else(|| panic!("it is not running"));
        (files, subscribed)
    }

    fn step(&mut self, kind: u8) {
        match kind {
            b'p' => self.publish(1),
            b'P' => self.publish(3),
            b't' => self.take(),
            b'a' => self.finish(false),
            b'z' => self.finish(true),
            b'g' => self.give_back(),
            b'c' => {
                self.running = None;
                self.known.perhaps.append(&mut self.known.done);
                self.restarted();
            }
            _ => self.end(),
        }
    }

    fn publish(&mut self, count: u32) {
        let ids = self.known.next..self.known.next + count;
        self.known.next += count;
        let published = self.runtime.block_on(self.parts().0.publish(ids.clone().map(event).collect()));
        match published {
            Ok(()) => self.known.open.extend(ids),
            Err(reason) => assert!(reason.contains("bytes") && self.room < 64 << 20, "{reason}"),
        }
    }

    fn take(&mut self) {
        let (queued, _) = self.parts().1.waiting();
        if queued == 0 {
            return;
        }
        let next = async { tokio::time::timeout(PATIENCE, self.parts().1.next()).await };
        let taken = self.runtime.block_on(next).ok().flatten();
        let (position, event) = taken.unwrap_or_else(|| panic!("{queued} wait and none comes: {:?}", self.known));
        let id = event.id.parse().unwrap_or(u32::MAX);
        assert_eq!(event.data.as_deref(), self::event(id).data.as_deref(), "it is another event");
        let known = &mut self.known;
        assert!(known.open.contains(&id) || known.perhaps.contains(&id), "{id} came: {known:?}");
        assert!(known.in_flight.iter().all(|(_, other)| *other != id), "{id} came twice: {known:?}");
        if known.perhaps.remove(&id) {
            known.open.insert(id);
        }
        let is_new = known.latest.is_none_or(|latest| id > latest);
        if is_new {
            let skipped = known.latest.map_or(0, |latest| latest + 1)..id;
            let skipped: Vec<_> = skipped.filter(|id| known.open.contains(id)).collect();
            assert!(skipped.is_empty(), "{id} came before {skipped:?}: {known:?}");
            known.latest = Some(id);
        }
        known.in_flight.push((position, id));
    }

    fn finish(&mut self, latest: bool) {
        let in_flight = &mut self.known.in_flight;
        if in_flight.is_empty() {
            return;
        }
        let (position, id) = if latest { in_flight.remove(in_flight.len() - 1) } else { in_flight.remove(0) };
        self.parts().1.ack(position);
        self.known.open.remove(&id);
        self.known.done.insert(id);
    }

    fn give_back(&mut self) {
        if !self.known.in_flight.is_empty() {
            let (position, _) = self.known.in_flight.remove(0);
            self.parts().1.give_back(position);
        }
    }

    fn end(&mut self) {
        let Some((files, subscribed)) = self.running.take() else { return };
        subscribed.stop();
        self.runtime.block_on(files.close());
        drop(subscribed);
        self.known.done.clear();
        self.restarted();
    }

    fn restarted(&mut self) {
        self.known.in_flight.clear();
        self.known.latest = None;
        self.open();
        let (queued, in_flight) = self.parts().1.waiting();
        let (least, most) = (self.known.open.len(), self.known.open.len() + self.known.perhaps.len());
        assert!((least..=most).contains(&queued) && in_flight == 0, "{queued} wait: {:?}", self.known);
    }

    /// Everything that is open comes, and nothing else.
    fn take_all(&mut self) {
        while self.parts().1.waiting().0 > 0 {
            self.take();
        }
        let came: BTreeSet<u32> = self.known.in_flight.iter().map(|(_, id)| *id).collect();
        assert_eq!(came, self.known.open, "{:?}", self.known);
    }
}

fn event(id: u32) -> Event {
    let data = Some(id.to_le_bytes().repeat(usize::try_from(id % 40).unwrap_or_default()));
    Event { data, ..Event::new(id.to_string(), "/shop", "order.placed") }
}
