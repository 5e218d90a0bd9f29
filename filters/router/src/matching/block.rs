//! All that one match asks of a request.

use super::condition::Condition;
use super::position::Specificity;
use crate::text::Pattern;
use crate::view::View;
use std::collections::BTreeSet;

/// Conditions that must all hold.
#[derive(Debug, Default)]
pub struct Block {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Why no request can match it, where that is known when it is loaded.
    pub impossible: Option<String>,
    /// What the path without the query must be; none takes every path.
    pub path: Option<Pattern>,
    /// Everything else, the cheapest to decide first.
    pub conditions: Vec<Condition>,
    /// The only gateways that it counts on, where it is restricted to some of its document's.
    pub gateways: Option<Vec<String>>,
    /// Its precedence, for resources that have one.
    pub specificity: Specificity,
}

/// What matched the path, which decides what a rewrite replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathMatch {
    /// This many bytes at the start.
    Prefix(usize),
    /// The whole path.
    Whole,
}

impl Block {
    /// A block that every request matches.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Whether a request matches.
    pub fn matches(&self, view: &View<'_>) -> bool {
        self.impossible.is_none() && self.path_matches(view.path()) && self.matches_beside_path(view)
    }

    /// Whether a path fits.
    pub fn path_matches(&self, path: &str) -> bool {
        self.path.as_ref().is_none_or(|pattern| pattern.matches(path.as_bytes()))
    }

    /// Whether everything but the path fits.
    pub fn matches_beside_path(&self, view: &View<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(view))
    }

    /// Why a request does not match, or nothing when it does.
    pub fn objection(&self, view: &View<'_>) -> Option<String> {
        if let Some(reason) = &self.impossible {
            return Some(reason.clone());
        }
        if let Some(pattern) = self.path.as_ref().filter(|pattern| !pattern.matches(view.path().as_bytes())) {
            return Some(format!("path {} {}", view.path(), pattern.unlike()));
        }
        let failing = self.conditions.iter().find(|condition| !condition.holds(view))?;
        Some(failing.objection(view))
    }

    /// Whether it counts where its document is attached through these gateways; none at all stand for any.
    pub fn counts_through(&self, through: &BTreeSet<String>) -> bool {
        let restricted = self.gateways.as_ref().filter(|_| !through.is_empty());
        restricted.is_none_or(|gateways| gateways.iter().any(|gateway| through.contains(gateway)))
    }

    /// What a rewrite of the path replaces. Without a condition on the path it is the `/` at its start.
    pub fn path_match(&self) -> PathMatch {
        match &self.path {
            None => PathMatch::Prefix(1),
            Some(Pattern::Prefix(prefix) | Pattern::PrefixAnyCase(prefix) | Pattern::Segments(prefix)) => {
                PathMatch::Prefix(prefix.len())
            }
            Some(_) => PathMatch::Whole,
        }
    }

    /// Whether every request matches: nothing is asked of it but a path that all paths are.
    pub fn is_catch_all(&self) -> bool {
        let every_path = match &self.path {
            None => true,
            Some(Pattern::Prefix(prefix) | Pattern::PrefixAnyCase(prefix)) => prefix.is_empty() || prefix == "/",
            Some(Pattern::Segments(prefix)) => prefix.is_empty(),
            Some(Pattern::Regex(_, text)) => text == ".*",
            Some(_) => false,
        };
        every_path && self.conditions.is_empty() && self.impossible.is_none()
    }
}
