//! The file with a subscription's place: a line of JSON that is replaced as a whole.

use super::done::Done;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What files of places end in.
pub(super) const EXTENSION: &str = "place";

/// How far a subscription is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// `NAMESPACE/NAME` of the subscription.
    pub(super) subscription: String,
    /// It is done with all positions below.
    below: u64,
    /// And with these: from the first to before the second.
    #[serde(default)]
    ranges: Vec<(u64, u64)>,
    /// Nothing at or above this position was given out.
    pub(super) given: u64,
}

impl Place {
    /// Of a subscription that is done with these, and to which nothing from `given` on was given.
    pub(super) fn new(subscription: &str, done: &Done, given: u64) -> Self {
        let ranges = done.ranges().collect();
        Self { subscription: subscription.to_owned(), below: done.lowest_open(), ranges, given }
    }

    /// What it is done with.
    pub(super) fn done(&self) -> Done {
        let mut done = Done::below(self.below);
        self.ranges.iter().for_each(|(first, end)| done.add(*first, *end));
        done
    }

    /// Reads a file; none when there is none.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file. It survives the process, and the machine too when it is `synced`.
    pub(super) fn write(&self, path: &Path, synced: bool) -> io::Result<()> {
        let draft = path.with_extension("draft");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(self).map_err(io::Error::other)?)?;
        if synced {
            file.sync_all()?;
        }
        fs::rename(&draft, path)?;
        match path.parent() {
            Some(directory) if synced => super::sync_directory(directory),
            _ => Ok(()),
        }
    }
}

/// The files of places in a directory.
pub(super) fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let paths: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION)).collect())
}
