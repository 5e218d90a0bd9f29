//! Events in files of this machine: a log for each channel.
//!
//! Guarantees: an event that was taken is on the disk (`fdatasync`), and is given to every subscription at least once, also
//! when the process is killed or the machine loses its power. Events are given out in the order in which they were written,
//! which is that of the publishers' turns; a subscription that is ordered by key keeps that order for a key across crashes.
//! There is no window of duplicates: an event that is published twice is delivered twice. A subscription's place is
//! written a moment after it has moved, so after a crash what was acknowledged last may be given out again.
//!
//! A channel has a directory with segments, files that are appended to one after the other, and one file for the place of
//! each subscription. One thread writes for all channels: what publishers bring while it waits for the disk goes to the
//! disk together, with one wait. A segment is removed once every subscription is done with it. Memory is bounded: what
//! was written last is kept for subscriptions that keep up, all others read ahead from the files.
//!
//! It is a log of its own and no library, though the libraries that were looked at, `fjall` and `redb`, write about as many
//! events a second (0.8 to 1.1 of bare appends with the same waits for the disk, 300 bytes, 256 publishers). Both refuse
//! everything after a failed write until they are opened anew, where a log whose disk was full goes on when there is
//! space; and neither says which bytes of which file a crash has cost.
//!
//! - [`codec`], [`frame`]: an event as bytes, and its place in a file
//! - [`segment`]: the files, and what a crash has left of them
//! - [`log`]: what a channel is made of
//! - [`room`], [`writer`], [`append`]: publishing
//! - [`read`], [`retain`]: reading, and for how long events stay
//! - [`cursor`], [`done`], [`place`]: subscriptions
//! - [`history`]: reading back what subscriptions are done with, as far as its segment is there

mod append;
mod codec;
mod cursor;
mod done;
mod frame;
mod history;
mod log;
mod place;
mod read;
mod retain;
mod room;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use super::{Log, Store, StoreError};
use crate::config::FileSettings;
use futures_util::future::{BoxFuture, FutureExt};
use log::FileLog;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use writer::Writer;

/// What a file has at most, unless a channel may hold less than a few of them: large enough to be few, small enough for
/// their space to come back soon.
const SEGMENT: u64 = 64 << 20;
/// A channel has room for at least so many segments, so that one that is full of acknowledged events and not yet removed
/// is a small part of it.
const SEGMENTS: u64 = 8;
/// File systems take names of 255 bytes; what is written here gets a digest and an extension.
const LONGEST_NAME: usize = 200;

/// Channels in files.
#[derive(Debug)]
pub(super) struct FileStore {
    settings: FileSettings,
    /// None once it was closed.
    held: Mutex<Option<Held>>,
}

/// The directory, while it is this process's.
#[derive(Debug)]
struct Held {
    writer: Writer,
    /// Locked, so that no two processes write to the directory.
    _lock: File,
}

impl FileStore {
    /// Makes the directory where there is none, and takes it for this process.
    pub(super) fn start(settings: FileSettings) -> io::Result<Self> {
        let held = Mutex::new(Some(Held::take(&settings.directory)?));
        Ok(Self { settings, held })
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn take(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let lock = File::create(directory.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => io::Error::other("another process has it"),
            std::fs::TryLockError::Error(error) => error,
        })?;
        Ok(Self { writer: Writer::start()?, _lock: lock })
    }
}

impl Store for FileStore {
    fn open(&self, channel: &str) -> Result<Arc<dyn Log>, StoreError> {
        let directory = self.settings.directory.join(file_name(channel));
        let queue = self.held().as_ref().map(|held| Arc::clone(held.writer.queue()));
        let queue = queue.ok_or_else(|| StoreError::Unavailable("another process is about to have it".to_owned()))?;
        let log = FileLog::open(channel, &directory, &self.settings, &queue)
            .map_err(|error| StoreError::Unavailable(format!("{} cannot be opened: {error}", directory.display())))?;
        queue.follow(&log);
        Ok(Arc::new(log))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let held = self.held().take();
        async move {
            if let Some(held) = held {
                held.writer.close().await;
            }
        }
        .boxed()
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    fn resume(&self) -> io::Result<()> {
        let mut held = self.held();
        if held.is_none() {
            *held = Some(Held::take(&self.settings.directory)?);
        }
        Ok(())
    }
}

/// The name of a channel or subscription as a file's: what is not a small letter, a digit, `-` or a `.` between others is
/// written as `%` and its two digits. One that is too long for a file system ends in its digest.
fn file_name(name: &str) -> String {
    let written = escaped(name);
    match written.get(..LONGEST_NAME) {
        None => written,
        Some(beginning) => {
            let digest = Sha256::digest(name);
            let digest: String = digest.iter().take(16).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
            format!("{beginning}%{digest}")
        }
    }
}

fn escaped(name: &str) -> String {
    let mut written = String::with_capacity(name.len() + 2);
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => written.push(char::from(byte)),
            b'.' if !written.is_empty() => written.push('.'),
            other => written.extend(['%', digit(other >> 4), digit(other & 15)]),
        }
    }
    written
}

fn digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0').to_ascii_uppercase()
}

/// Makes the entries of a directory durable.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// What a failed operation on a file means for the event.
fn of_io(error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::NoSpace(error.to_string())
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}
