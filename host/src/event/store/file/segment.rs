//! The files of a channel, and what a crash has left of them.

use super::frame::{Found, Frame, Frames};
use super::sync_directory;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What files of segments end in.
const EXTENSION: &str = "log";
/// The first bytes of every segment; the last of them is the version of what follows.
const MAGIC: [u8; 8] = *b"sluice\0\x01";
/// Where the first frame begins.
pub(super) const START: u64 = 8;
/// Read at once.
const BUFFER: usize = 256 << 10;

/// A file that holds the positions from `first` to before the next one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) first: u64,
    /// Where its last frame ends.
    pub(super) end: u64,
    /// When its first event was written.
    pub(super) oldest: SystemTime,
    /// When its last event was written.
    pub(super) newest: SystemTime,
}

/// The file of a segment.
pub(super) fn path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.{EXTENSION}"))
}

/// Makes the file of a segment, durably.
pub(super) fn create(directory: &Path, first: u64) -> io::Result<File> {
    let path = path(directory, first);
    let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?;
    file.write_all_at(&MAGIC, 0)?;
    file.sync_all()?;
    sync_directory(directory)?;
    Ok(file)
}

/// All segments of a directory in order, and the position after the last event. The last one is looked through and cut
/// where a crash has left it unfinished, which the log says.
pub(super) fn recover(directory: &Path) -> io::Result<(Vec<Segment>, u64)> {
    let mut firsts: Vec<u64> = fs::read_dir(directory)?.filter_map(|entry| number(&entry.ok()?.path())).collect();
    firsts.sort_unstable();
    let mut segments = Vec::with_capacity(firsts.len());
    let mut next = 1;
    for (index, first) in firsts.iter().enumerate() {
        let path = path(directory, *first);
        next = next.max(*first);
        if index + 1 < firsts.len() {
            segments.push(sealed(&path, *first)?);
        } else if let Some((segment, after)) = unfinished(&path, *first)? {
            next = next.max(after);
            segments.push(segment);
        }
    }
    Ok((segments, next))
}

fn number(path: &Path) -> Option<u64> {
    let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
    path.file_stem().filter(|_| is_segment)?.to_str()?.parse().ok()
}

/// A segment that was finished before.
fn sealed(path: &Path, first: u64) -> io::Result<Segment> {
    let metadata = fs::metadata(path)?;
    let newest = metadata.modified()?;
    let mut frames = read(path, START, metadata.len())?;
    let oldest = match frames.next()? {
        Found::Frame(frame) => frame.time,
        _ => newest,
    };
    Ok(Segment { first, end: metadata.len(), oldest, newest })
}

/// The segment that was being written, cut after its last whole frame; and the position after it. None when not even its
/// beginning was written.
fn unfinished(path: &Path, first: u64) -> io::Result<Option<(Segment, u64)>> {
    let length = fs::metadata(path)?.len();
    if length < START || !has_magic(path)? {
        tracing::warn!(file = %path.display(), bytes = length, "a file of events has no beginning: its bytes were dropped");
        fs::remove_file(path)?;
        return Ok(None);
    }
    let mut whole = Whole { first, after: first, end: START, holes: 0, oldest: None, newest: None };
    whole.look_through(&mut read(path, START, length)?)?;
    let lost = length - whole.end;
    if lost > 0 || whole.holes > 0 {
        tracing::warn!(
            file = %path.display(),
            bytes = lost,
            within = whole.holes,
            "the end of a file of events is torn or damaged: its bytes were dropped"
        );
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(whole.end)?;
        file.sync_all()?;
    }
    let now = SystemTime::now();
    let (oldest, newest) = (whole.oldest.unwrap_or(now), whole.newest.unwrap_or(now));
    Ok(Some((Segment { first, end: whole.end, oldest, newest }, whole.after)))
}

/// What is whole of a segment.
struct Whole {
    first: u64,
    /// The position after the last whole frame.
    after: u64,
    /// Where that frame ends.
    end: u64,
    /// Damaged bytes between whole frames.
    holes: u64,
    oldest: Option<SystemTime>,
    newest: Option<SystemTime>,
}

impl Whole {
    fn look_through(&mut self, frames: &mut Frames<BufReader<File>>) -> io::Result<()> {
        let mut hole = 0;
        loop {
            let before = frames.offset;
            match frames.next()? {
                Found::Frame(Frame { position, time, .. }) if position >= self.after.max(self.first) => {
                    (self.after, self.end) = (position + 1, frames.offset);
                    self.holes += std::mem::take(&mut hole);
                    self.oldest.get_or_insert(time);
                    self.newest = Some(time);
                }
                Found::Damaged => hole += frames.offset - before,
                // A frame that is not in order is left from an earlier use of the space.
                Found::Frame(_) | Found::End | Found::Broken => return Ok(()),
            }
        }
    }
}

fn has_magic(path: &Path) -> io::Result<bool> {
    let mut magic = [0; MAGIC.len()];
    File::open(path)?.read_exact_at(&mut magic, 0)?;
    Ok(magic == MAGIC)
}

/// Reads a file from an offset to before another.
pub(super) fn read(path: &Path, offset: u64, end: u64) -> io::Result<Frames<BufReader<File>>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(Frames::new(BufReader::with_capacity(BUFFER, file), offset, end))
}
