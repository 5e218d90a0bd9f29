//! The watching thread: waits for a reason to look, looks until nothing moves, reads, compares, reports.

use super::touched::Touched;
use super::walk::{Walk, walk};
use super::watcher::Events;
use super::{Mode, Shared, Signal, Target, Tree, Trees};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant, SystemTime};

/// Nothing has moved for this long since files were renamed into place: each is whole, and those that belong together come
/// at once.
const QUIET_AFTER_RENAMES: Duration = Duration::from_millis(15);
/// The same when a file has been written where it is: longer than any pause of a program that writes a file in one go.
const QUIET: Duration = Duration::from_millis(50);
/// The same when a file has gone or become empty, as it is then most likely about to be written again.
const QUIET_AFTER_LOSS: Duration = Duration::from_millis(250);
/// Between the looks of one settling: often enough to see a file grow, seldom enough to cost little.
const BETWEEN_LOOKS: Duration = Duration::from_millis(15);
/// The end of waiting for rest, so that a directory that never rests is still followed.
const SETTLE: Duration = Duration::from_millis(500);
/// Between looks where there are no events: with the quiet time it stays below a second.
const POLL: Duration = Duration::from_millis(500);
/// Between looks where there are events: for those that were missed.
const SAFETY_POLL: Duration = Duration::from_secs(2);

/// A file that was last changed so long before it was read is taken to be as it was read, as long as its stamp is the same:
/// longer than the coarsest clock of a file system in use.
const RESTED: Duration = Duration::from_secs(3);

/// The state of the watching thread.
pub(super) struct Settle {
    targets: Vec<Target>,
    mode: Mode,
    events: Option<Events>,
    /// Whether every directory has events.
    covered: bool,
    /// The last look.
    walks: Vec<Walk>,
    /// What was reported last.
    trees: Trees,
    /// What files may have changed since the last reading, whatever their stamps say.
    touched: Arc<Touched>,
    /// The last reading: when, with which stamps, and what was read.
    reading: (SystemTime, Vec<Walk>, Trees),
}

impl Settle {
    /// Reads everything once.
    pub(super) fn new(targets: Vec<Target>, mode: Mode, signal: SyncSender<Signal>, touched: Arc<Touched>) -> Self {
        let events = match mode {
            Mode::Poll => None,
            Mode::Auto | Mode::Native => Events::new(signal, Arc::clone(&touched))
                .inspect_err(|error| tracing::warn!(%error, "no file events; looking at the directories instead"))
                .ok(),
        };
        let reading = (SystemTime::UNIX_EPOCH, Vec::new(), [].into());
        let mut settle =
            Self { targets, mode, events, covered: false, walks: Vec::new(), trees: [].into(), touched, reading };
        settle.look();
        settle.trees = settle.scan();
        settle
    }

    pub(super) fn trees(&self) -> Trees {
        Trees::clone(&self.trees)
    }

    /// Watches until told to stop.
    pub(super) fn run(mut self, signals: &Receiver<Signal>, shared: &Shared) {
        loop {
            let told = match signals.recv_timeout(self.interval()) {
                Ok(Signal::Look) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            };
            // An event may stand for a change that leaves size and time as they are; a look of our own may not.
            let moved = self.look();
            if !told && !moved {
                continue;
            }
            if !self.settle(signals) {
                return;
            }
            let trees = self.scan();
            let same = trees.iter().zip(self.trees.iter()).all(|(new, old)| new.same_content(old));
            if !same {
                self.trees = Trees::clone(&trees);
                shared.publish(trees);
            }
        }
    }

    fn interval(&self) -> Duration {
        match self.mode {
            Mode::Auto if self.covered => SAFETY_POLL,
            // Events alone: only the signal to stop, or one that was asked for, comes otherwise.
            Mode::Native if self.events.is_some() => Duration::MAX,
            _ => POLL,
        }
    }

    /// Looks again and again until nothing moves. Returns false when told to stop.
    fn settle(&mut self, signals: &Receiver<Signal>) -> bool {
        let end = Instant::now() + SETTLE;
        let mut moved = Instant::now();
        loop {
            let now = Instant::now();
            if now >= end || now >= moved + self.quiet() {
                return true;
            }
            if !pause(signals, (now + BETWEEN_LOOKS).min(end)) {
                return false;
            }
            // Events do not count here, only what they are about: one write makes many, the last of them late.
            if self.look() {
                moved = Instant::now();
            }
        }
    }

    /// Looks at everything, brings the watches in line, and returns whether anything is different from the last look.
    fn look(&mut self) -> bool {
        let mut walks = self.walk();
        if let Some(events) = &mut self.events {
            let (covered, more) = events.follow(&walks);
            self.covered = covered;
            // What happened between the look and a new watch has made no event.
            if more {
                walks = self.walk();
            }
        }
        let moved = walks != self.walks;
        self.walks = walks;
        moved
    }

    fn walk(&self) -> Vec<Walk> {
        self.targets.iter().map(|target| walk(&target.path, target.extensions)).collect()
    }

    /// Reads what the last look has found, but what has rested since the last reading.
    fn scan(&mut self) -> Trees {
        let touched = self.touched.take().sorted_out(&self.roots(), &self.walks);
        let now = SystemTime::now();
        let (read_at, walks, trees) = &self.reading;
        let read = |(number, (target, walk)): (usize, (&Target, &Walk))| {
            let before = walks.get(number).zip(trees.get(number));
            Tree::read(&target.path, walk, |path, stamp| {
                let (walk, tree) = before.filter(|_| !touched.names(path) && stamp.has_rested(*read_at, RESTED))?;
                tree.files.get(path).filter(|_| walk.files.get(path) == Some(stamp)).cloned()
            })
        };
        let trees: Trees = self.targets.iter().zip(&self.walks).enumerate().map(read).collect();
        self.reading = (now, self.walks.clone(), Trees::clone(&trees));
        trees
    }

    /// For how long nothing is to move, after what the last look has found.
    fn quiet(&self) -> Duration {
        match (self.has_lost(), self.has_renames_alone()) {
            (true, _) => QUIET_AFTER_LOSS,
            (false, false) => QUIET,
            (false, true) => QUIET_AFTER_RENAMES,
        }
    }

    /// Whether all that may be different from the last reading is files that were renamed to where they are.
    fn has_renames_alone(&self) -> bool {
        let (_, before, _) = &self.reading;
        let touched = self.touched.noted().sorted_out(&self.roots(), &self.walks);
        let renames = |(now, before): (&Walk, &Walk)| {
            let same = |path: &PathBuf, stamp| before.files.get(path) == Some(stamp) && !touched.names(path);
            let mut files = now.files.iter();
            files.all(|(path, stamp)| same(path, stamp) || touched.came_whole(path))
                && now.directories == before.directories
        };
        before.len() == self.walks.len() && self.walks.iter().zip(before).all(renames)
    }

    fn roots(&self) -> Vec<&Path> {
        self.targets.iter().map(|target| target.path.as_path()).collect()
    }

    /// Whether a file that was reported with content has gone or is empty now.
    fn has_lost(&self) -> bool {
        self.trees.iter().zip(&self.walks).any(|(tree, walk)| {
            let lost = |path| walk.files.get(path).is_none_or(|stamp| stamp.length == 0);
            tree.files.iter().any(|(path, file)| !file.bytes.is_empty() && lost(path))
        })
    }
}

/// Waits, whatever happens meanwhile, as a look is about to follow. Returns false when told to stop.
fn pause(signals: &Receiver<Signal>, until: Instant) -> bool {
    loop {
        match signals.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Signal::Look) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn files_that_are_renamed_into_place_are_waited_for_least_and_what_is_lost_is_waited_for_most() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("a.yaml"), "old").unwrap();
        let touched = Arc::new(Touched::default());
        let targets = vec![Target { path: directory.path().into(), extensions: &["yaml"] }];
        let mut settle = Settle::new(targets, Mode::Poll, sync_channel(1).0, Arc::clone(&touched));
        let mut quiet = |whole: &[&str], written: &[&str]| {
            touched.add(whole.iter().map(|name| path(name)), true);
            touched.add(written.iter().map(|name| path(name)), false);
            settle.look();
            settle.quiet()
        };
        fs::write(path("b.tmp"), "new").unwrap();
        fs::rename(path("b.tmp"), path("b.yaml")).unwrap();
        assert_eq!(quiet(&[], &[]), QUIET, "no event has told how it came");
        assert_eq!(quiet(&["b.yaml"], &["b.tmp"]), QUIET_AFTER_RENAMES);
        assert_eq!(quiet(&[], &["a.yaml"]), QUIET, "the other may have been written to within one tick of its clock");
        assert_eq!(quiet(&["a.yaml"], &[]), QUIET_AFTER_RENAMES);
        fs::create_dir(path("more")).unwrap();
        assert_eq!(quiet(&[], &[]), QUIET, "a directory's files may have been there before it had events");
        fs::remove_file(path("a.yaml")).unwrap();
        assert_eq!(quiet(&["b.yaml"], &[]), QUIET_AFTER_LOSS);
    }
}
