//! What became of versions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Entries of one filter: a day of work on it.
const ENTRIES: usize = 64;

/// What happened to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is in full force; it may still be watched.
    InForce,
    /// It runs beside the version in force, without effect.
    Shadow,
    /// It decides on a share of requests.
    Canary,
    /// It has been watched long enough.
    Proven,
    /// It is not used any more, as it was worse.
    RolledBack,
    /// Another came before it was in full force.
    Superseded,
    /// It stays whatever its file says.
    Pinned,
    /// It does not any more.
    Unpinned,
}

impl Event {
    /// A stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::Shadow => "shadow",
            Self::Canary => "canary",
            Self::Proven => "proven",
            Self::RolledBack => "rolled-back",
            Self::Superseded => "superseded",
            Self::Pinned => "pinned",
            Self::Unpinned => "unpinned",
        }
    }
}

/// A decision that differs between two versions. Without values of headers, which may be secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The request's id.
    pub request: String,
    /// What differs, such as `status`.
    pub what: String,
    /// In the version in force.
    pub live: String,
    /// In the new one.
    pub shadow: String,
}

/// One line of a filter's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: SystemTime,
    /// What.
    pub event: Event,
    /// As its manifest says.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// Whether only its settings or documents differ from those of the version before.
    pub configuration_only: bool,
    /// Why, in a sentence.
    pub reason: String,
    /// Some of the decisions that differed.
    pub differences: Vec<Difference>,
}

/// The histories of all filters, by name.
#[derive(Debug, Default)]
pub struct Histories(Mutex<BTreeMap<String, VecDeque<Entry>>>);

impl Histories {
    /// Adds a line.
    pub fn add(&self, filter: &str, entry: Entry) {
        let mut histories = self.lock();
        let entries = histories.entry(filter.to_owned()).or_default();
        if entries.len() == ENTRIES {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// The lines of one filter or of all, the latest last.
    pub fn of(&self, filter: Option<&str>) -> Vec<(String, Vec<Entry>)> {
        let histories = self.lock();
        let wanted = histories.iter().filter(|(name, _)| filter.is_none_or(|filter| filter == name.as_str()));
        wanted.map(|(name, entries)| (name.clone(), entries.iter().cloned().collect())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_lines_are_kept() {
        let histories = Histories::default();
        for number in 0..=ENTRIES {
            let entry = Entry {
                at: SystemTime::UNIX_EPOCH,
                event: Event::InForce,
                version: String::new(),
                digest: number.to_string(),
                configuration_only: false,
                reason: String::new(),
                differences: Vec::new(),
            };
            histories.add("auth", entry);
        }
        let lines = &histories.of(Some("auth"))[0].1;
        assert_eq!((lines.len(), lines[0].digest.as_str()), (ENTRIES, "1"));
        assert!(histories.of(Some("other")).is_empty());
    }
}
