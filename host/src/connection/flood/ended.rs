//! The streams that a client has ended, on which it may send no more requests.

use super::fault::Fault;
use super::kind::{DATA, END_STREAM, HEADER, HEADERS, LAST_STREAM, RST_STREAM};

/// Who goes on with a stream that it has ended does so soon: so many are remembered, fewer than can be open at once.
const REMEMBERED: usize = 32;

/// The newest streams that the client has ended, with END_STREAM or RST_STREAM.
#[derive(Debug, Default)]
pub(super) struct Ended {
    streams: [u32; REMEMBERED],
    /// Where the next one is written down.
    next: usize,
}

impl Ended {
    /// Takes in the header of a frame; says when its stream is one of them.
    pub(super) fn follow(&mut self, header: &[u8; HEADER]) -> Option<Fault> {
        let [_, _, _, kind, flags, stream @ ..] = header;
        let stream = u32::from_be_bytes(*stream) & LAST_STREAM;
        let ends = match *kind {
            HEADERS | DATA if stream != 0 && self.streams.contains(&stream) => return Some(Fault::Closed),
            HEADERS | DATA => flags & END_STREAM != 0,
            kind => kind == RST_STREAM,
        };
        if ends && let Some(place) = self.streams.get_mut(self.next) {
            *place = stream;
            self.next = (self.next + 1) % REMEMBERED;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed<const N: usize>(frames: [(u8, u8, u8); N]) -> [Option<Fault>; N] {
        let mut ended = Ended::default();
        frames.map(|(kind, flags, stream)| ended.follow(&[0, 0, 0, kind, flags, 0, 0, 0, stream]))
    }

    #[test]
    fn nothing_more_is_said_on_a_stream_that_was_ended() {
        let closed = Some(Fault::Closed);
        assert_eq!(followed([(HEADERS, 0, 1), (DATA, 0, 1), (DATA, 1, 1), (DATA, 0, 1)]), [None, None, None, closed]);
        assert_eq!(followed([(HEADERS, 1, 1), (HEADERS, 1, 3), (HEADERS, 1, 1)]), [None, None, closed]);
        assert_eq!(followed([(HEADERS, 0, 1), (RST_STREAM, 0, 1), (HEADERS, 0, 1)]), [None, None, closed]);
    }

    #[test]
    fn trailers_resets_and_other_frames_are_no_fault() {
        assert_eq!(followed([(HEADERS, 0, 1), (HEADERS, 1, 1), (RST_STREAM, 0, 1), (8, 0, 1)]), [None; 4]);
        assert_eq!(followed([(DATA, 1, 0), (DATA, 1, 0)]), [None; 2], "which is another fault");
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let mut ended = Ended::default();
        let mut end = |stream: u8| ended.follow(&[0, 0, 0, HEADERS, END_STREAM, 0, 0, 0, stream]);
        assert!((0..=REMEMBERED).all(|number| end(u8::try_from(2 * number + 1).unwrap()).is_none()));
        assert_eq!((end(1), end(5)), (None, Some(Fault::Closed)));
    }
}
