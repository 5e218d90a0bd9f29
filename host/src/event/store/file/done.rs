//! Which positions a subscription is done with.

use std::collections::BTreeMap;

/// All positions below one, and ranges above it. There are no more ranges than events in flight, and one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Done {
    below: u64,
    /// By their first position, the position after their last; apart from one another, and above `below`.
    ranges: BTreeMap<u64, u64>,
}

impl Done {
    /// All positions below this one.
    pub(super) fn below(position: u64) -> Self {
        Self { below: position, ranges: BTreeMap::new() }
    }

    /// The lowest position that it is not done with.
    pub(super) fn lowest_open(&self) -> u64 {
        self.below
    }

    /// Adds the positions from `first` to before `end`.
    pub(super) fn add(&mut self, first: u64, end: u64) {
        if first >= end || end <= self.below {
            return;
        }
        let (mut first, mut end) = (first.max(self.below), end);
        let touching: Vec<u64> = self
            .ranges
            .range(..=end)
            .rev()
            .take_while(|(_, other)| **other >= first)
            .map(|(start, _)| *start)
            .collect();
        for start in touching {
            if let Some(other) = self.ranges.remove(&start) {
                (first, end) = (first.min(start), end.max(other));
            }
        }
        if first == self.below {
            self.below = end;
        } else {
            self.ranges.insert(first, end);
        }
    }

    /// The first position from this one on that it is not done with.
    pub(super) fn open_from(&self, position: u64) -> u64 {
        let position = position.max(self.below);
        match self.ranges.range(..=position).next_back() {
            Some((_, end)) if *end > position => *end,
            _ => position,
        }
    }

    /// How many positions from `first` to before `end` it is not done with.
    pub(super) fn open_between(&self, first: u64, end: u64) -> u64 {
        let first = first.max(self.below);
        let overlaps = self.ranges.iter().map(|(start, stop)| (*stop).min(end).saturating_sub((*start).max(first)));
        end.saturating_sub(first).saturating_sub(overlaps.sum())
    }

    /// The position after the highest that it is done with.
    pub(super) fn end(&self) -> u64 {
        self.ranges.values().next_back().copied().unwrap_or(self.below)
    }

    /// The ranges above [`lowest_open`](Self::lowest_open), in order.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(first, end)| (*first, *end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn acknowledgements_out_of_order_close_up() {
        let mut done = Done::below(10);
        done.add(12, 13);
        done.add(11, 12);
        assert_eq!((done.lowest_open(), done.ranges().collect::<Vec<_>>()), (10, vec![(11, 13)]));
        assert_eq!((done.open_from(10), done.open_from(11), done.end()), (10, 13, 13));
        done.add(10, 11);
        assert_eq!((done.lowest_open(), done.ranges().count(), done.open_between(0, 15)), (13, 0, 2));
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_positions(pairs in proptest::collection::vec((0u64..60, 0u64..8), 0..40)) {
            let (mut done, mut set) = (Done::below(5), (0..5).collect::<BTreeSet<u64>>());
            for (first, length) in pairs {
                done.add(first, first + length);
                set.extend(first..first + length);
            }
            let open = |from: u64| (from..).find(|position| !set.contains(position)).unwrap();
            prop_assert_eq!(done.lowest_open(), open(0));
            for position in 0..70 {
                prop_assert_eq!(done.open_from(position), open(position));
            }
            for (first, end) in [(0, 100), (7, 30), (20, 21), (30, 7)] {
                let open = (first..end).filter(|position| !set.contains(position)).count() as u64;
                prop_assert_eq!(done.open_between(first, end), open);
            }
            let ends: Vec<u64> = done.ranges().flat_map(|(first, end)| [first, end]).collect();
            prop_assert!(ends.is_sorted_by(|one, other| one < other), "{:?}", ends);
        }
    }
}
