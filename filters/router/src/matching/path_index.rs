//! Finds the entries that a path fits.

use super::expressions::Expressions;
use super::tree::{Reach, Tree};
use crate::text::Pattern;

/// What is known of an entry's pattern for the path when it is asked for its other conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The path fits.
    Path,
    /// It must still be compared.
    Nothing,
}

/// Patterns for paths, by number; the smaller the number, the sooner an entry is tried.
#[derive(Debug)]
pub struct PathIndex {
    texts: Tree,
    /// In lower case.
    any_case: Tree,
    expressions: Expressions,
    /// Those that take every path.
    every_path: Vec<usize>,
}

impl PathIndex {
    /// An index over patterns, which come by rising number; none takes every path.
    pub fn build<'a>(patterns: impl Iterator<Item = (usize, Option<&'a Pattern>)>) -> Self {
        let (mut texts, mut any_case) = (Tree::new(), Tree::new());
        let (mut expressions, mut every_path) = (Vec::new(), Vec::new());
        for (entry, pattern) in patterns {
            match pattern {
                None | Some(Pattern::Present) => every_path.push(entry),
                Some(Pattern::Exact(text)) => texts.insert(text.as_bytes(), Reach::Exact, entry),
                Some(Pattern::Prefix(text)) => texts.insert(text.as_bytes(), Reach::Prefix, entry),
                Some(Pattern::Segments(text)) => texts.insert(text.as_bytes(), Reach::Segments, entry),
                Some(Pattern::ExactAnyCase(text)) => any_case.insert(&lower(text), Reach::Exact, entry),
                Some(Pattern::PrefixAnyCase(text)) => any_case.insert(&lower(text), Reach::Prefix, entry),
                Some(Pattern::Regex(_, text)) => expressions.push((text.as_str(), entry)),
            }
        }
        texts.shrink();
        every_path.shrink_to_fit();
        Self { texts, any_case, expressions: Expressions::build(&expressions), every_path }
    }

    /// The smallest entry that a path fits and for which `holds` is true. `holds` is asked for as few entries as
    /// possible, in no certain order.
    pub fn first(&self, path: &str, mut holds: impl FnMut(usize, Checked) -> bool) -> Option<usize> {
        let mut best = usize::MAX;
        let mut follow = |entries: &[usize], checked| {
            let better = entries.iter().take_while(|&&entry| entry < best);
            if let Some(entry) = better.into_iter().find(|&&entry| holds(entry, checked)) {
                best = *entry;
            }
        };
        self.texts.walk(path.as_bytes(), |entries| follow(entries, Checked::Path));
        if !self.any_case.is_empty() {
            self.any_case.walk(&lower(path), |entries| follow(entries, Checked::Path));
        }
        self.expressions.walk(path, |entries, known| {
            follow(entries, if known { Checked::Path } else { Checked::Nothing });
        });
        follow(&self.every_path, Checked::Path);
        (best < usize::MAX).then_some(best)
    }
}

fn lower(text: &str) -> Vec<u8> {
    text.as_bytes().to_ascii_lowercase()
}
