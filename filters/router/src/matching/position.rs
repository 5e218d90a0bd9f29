//! Which candidate is tried before which.

/// How specific a block is, for resources whose rules go by precedence: the smaller number wins, field by field. The
/// default is for resources whose rules are taken in the order in which they are written.
///
/// Lengths and counts, where the larger is more specific, are turned round by [`Self::by`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity([u32; 6]);

impl Specificity {
    /// Ranks by criteria of which the first counts most, and of each the larger number wins. All ranks made by this come
    /// after the default.
    pub fn by(criteria: [u32; 5]) -> Self {
        let [first, second, third, fourth, fifth] = criteria.map(|criterion| u32::MAX - criterion);
        Self([1, first, second, third, fourth, fifth])
    }

    /// The same with another first criterion, for what is only known where a block stands: its host.
    #[must_use]
    pub fn with_first(self, criterion: u32) -> Self {
        let Self([kind, _, second, third, fourth, fifth]) = self;
        Self([kind, u32::MAX - criterion, second, third, fourth, fifth])
    }

    /// Whether it says that rules are taken in the order in which they are written.
    pub fn is_written_order(self) -> bool {
        self == Self::default()
    }
}

/// A candidate's place among all of its host. The smaller is tried first; no two candidates share one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Whether it comes after all that is not: what takes every request, where documents add up.
    pub last: bool,
    /// By precedence, for resources that have one.
    pub specificity: Specificity,
    /// The document's rank by age, the oldest first.
    pub document: usize,
    /// The rule's place in its document.
    pub rule: usize,
    /// The block's place in its rule.
    pub block: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_in_order_come_by_document_rule_and_block() {
        let at = |last, document, rule, block| Position { last, document, rule, block, ..Position::default() };
        let sorted =
            [at(false, 0, 0, 0), at(false, 0, 0, 1), at(false, 0, 1, 0), at(false, 1, 0, 0), at(true, 0, 0, 0)];
        assert!(sorted.is_sorted());
    }

    #[test]
    fn more_of_an_earlier_criterion_wins_over_any_later_one_and_over_age() {
        let young = Position { specificity: Specificity::by([2, 0, 0, 0, 0]), document: 9, ..Position::default() };
        let old = Position { specificity: Specificity::by([1, 7, 7, 7, 7]), document: 0, ..Position::default() };
        assert!(young < old);
        assert!(Position { document: 99, ..Position::default() } < young, "what goes by order comes first");
    }
}
