//! Where frames begin and end in a client's bytes (RFC 9113, section 4.1).

use super::budget::{Budget, Counted, Flood};

/// Of the preface, RFC 9113, section 3.4.
const PREFACE: usize = 24;
/// Of a frame's header.
const HEADER: usize = 9;

// Types and flags, RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The highest number of a stream that a client may open, which none of use gets near to.
const LAST_STREAM: u32 = 0x7fff_ffff;
/// More than any implementation takes of one header block.
const UNBEARABLE: usize = 64;

/// Follows the frames of one client.
#[derive(Debug)]
pub(super) struct Frames {
    /// What is still to come of the preface, or of a payload.
    skip: usize,
    header: [u8; HEADER],
    /// How much of the header is there.
    have: usize,
    /// The stream whose header block is open.
    block: Option<u32>,
    flood: Option<Flood>,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self { skip: PREFACE, header: [0; HEADER], have: 0, block: None, flood: None }
    }

    /// How many of these bytes may pass: all of them, or those up to the end of the frame that was one too many.
    pub(super) fn scan(&mut self, bytes: &[u8], budget: &mut Budget) -> usize {
        let mut rest = bytes;
        loop {
            let skipped = self.skip.min(rest.len());
            self.skip -= skipped;
            rest = rest.get(skipped..).unwrap_or_default();
            if self.skip == 0 && self.flood.is_some() {
                return bytes.len() - rest.len();
            }
            let Some(room) = self.header.get_mut(self.have..) else { return bytes.len() };
            let taken = room.len().min(rest.len());
            let (head, after) = rest.split_at(taken);
            room.iter_mut().zip(head).for_each(|(room, byte)| *room = *byte);
            self.have += taken;
            rest = after;
            if self.have < HEADER {
                return bytes.len();
            }
            self.have = 0;
            self.flood = self.frame().and_then(|frame| budget.spend(frame));
        }
    }

    /// What the connection is flooded with, once the frame that was one too many has ended.
    pub(super) fn flood(&self) -> Option<Flood> {
        self.flood.filter(|_| self.skip == 0)
    }

    /// Stands in for what is kept back after a flood: a header block without an end, to which the implementation behind
    /// answers with ENHANCE_YOUR_CALM.
    pub(super) fn substitute(&self) -> Vec<u8> {
        let stream = self.block.unwrap_or(LAST_STREAM);
        let frame = |kind: u8| [&[0, 0, 0, kind, 0][..], &stream.to_be_bytes()].concat();
        let start = if self.block.is_some() { Vec::new() } else { frame(HEADERS) };
        [start, frame(CONTINUATION).repeat(UNBEARABLE)].concat()
    }

    /// Takes in the header that is complete now.
    fn frame(&mut self) -> Option<Counted> {
        let [high, middle, low, kind, flags, stream @ ..] = self.header;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.skip = usize::try_from(length).unwrap_or(usize::MAX);
        let open = (flags & END_HEADERS == 0).then(|| u32::from_be_bytes(stream) & LAST_STREAM);
        match kind {
            DATA if length == 0 && flags & END_STREAM == 0 => Some(Counted::Cheap(Flood::EmptyData)),
            DATA | RST_STREAM | GOAWAY => None,
            HEADERS => {
                self.block = open;
                Some(Counted::Headers)
            }
            CONTINUATION => {
                self.block = open;
                Some(Counted::Cheap(Flood::Continuation))
            }
            SETTINGS => Some(Counted::Cheap(Flood::Settings)),
            PING => Some(Counted::Cheap(Flood::Ping)),
            WINDOW_UPDATE => Some(Counted::Cheap(Flood::WindowUpdate)),
            _ => Some(Counted::Cheap(Flood::Priority)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::limits;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], &vec![0x41; payload]].concat()
    }

    fn preface() -> Vec<u8> {
        vec![b'p'; PREFACE]
    }

    #[test]
    fn frames_that_do_work_are_not_counted() {
        let mut frames = Frames::new();
        let request = [frame(HEADERS, END_HEADERS, 40), frame(DATA, 0, 1000), frame(DATA, END_STREAM, 0)].concat();
        let bytes = [preface(), request.repeat(10_000)].concat();
        assert_eq!(frames.scan(&bytes, &mut Budget::new()), bytes.len());
        assert_eq!(frames.flood(), None);
    }

    #[test]
    fn what_follows_the_frame_that_is_one_too_many_is_kept_back() {
        let most = usize::try_from(limits::H2_PINGS).unwrap();
        let bytes = [preface(), frame(PING, 0, 8).repeat(2 * most)].concat();
        let mut frames = Frames::new();
        assert_eq!(frames.scan(&bytes, &mut Budget::new()), PREFACE + (most + 1) * 17);
        assert_eq!(frames.flood(), Some(Flood::Ping));
    }

    #[test]
    fn within_a_header_block_the_substitute_goes_on_with_it() {
        let mut frames = Frames::new();
        frames.scan(&[preface(), frame(HEADERS, 0, 3)].concat(), &mut Budget::new());
        assert!(frames.substitute().starts_with(&[0, 0, 0, CONTINUATION, 0, 0, 0, 0, 1]));
        frames.scan(&frame(CONTINUATION, END_HEADERS, 3), &mut Budget::new());
        assert!(frames.substitute().starts_with(&[0, 0, 0, HEADERS, 0, 0x7f, 0xff, 0xff, 0xff]));
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_into_reads_does_not_matter(
            kinds in prop::collection::vec((0_u8..12, 0_u8..8, 0_usize..40), 0..400),
            step in 1_usize..50,
        ) {
            let all = kinds.iter().flat_map(|(kind, flags, payload)| frame(*kind, *flags, *payload));
            let bytes: Vec<u8> = preface().into_iter().chain(all).collect();
            let mut whole = Frames::new();
            let passed = whole.scan(&bytes, &mut Budget::new());
            let (mut pieces, mut budget, mut sum) = (Frames::new(), Budget::new(), 0);
            for piece in bytes.chunks(step) {
                let more = pieces.scan(piece, &mut budget);
                sum += more;
                if more < piece.len() {
                    break;
                }
            }
            prop_assert_eq!(sum, passed);
            prop_assert_eq!(pieces.flood(), whole.flood());
        }
    }
}
