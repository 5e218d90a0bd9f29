//! How much memory and how many table elements an instance may have, all its memories and tables together.

use super::bound::Bound;
use super::memory::GuestMemory;
use super::meter::Meter;
use std::sync::Arc;
use wasmtime::ResourceLimiter;

/// Bounds an instance's memories and tables, and remembers what it refused.
#[derive(Debug)]
pub(super) struct Room {
    memory: Share,
    table: Share,
    /// What was asked for in vain last, in bytes. Only a call that fails is told.
    pub(super) memory_refused: Option<usize>,
    /// The same in elements.
    pub(super) table_refused: Option<usize>,
    /// Whether memory was asked for that it may have, and that others have.
    pub(super) crowded: bool,
    meter: Arc<Meter>,
    /// Of all instances of the process.
    all: Arc<GuestMemory>,
}

/// What several of a kind have together.
#[derive(Debug)]
struct Share {
    limit: usize,
    used: usize,
}

impl Share {
    /// What the growth of one of them would add, or how much there would be if that is too much.
    fn growth(&self, current: usize, desired: usize, maximum: Option<usize>) -> Result<usize, usize> {
        let more = desired.saturating_sub(current);
        let after = self.used.saturating_add(more);
        if after > self.limit {
            return Err(after);
        }
        // More than its own type allows the engine will not do.
        Ok(if maximum.is_none_or(|maximum| desired <= maximum) { more } else { 0 })
    }
}

impl Room {
    /// So many bytes and table elements.
    pub(super) fn new((memory, table): (usize, usize), meter: Arc<Meter>, all: Arc<GuestMemory>) -> Self {
        let share = |limit| Share { limit, used: 0 };
        let (memory, table) = (share(memory), share(table));
        Self { memory, table, memory_refused: None, table_refused: None, crowded: false, meter, all }
    }

    /// What its memories have together, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.memory.used
    }

    /// Begins another call.
    pub(super) fn forget(&mut self) {
        (self.memory_refused, self.table_refused, self.crowded) = (None, None, false);
    }
}

impl Drop for Room {
    /// The instance is gone.
    fn drop(&mut self) {
        self.all.give(self.memory.used);
    }
}

/// What is granted stays so: the engine also says of growth that it has failed of which nobody was asked, and a guest could make
/// room for itself with that.
impl ResourceLimiter for Room {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        match self.memory.growth(current, desired, maximum) {
            Err(wanted) => {
                self.memory_refused = Some(wanted);
                self.meter.refusals.count(Bound::Memory);
                Ok(false)
            }
            Ok(more) if !self.all.take(more) => {
                self.crowded = true;
                self.meter.refusals.count(Bound::FilterMemory);
                Ok(false)
            }
            Ok(more) => {
                self.memory.used += more;
                Ok(true)
            }
        }
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        match self.table.growth(current, desired, maximum) {
            Err(wanted) => {
                self.table_refused = Some(wanted);
                self.meter.refusals.count(Bound::Table);
                Ok(false)
            }
            Ok(more) => {
                self.table.used += more;
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_memories_share_what_there_is() {
        let meter = Arc::<Meter>::default();
        let mut room = Room::new((100, 10), Arc::clone(&meter), Arc::new(GuestMemory::of(1_000)));
        assert!(room.memory_growing(0, 60, None).unwrap());
        assert!(room.memory_growing(0, 40, None).unwrap(), "another memory");
        assert!(!room.memory_growing(40, 41, None).unwrap());
        assert_eq!((room.memory_refused, meter.refusals.of(Bound::Memory)), (Some(101), 1));
        assert!(room.table_growing(0, 10, None).unwrap() && !room.table_growing(0, 1, None).unwrap());
        assert_eq!((room.table_refused, meter.refusals.of(Bound::Table)), (Some(11), 1));
    }

    #[test]
    fn instances_share_what_the_process_has_and_give_it_back() {
        let (all, meter) = (Arc::new(GuestMemory::of(150)), Arc::<Meter>::default());
        let room = || Room::new((100, 10), Arc::clone(&meter), Arc::clone(&all));
        let (mut one, mut other) = (room(), room());
        assert!(one.memory_growing(0, 90, None).unwrap() && other.memory_growing(0, 60, None).unwrap());
        assert!(!other.memory_growing(60, 61, None).unwrap());
        let counted = (meter.refusals.of(Bound::FilterMemory), meter.refusals.of(Bound::Memory));
        assert_eq!((other.crowded, other.memory_refused, counted), (true, None, (1, 0)));
        assert!(!other.memory_growing(60, 101, None).unwrap(), "its own limit comes first");
        assert_eq!((other.memory_refused, all.used()), (Some(101), 150));
        drop(one);
        assert!(other.memory_growing(60, 100, None).unwrap());
        drop(other);
        assert_eq!(all.used(), 0);
    }

    #[test]
    fn growth_beyond_its_own_type_counts_nothing_and_makes_no_room() {
        let mut room = Room::new((100, 10), Arc::default(), Arc::new(GuestMemory::of(1_000)));
        assert!(room.memory_growing(0, 50, Some(60)).unwrap());
        assert!(room.memory_growing(50, 100, Some(60)).unwrap(), "which the engine refuses itself");
        assert!(room.memory_growing(0, 50, None).unwrap(), "another memory");
        room.memory_grow_failed(wasmtime::Error::msg("more than its type allows")).unwrap();
        assert!(!room.memory_growing(0, 1, None).unwrap());
    }
}
