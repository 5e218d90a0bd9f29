//! What an `Overload` document comes to. Immutable; a snapshot holds one.

use super::memory::MemoryPolicy;
use super::rules::Rules;
use super::{clients::ClientLimits, room};
use crate::config::limits;
use crate::priority::Priority;
use crate::upstream::adaptive::{Bounds, Load};

/// How much is taken in, and in which order it is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Requests in flight, for all priorities together.
    pub requests: usize,
    /// When memory counts as short.
    pub memory: MemoryPolicy,
    /// The adaptive limits of services; none has no such limits.
    pub services: Option<Bounds>,
    /// What one client may do.
    pub clients: ClientLimits,
    /// What tells requests apart.
    pub rules: Rules,
    rooms: [usize; Priority::ALL.len()],
}

impl Default for Policy {
    /// Without a document: a fixed limit, and the memory that the system says there is.
    fn default() -> Self {
        Self::new(limits::IN_FLIGHT, MemoryPolicy::default(), None, ClientLimits::default(), Rules::default())
    }
}

impl Policy {
    /// Puts it together.
    pub fn new(
        requests: usize,
        memory: MemoryPolicy,
        services: Option<Bounds>,
        clients: ClientLimits,
        rules: Rules,
    ) -> Self {
        let rooms = Priority::ALL.map(|priority| room(requests, priority, rules.tell_apart()));
        Self { requests, memory, services, clients, rules, rooms }
    }

    /// How many requests may be in flight for one more of this priority to be taken.
    pub fn room(&self, priority: Priority) -> usize {
        self.rooms.get(priority as usize).copied().unwrap_or(self.requests)
    }

    /// How a request is held against the limit of its service.
    pub fn load(&self, priority: Priority) -> Load {
        let share = if self.rules.tell_apart() { priority.share() } else { 100 };
        Load { bounds: self.services, priority, share }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::Rule;
    use super::*;

    #[test]
    fn without_rules_everyone_may_fill_the_limit() {
        let policy = Policy::default();
        assert!(Priority::ALL.iter().all(|priority| policy.room(*priority) == limits::IN_FLIGHT));
        assert_eq!(policy.load(Priority::Normal).share, 100);
    }

    #[test]
    fn with_rules_each_priority_has_room_above_the_one_below() {
        let rules = Rules { rules: vec![Rule::new(Priority::Low)], ..Rules::default() };
        let policy = Policy::new(10, MemoryPolicy::default(), None, ClientLimits::default(), rules.clone());
        assert_eq!(Priority::ALL.map(|priority| policy.room(priority)), [6, 8, 10, 13]);
        let one = Policy::new(1, MemoryPolicy::default(), None, ClientLimits::default(), rules);
        assert_eq!(Priority::ALL.map(|priority| one.room(priority)), [1, 1, 1, 2]);
    }
}
