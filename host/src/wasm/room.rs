//! How much memory and how many table elements an instance may have, all its memories and tables together.

use super::bound::Bound;
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
    meter: Arc<Meter>,
}

/// What several of a kind have together.
#[derive(Debug)]
struct Share {
    limit: usize,
    used: usize,
}

impl Share {
    /// Grants the growth of one of them, or says how much there would be. What is granted stays so: the engine also says of
    /// growth that it has failed of which nobody was asked, and a guest could make room for itself with that.
    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<(), usize> {
        let after = self.used.saturating_add(desired.saturating_sub(current));
        if after > self.limit {
            return Err(after);
        }
        // More than its own type allows the engine will not do.
        if maximum.is_none_or(|maximum| desired <= maximum) {
            self.used = after;
        }
        Ok(())
    }
}

impl Room {
    /// So many bytes and table elements.
    pub(super) fn new(memory: usize, table: usize, meter: Arc<Meter>) -> Self {
        let share = |limit| Share { limit, used: 0 };
        Self { memory: share(memory), table: share(table), memory_refused: None, table_refused: None, meter }
    }

    /// What its memories have together, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.memory.used
    }

    /// Begins another call.
    pub(super) fn forget(&mut self) {
        (self.memory_refused, self.table_refused) = (None, None);
    }
}

impl ResourceLimiter for Room {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let Err(wanted) = self.memory.grow(current, desired, maximum) else { return Ok(true) };
        self.memory_refused = Some(wanted);
        self.meter.refusals.count(Bound::Memory);
        Ok(false)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let Err(wanted) = self.table.grow(current, desired, maximum) else { return Ok(true) };
        self.table_refused = Some(wanted);
        self.meter.refusals.count(Bound::Table);
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_memories_share_what_there_is() {
        let meter = Arc::<Meter>::default();
        let mut room = Room::new(100, 10, Arc::clone(&meter));
        assert!(room.memory_growing(0, 60, None).unwrap());
        assert!(room.memory_growing(0, 40, None).unwrap(), "another memory");
        assert!(!room.memory_growing(40, 41, None).unwrap());
        assert_eq!((room.memory_refused, meter.refusals.of(Bound::Memory)), (Some(101), 1));
        assert!(room.table_growing(0, 10, None).unwrap() && !room.table_growing(0, 1, None).unwrap());
        assert_eq!((room.table_refused, meter.refusals.of(Bound::Table)), (Some(11), 1));
    }

    #[test]
    fn growth_beyond_its_own_type_counts_nothing_and_makes_no_room() {
        let mut room = Room::new(100, 10, Arc::default());
        assert!(room.memory_growing(0, 50, Some(60)).unwrap());
        assert!(room.memory_growing(50, 100, Some(60)).unwrap(), "which the engine refuses itself");
        assert!(room.memory_growing(0, 50, None).unwrap(), "another memory");
        room.memory_grow_failed(wasmtime::Error::msg("more than its type allows")).unwrap();
        assert!(!room.memory_growing(0, 1, None).unwrap());
    }
}
