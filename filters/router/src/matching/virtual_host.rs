//! The candidates of one host.

use super::block::Block;
use super::path_index::{Checked, PathIndex};
use super::position::Position;
use crate::view::View;

/// One block of one rule of one document, by number.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Where it stands among the others.
    pub position: Position,
    /// The document's number.
    pub document: usize,
    /// The rule's number in the document.
    pub rule: usize,
    /// The block's number in the rule.
    pub block: usize,
}

/// All candidates of a host, in order, and what finds them.
#[derive(Debug)]
pub struct VirtualHost {
    candidates: Vec<Candidate>,
    index: PathIndex,
}

impl VirtualHost {
    /// Puts candidates together; `block` tells what stands behind one.
    pub fn build<'a>(mut candidates: Vec<Candidate>, block: impl Fn(Candidate) -> Option<&'a Block>) -> Self {
        candidates.sort_unstable_by_key(|candidate| candidate.position);
        candidates.shrink_to_fit();
        let possible = candidates.iter().enumerate().filter_map(|(number, candidate)| {
            let block = block(*candidate).filter(|block| block.impossible.is_none())?;
            Some((number, block.path.as_ref()))
        });
        let index = PathIndex::build(possible);
        Self { candidates, index }
    }

    /// All candidates, in the order in which they stand.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The first candidate that a request matches.
    pub fn find<'a>(&self, view: &View<'_>, block: impl Fn(Candidate) -> Option<&'a Block>) -> Option<Candidate> {
        let holds = |number: usize, checked| {
            let block = self.candidates.get(number).and_then(|candidate| block(*candidate));
            block.is_some_and(|block| match checked {
                Checked::Path => block.matches_beside_path(view),
                Checked::Nothing => block.path_matches(view.path()) && block.matches_beside_path(view),
            })
        };
        self.candidates.get(self.index.first(view.path(), holds)?).copied()
    }
}
