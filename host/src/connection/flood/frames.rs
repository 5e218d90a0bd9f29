//! Where frames begin and end in a client's bytes (RFC 9113, section 4.1).

use super::budget::{Budget, Counted, Flood};
use super::ended::Ended;
use super::fault::{self, Fault, Settings};
use super::kind::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADER, HEADERS, LAST_STREAM, PING, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};

/// Of the preface, RFC 9113, section 3.4.
const PREFACE: usize = 24;
/// More than any implementation takes of one header block.
const UNBEARABLE: usize = 64;

/// Why a client's frames are followed no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// One of them was one too many.
    Flood(Flood),
    /// One of them is wrong in itself.
    Fault(Fault),
}

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
    /// The payload is one of SETTINGS.
    settings: Option<Settings>,
    ended: Ended,
    end: Option<End>,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            skip: PREFACE,
            header: [0; HEADER],
            have: 0,
            block: None,
            settings: None,
            ended: Ended::default(),
            end: None,
        }
    }

    /// How many of these bytes may pass: all of them, or those up to the end of the frame that was one too many, or wrong.
    /// What is wrong with it is changed, so that the implementation behind makes nothing of it.
    pub(super) fn scan(&mut self, bytes: &mut [u8], budget: &mut Budget) -> usize {
        let mut passed = 0;
        loop {
            passed += self.payload(bytes.get_mut(passed..).unwrap_or_default());
            if self.end().is_some() {
                return passed;
            }
            passed += self.head(bytes.get_mut(passed..).unwrap_or_default());
            if self.have < HEADER {
                return passed;
            }
            self.have = 0;
            // Whatever comes within a header block but its continuation is wrong in another way.
            let closed = if self.block.is_none() { self.ended.follow(&self.header) } else { None };
            let flood = self.frame().and_then(|frame| budget.spend(frame));
            self.end = self.end.or(flood.map(End::Flood)).or(closed.map(End::Fault));
        }
    }

    /// Why no more frames are taken, once the last one has ended.
    pub(super) fn end(&self) -> Option<End> {
        self.end.filter(|_| self.skip == 0 && self.have == 0)
    }

    /// Stands in for what is kept back: frames to which the implementation behind answers with the right code.
    pub(super) fn substitute(&self) -> Vec<u8> {
        if let Some(End::Fault(fault)) = self.end {
            return fault.substitute();
        }
        // A header block without an end is answered with ENHANCE_YOUR_CALM.
        let stream = self.block.unwrap_or(LAST_STREAM);
        let frame = |kind: u8| [&[0, 0, 0, kind, 0][..], &stream.to_be_bytes()].concat();
        let start = if self.block.is_some() { Vec::new() } else { frame(HEADERS) };
        [start, frame(CONTINUATION).repeat(UNBEARABLE)].concat()
    }

    /// Takes what there is of the preface or of a payload.
    fn payload(&mut self, bytes: &mut [u8]) -> usize {
        let length = self.skip.min(bytes.len());
        self.skip -= length;
        if let (Some(settings), Some(payload)) = (&mut self.settings, bytes.get_mut(..length))
            && let Some(fault) = settings.mend(payload)
        {
            self.end = Some(End::Fault(fault));
        }
        length
    }

    /// Takes what there is of a header.
    fn head(&mut self, bytes: &mut [u8]) -> usize {
        let before = self.have;
        for byte in bytes.iter_mut().take(HEADER - before) {
            let Some(room) = self.header.get_mut(self.have) else { break };
            *room = *byte;
            self.have += 1;
            if let Some((fault, mended)) = fault::mend(&mut self.header, self.have) {
                *byte = mended;
                self.end = Some(End::Fault(fault));
            }
        }
        self.have - before
    }

    /// Takes in the header that is complete now.
    fn frame(&mut self) -> Option<Counted> {
        let [high, middle, low, kind, flags, stream @ ..] = self.header;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.skip = usize::try_from(length).unwrap_or(usize::MAX);
        self.settings = (kind == SETTINGS).then(Settings::default);
        let open = (flags & END_HEADERS == 0).then(|| u32::from_be_bytes(stream) & LAST_STREAM);
        match kind {
            DATA if length == 0 && flags & END_STREAM == 0 => Some(Counted::Cheap(Flood::EmptyData)),
            DATA => None,
            RST_STREAM => Some(Counted::Cheap(Flood::Reset)),
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

    fn passed(frames: &mut Frames, bytes: &[u8]) -> usize {
        frames.scan(&mut bytes.to_vec(), &mut Budget::new())
    }

    fn preface() -> Vec<u8> {
        vec![b'p'; PREFACE]
    }

    #[test]
    fn frames_that_do_work_are_not_counted() {
        let mut frames = Frames::new();
        let request = |stream: u32| {
            let frames = [frame(HEADERS, END_HEADERS, 40), frame(DATA, 0, 1000), frame(DATA, END_STREAM, 0)];
            let [of_headers, of_data] = [5, HEADER + 40 + 5];
            let mut bytes = frames.concat();
            for at in [of_headers, of_data, of_data + HEADER + 1000] {
                bytes[at..at + 4].copy_from_slice(&stream.to_be_bytes());
            }
            bytes
        };
        let bytes: Vec<u8> =
            preface().into_iter().chain((0..10_000).flat_map(|number| request(2 * number + 1))).collect();
        assert_eq!(passed(&mut frames, &bytes), bytes.len());
        assert_eq!(frames.end(), None);
    }

    #[test]
    fn what_follows_the_frame_that_is_one_too_many_is_kept_back() {
        let most = usize::try_from(limits::H2_PINGS).unwrap();
        let bytes = [preface(), frame(PING, 0, 8).repeat(2 * most)].concat();
        let mut frames = Frames::new();
        assert_eq!(passed(&mut frames, &bytes), PREFACE + (most + 1) * 17);
        assert_eq!(frames.end(), Some(End::Flood(Flood::Ping)));
    }

    #[test]
    fn within_a_header_block_the_substitute_goes_on_with_it() {
        let mut frames = Frames::new();
        passed(&mut frames, &[preface(), frame(HEADERS, 0, 3)].concat());
        assert!(frames.substitute().starts_with(&[0, 0, 0, CONTINUATION, 0, 0, 0, 0, 1]));
        passed(&mut frames, &frame(CONTINUATION, END_HEADERS, 3));
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
            let (mut whole, mut at_once) = (Frames::new(), bytes.clone());
            let passed = whole.scan(&mut at_once, &mut Budget::new());
            let (mut pieces, mut budget, mut sum, mut in_pieces) = (Frames::new(), Budget::new(), 0, bytes);
            for piece in in_pieces.chunks_mut(step) {
                let more = pieces.scan(piece, &mut budget);
                sum += more;
                if more < piece.len() {
                    break;
                }
            }
            prop_assert_eq!(sum, passed);
            prop_assert_eq!(pieces.end(), whole.end());
            prop_assert_eq!(&in_pieces[..passed], &at_once[..passed]);
        }
    }
}
