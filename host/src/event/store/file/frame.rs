//! An event's place in a file: length, checksum, position, time, and the event.

use std::io::{self, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Length and checksum, four bytes each, then position and time (milliseconds since 1970), eight bytes each; all of them
/// little-endian. The checksum (CRC-32) is of all that follows it.
pub(super) const HEADER: u64 = 24;
const CHECKED_FROM: usize = 8;
const HEADER_SIZE: usize = 24;
/// The largest event, in bytes: twice what a request's body may have by any limit a filter is likely to set, and a bound
/// for what a damaged length makes a reader ask for.
pub(super) const LARGEST: usize = 256 << 20;

/// An event that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) position: u64,
    pub(super) time: SystemTime,
    /// As [`super::codec`] has it.
    pub(super) payload: Vec<u8>,
}

/// What is at a place in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Frame(Frame),
    /// The end of what is to be read.
    End,
    /// Something else, of a length that leads to what may be another frame.
    Damaged,
    /// Something else, and nothing says where a frame may follow.
    Broken,
}

/// What an event takes in a file.
pub(super) fn size(payload: &[u8]) -> u64 {
    HEADER + u64::try_from(payload.len()).unwrap_or(u64::MAX)
}

/// Writes an event; its payload is no larger than [`LARGEST`].
pub(super) fn write(buffer: &mut Vec<u8>, position: u64, time: SystemTime, payload: &[u8]) {
    let start = buffer.len();
    let milliseconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    buffer.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&position.to_le_bytes());
    buffer.extend_from_slice(&u64::try_from(milliseconds).unwrap_or(u64::MAX).to_le_bytes());
    buffer.extend_from_slice(payload);
    let checksum = buffer.get(start + CHECKED_FROM..).map(crc32fast::hash).unwrap_or_default();
    if let Some(place) = buffer.get_mut(start + 4..start + CHECKED_FROM) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Reads frames one after the other.
#[derive(Debug)]
pub(super) struct Frames<R> {
    reader: R,
    /// Where the next frame begins, from the start of the file.
    pub(super) offset: u64,
    end: u64,
}

impl<R: Read> Frames<R> {
    /// Reads what is between two offsets of a file; `reader` stands at the first.
    pub(super) fn new(reader: R, offset: u64, end: u64) -> Self {
        Self { reader, offset, end }
    }

    /// What comes next. After [`Found::Broken`] nothing does.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Found::End);
        }
        if left < HEADER {
            return Ok(Found::Broken);
        }
        let mut header = [0; HEADER_SIZE];
        self.reader.read_exact(&mut header)?;
        let (length, checksum) = (number32(&header, 0), number32(&header, 4));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let payload_fits = u64::try_from(length).is_ok_and(|length| length <= left - HEADER) && length <= LARGEST;
        // An event has attributes, so an empty frame is space that was allotted and never written.
        if !payload_fits || length == 0 {
            return Ok(Found::Broken);
        }
        let mut payload = vec![0; length];
        self.reader.read_exact(&mut payload)?;
        self.offset += size(&payload);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(header.get(CHECKED_FROM..).unwrap_or_default());
        hasher.update(&payload);
        if hasher.finalize() != checksum {
            return Ok(Found::Damaged);
        }
        let time = UNIX_EPOCH.checked_add(Duration::from_millis(number64(&header, 16)));
        Ok(Found::Frame(Frame { position: number64(&header, 8), time: time.unwrap_or(UNIX_EPOCH), payload }))
    }
}

fn number32(header: &[u8; HEADER_SIZE], at: usize) -> u32 {
    header.get(at..).and_then(<[u8]>::first_chunk).copied().map(u32::from_le_bytes).unwrap_or_default()
}

fn number64(header: &[u8; HEADER_SIZE], at: usize) -> u64 {
    header.get(at..).and_then(<[u8]>::first_chunk).copied().map(u64::from_le_bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> Frames<&[u8]> {
        Frames::new(bytes, 0, bytes.len() as u64)
    }

    fn two() -> Vec<u8> {
        let mut bytes = Vec::new();
        let time = UNIX_EPOCH + Duration::from_millis(1_234);
        write(&mut bytes, 7, time, b"one");
        write(&mut bytes, 8, time, b"another");
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = two();
        let mut frames = frames(&bytes);
        let Found::Frame(first) = frames.next().unwrap() else { panic!("a frame") };
        assert_eq!((first.position, first.payload.as_slice()), (7, b"one".as_slice()));
        assert_eq!(first.time, UNIX_EPOCH + Duration::from_millis(1_234));
        assert_eq!(frames.offset, size(b"one"));
        assert!(matches!(frames.next().unwrap(), Found::Frame(frame) if frame.position == 8));
        assert_eq!(frames.next().unwrap(), Found::End);
    }

    #[test]
    fn every_changed_byte_is_noticed_and_none_makes_it_read_beyond_the_end() {
        let good = two();
        let first = usize::try_from(size(b"one")).unwrap();
        for at in 0..first {
            let mut bytes = good.clone();
            bytes[at] ^= 0x55;
            let found = frames(&bytes).next().unwrap();
            assert!(matches!(found, Found::Damaged | Found::Broken), "byte {at}: {found:?}");
        }
    }

    #[test]
    fn a_frame_that_was_cut_is_broken() {
        let bytes = two();
        for length in 1..usize::try_from(size(b"one")).unwrap() {
            assert_eq!(frames(&bytes[..length]).next().unwrap(), Found::Broken, "{length}");
        }
        assert_eq!(frames(&[0; 100]).next().unwrap(), Found::Broken, "space that was never written");
    }

    #[test]
    fn after_a_damaged_frame_the_next_one_is_found() {
        let mut bytes = two();
        bytes[25] ^= 1;
        let mut frames = frames(&bytes);
        assert_eq!(frames.next().unwrap(), Found::Damaged);
        assert!(matches!(frames.next().unwrap(), Found::Frame(frame) if frame.position == 8));
    }
}
