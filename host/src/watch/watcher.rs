//! The system's events, reduced to "look now".
//!
//! Every directory that matters is watched by itself, and so are the parents through which roots and links are reached;
//! after each look the watched set is brought in line with what is there. So a directory that is replaced, or appears
//! late, or is reached over a link that is swapped, is watched again from the next look on.

use super::Signal;
use super::touched::Touched;
use super::walk::{Identity, Walk, identity};
use notify::event::{AccessKind, AccessMode, Event, EventKind, Flag, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, PoisonError, RwLock};

/// Watches directories for events.
pub(super) struct Events {
    watcher: RecommendedWatcher,
    watched: BTreeMap<PathBuf, Identity>,
    interest: Arc<RwLock<Interest>>,
}

/// Which events count. A parent such as `/tmp` may be busy with things that do not matter here.
#[derive(Default)]
struct Interest {
    directories: HashSet<PathBuf>,
    entries: HashSet<PathBuf>,
}

impl Events {
    /// Begins with nothing to watch.
    pub(super) fn new(signal: SyncSender<Signal>, touched: Arc<Touched>) -> notify::Result<Self> {
        let interest = Arc::new(RwLock::new(Interest::default()));
        let relevant = Arc::clone(&interest);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let interest = relevant.read().unwrap_or_else(PoisonError::into_inner);
            if interest.counts(&event) {
                match event {
                    Ok(mut event) if event.flag() != Some(Flag::Rescan) => {
                        // A file that was made elsewhere and moved in leaves a path behind that matters to nobody.
                        event.paths.retain(|path| interest.counts_path(path));
                        let whole = matches!(event.kind, EventKind::Modify(ModifyKind::Name(to)) if is_arrival(to));
                        touched.add(event.paths, whole);
                    }
                    _ => touched.add_everything(),
                }
                drop(interest);
                // A full channel means that a look is due already.
                let _ = signal.try_send(Signal::Look);
            }
        })?;
        Ok(Self { watcher, watched: BTreeMap::new(), interest })
    }

    /// Watches what the looks have found, and no more. Returns whether all of it could be watched, and whether there is
    /// anything new among it.
    pub(super) fn follow(&mut self, walks: &[Walk]) -> (bool, bool) {
        let mut wanted = BTreeMap::new();
        let mut interest = Interest::default();
        for walk in walks {
            // Events name files by their whole paths, however the directory was named.
            interest.directories.extend(walk.directories.keys().map(|path| absolute(path)));
            wanted.extend(walk.directories.iter().map(|(path, identity)| (path.clone(), *identity)));
            for link in &walk.links {
                if let Some((parent, identity, entry)) = nearest_parent(link) {
                    wanted.entry(parent).or_insert(identity);
                    interest.entries.insert(entry);
                }
            }
        }
        *self.interest.write().unwrap_or_else(PoisonError::into_inner) = interest;
        let gone = self.watched.iter().filter(|(path, identity)| wanted.get(*path) != Some(identity));
        for path in gone.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
            // The system has often dropped the watch itself, together with the directory.
            let _ = self.watcher.unwatch(&path);
            self.watched.remove(&path);
        }
        let (mut complete, mut more) = (true, false);
        for (path, identity) in wanted {
            if self.watched.contains_key(&path) {
                continue;
            }
            match self.watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    more = true;
                    self.watched.insert(path, identity);
                }
                Err(error) => {
                    tracing::debug!(path = %path.display(), %error, "directory cannot be watched by events");
                    complete = false;
                }
            }
        }
        (complete, more)
    }
}

impl Interest {
    fn counts(&self, event: &notify::Result<Event>) -> bool {
        let Ok(event) = event else { return true };
        match event.kind {
            // Looking opens and reads; to listen to that would never end.
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
            EventKind::Access(_) => return false,
            _ => {}
        }
        event.flag() == Some(Flag::Rescan) || event.paths.iter().any(|path| self.counts_path(path))
    }

    fn counts_path(&self, path: &Path) -> bool {
        let inside = path.parent().is_some_and(|parent| self.directories.contains(parent));
        inside || self.directories.contains(path) || self.entries.contains(path)
    }
}

/// Whether a file has come to the path that an event names last. Of the path that it has left nothing is there to be read.
fn is_arrival(rename: RenameMode) -> bool {
    matches!(rename, RenameMode::To | RenameMode::Both)
}

/// A path as events name it.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// The nearest directory above a path that exists, and its entry on the way to the path.
fn nearest_parent(path: &Path) -> Option<(PathBuf, Identity, PathBuf)> {
    let absolute = std::path::absolute(path).ok()?;
    let mut entry = absolute.as_path();
    while let Some(parent) = entry.parent() {
        if let Some(metadata) = fs::metadata(parent).ok().filter(Metadata::is_dir) {
            return Some((parent.into(), identity(&metadata), entry.into()));
        }
        entry = parent;
    }
    None
}
