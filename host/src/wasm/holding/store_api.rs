//! Capability `store`, as a guest calls it.

use super::super::bindings::sluicegate::filter::store::{self, Host, Refusal, SwapRefusal};
use super::super::bound::Bound;
use super::super::host_api::State;
use super::{Entry, Full, Space, Swap};
use crate::config::limits;
use bytes::Bytes;
use std::time::{Duration, Instant};
use wasmtime::Result;

/// What a guest is told.
type Told<T, E> = Result<std::result::Result<T, E>>;

impl Host for State {
    fn get(&mut self, key: String) -> Result<Option<store::Entry>> {
        let now = Instant::now();
        Ok(self.access.holding.entries.get(&key, now).map(|entry| shown(&entry, now)))
    }

    fn set(&mut self, key: String, value: Vec<u8>, lifetime: Option<u64>) -> Told<u64, Refusal> {
        Ok(self.fits(&key).and_then(|()| {
            let now = Instant::now();
            let value = (Bytes::from(value), end(now, lifetime));
            let written = self.access.holding.entries.set(&key, value, self.space(), self.at(now));
            written.map_err(|full| self.full(full))
        }))
    }

    fn delete(&mut self, key: String) -> Result<bool> {
        Ok(self.access.holding.entries.delete(&key, self.at(Instant::now())))
    }

    fn swap(
        &mut self,
        key: String,
        expected: Option<u64>,
        value: Vec<u8>,
        lifetime: Option<u64>,
    ) -> Told<u64, SwapRefusal> {
        if let Err(refusal) = self.fits(&key) {
            return Ok(Err(SwapRefusal::Refused(refusal)));
        }
        let now = Instant::now();
        let value = (Bytes::from(value), end(now, lifetime));
        let swapped = self.access.holding.entries.swap((&key, expected), value, self.space(), self.at(now));
        Ok(swapped.map_err(|refused| match refused {
            Swap::Changed(there) => SwapRefusal::Changed(there.map(|entry| shown(&entry, now))),
            Swap::Full(full) => SwapRefusal::Refused(self.full(full)),
        }))
    }
}

impl State {
    fn space(&self) -> Space {
        Space { bytes: self.bounds.store_bytes, keys: self.bounds.store_keys }
    }

    /// The time, and whether nothing may come of the call.
    fn at(&self, now: Instant) -> (Instant, bool) {
        (now, !self.access.effective)
    }

    fn fits(&self, key: &str) -> std::result::Result<(), Refusal> {
        if key.len() <= limits::FILTER_STORE_KEY {
            return Ok(());
        }
        self.meter.refusals.count(Bound::StoreBytes);
        Err(Refusal::Key)
    }

    /// Counts that there was no room.
    fn full(&self, full: Full) -> Refusal {
        let (bound, refusal) = match full {
            Full::Keys => (Bound::StoreKeys, Refusal::Keys),
            Full::Bytes => (Bound::StoreBytes, Refusal::Bytes),
        };
        self.meter.refusals.count(bound);
        refusal
    }
}

/// When a value that is written now is no more; one that lives longer than there is time lives for ever.
fn end(now: Instant, lifetime: Option<u64>) -> Option<Instant> {
    now.checked_add(Duration::from_millis(lifetime?))
}

fn shown(entry: &Entry, now: Instant) -> store::Entry {
    let remaining = entry.expires.map(|expires| expires.saturating_duration_since(now).as_millis());
    store::Entry {
        value: entry.value.to_vec(),
        version: entry.version,
        remaining: remaining.map(|milliseconds| u64::try_from(milliseconds).unwrap_or(u64::MAX)),
    }
}
