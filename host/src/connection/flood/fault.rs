//! Frames that are wrong, and what a client has to be told of them.
//!
//! The HTTP/2 implementation ends the connection for most of them too, but with PROTOCOL_ERROR. RFC 9113 wants other codes,
//! by which the author of a client sees what is wrong. What is wrong in itself is changed in place into something that means
//! nothing. Once the frame has ended the implementation gets a [`Fault::substitute`], to which it answers with a GOAWAY.

use super::kind::{ACK, DATA, HEADER, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, UNKNOWN, WINDOW_UPDATE};

/// How often a window is opened to its utmost: the second time is too much, even if nothing was left of it.
const TWICE: usize = 2;
/// Of an identifier and its value (RFC 9113, section 6.5.1).
const ENTRY: usize = 6;
/// RFC 9113, section 6.5.2.
const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];
/// The bit that makes the size of a window more than 2^31 - 1.
const TOO_LARGE: u8 = 0x80;

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its length is none that its type has: FRAME_SIZE_ERROR (RFC 9113, section 4.2).
    Size,
    /// It sets windows to more than there can be: FLOW_CONTROL_ERROR (RFC 9113, section 6.5.2).
    Window,
    /// It is a PUSH_PROMISE, which no client may send: PROTOCOL_ERROR (RFC 9113, section 8.4).
    Push,
    /// It is for a stream that the client itself has ended: STREAM_CLOSED (RFC 9113, section 5.1).
    Closed,
}

/// Of GOAWAY (RFC 9113, section 7).
const PROTOCOL_ERROR: u32 = 1;
const STREAM_CLOSED: u32 = 5;
/// The header of a GOAWAY without debug data.
const GOAWAY: [u8; HEADER] = [0, 0, 8, super::kind::GOAWAY, 0, 0, 0, 0, 0];
/// Of its payload: the last stream, and the code.
const GOAWAY_PAYLOAD: usize = 8;

impl Fault {
    /// What is to be written in place of these bytes when they end with the GOAWAY that ends the connection: the
    /// implementation has no frame to which it answers with STREAM_CLOSED for the whole connection.
    pub(super) fn correct(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (before, code) = bytes.split_last_chunk::<4>()?;
        let header = before.len().checked_sub(HEADER + GOAWAY_PAYLOAD - code.len())?;
        let is_goaway = before.get(header..)?.starts_with(&GOAWAY) && *code == PROTOCOL_ERROR.to_be_bytes();
        (self == Self::Closed && is_goaway).then(|| [before, &STREAM_CLOSED.to_be_bytes()].concat())
    }

    /// Frames that are answered with the code of this fault, or with PROTOCOL_ERROR.
    pub(super) fn substitute(self) -> Vec<u8> {
        match self {
            // As long as a frame can say that it is, which is more than any implementation takes.
            Self::Size => vec![0xff, 0xff, 0xff, PING, 0, 0, 0, 0, 0],
            Self::Window => [0, 0, 4, WINDOW_UPDATE, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff].repeat(TWICE),
            // Data of no stream.
            Self::Push | Self::Closed => vec![0, 0, 1, DATA, 0, 0, 0, 0, 0, 0],
        }
    }
}

/// Changes the newest byte of a header, of which `have` bytes are there, when it makes the frame wrong: into what.
pub(super) fn mend(header: &mut [u8; HEADER], have: usize) -> Option<(Fault, u8)> {
    let [high, middle, low, kind, flags, ..] = header;
    let length = u32::from_be_bytes([0, *high, *middle, *low]);
    if have == 4 && *kind == PUSH_PROMISE {
        *kind = UNKNOWN;
        return Some((Fault::Push, *kind));
    }
    if have == 4 {
        let right = match *kind {
            PING => length == 8,
            PRIORITY => length == 5,
            RST_STREAM | WINDOW_UPDATE => length == 4,
            SETTINGS => length.is_multiple_of(6),
            _ => true,
        };
        if !right {
            *kind = UNKNOWN;
            return Some((Fault::Size, *kind));
        }
    }
    if have == 5 && *kind == SETTINGS && *flags & ACK != 0 && length != 0 {
        *flags &= !ACK;
        return Some((Fault::Size, *flags));
    }
    None
}

/// Follows the payload of a SETTINGS frame.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// How much of an entry is there.
    have: usize,
    identifier: [u8; 2],
}

impl Settings {
    /// Changes a value that cannot be.
    pub(super) fn mend(&mut self, payload: &mut [u8]) -> Option<Fault> {
        let mut fault = None;
        for byte in payload {
            match self.have {
                0 => self.identifier = [*byte, 0],
                1 => self.identifier[1] = *byte,
                2 if self.identifier == INITIAL_WINDOW_SIZE && *byte & TOO_LARGE != 0 => {
                    *byte &= !TOO_LARGE;
                    fault = Some(Fault::Window);
                }
                _ => {}
            }
            self.have = (self.have + 1) % ENTRY;
        }
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(mut header: [u8; HEADER]) -> (Option<Fault>, [u8; HEADER]) {
        let fault = (1..=HEADER).find_map(|have| mend(&mut header, have));
        (fault.map(|(fault, _)| fault), header)
    }

    #[test]
    fn each_type_has_its_lengths() {
        let right =
            [(PING, 8), (PRIORITY, 5), (RST_STREAM, 4), (WINDOW_UPDATE, 4), (SETTINGS, 0), (SETTINGS, 36), (0, 77)];
        for (kind, length) in right {
            let header = [0, 0, length, kind, 0, 0, 0, 0, 1];
            assert_eq!(mended(header), (None, header));
        }
        for (kind, length) in [(PING, 6), (PRIORITY, 4), (RST_STREAM, 3), (WINDOW_UPDATE, 0), (SETTINGS, 3)] {
            let ignored = [0, 0, length, UNKNOWN, 0, 0, 0, 0, 1];
            assert_eq!(mended([0, 0, length, kind, 0, 0, 0, 0, 1]), (Some(Fault::Size), ignored));
        }
    }

    #[test]
    fn nothing_can_be_pushed_by_a_client() {
        let ignored = [0, 0, 9, UNKNOWN, 4, 0, 0, 0, 1];
        assert_eq!(mended([0, 0, 9, PUSH_PROMISE, 4, 0, 0, 0, 1]), (Some(Fault::Push), ignored));
    }

    #[test]
    fn the_last_goaway_of_a_connection_says_that_the_stream_was_closed() {
        let goaway = |code: u8| [&GOAWAY[..], &[0, 0, 0, 1, 0, 0, 0, code]].concat();
        assert_eq!(Fault::Closed.correct(&goaway(1)), Some(goaway(5)));
        assert_eq!(
            Fault::Closed.correct(&[b"data".to_vec(), goaway(1)].concat()),
            Some([b"data".to_vec(), goaway(5)].concat())
        );
        assert_eq!(Fault::Closed.correct(&goaway(11)), None);
        assert_eq!(Fault::Closed.correct(&goaway(1)[1..]), None);
        assert_eq!(Fault::Closed.correct(b""), None);
        assert_eq!(Fault::Push.correct(&goaway(1)), None);
    }

    #[test]
    fn what_acknowledges_settings_has_none() {
        assert_eq!(mended([0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0]).0, None);
        let settings = [0, 0, 6, SETTINGS, 0, 0, 0, 0, 0];
        assert_eq!(mended([0, 0, 6, SETTINGS, ACK, 0, 0, 0, 0]), (Some(Fault::Size), settings));
    }

    #[test]
    fn a_window_is_only_so_large() {
        let fine = [0, 3, 0x80, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff];
        let mut payload = fine;
        assert_eq!(Settings::default().mend(&mut payload), None);
        assert_eq!(payload, fine);
        let mut payload = [0, 1, 0x80, 0, 0, 0, 0, 4, 0x80, 0, 0, 0];
        let mut settings = Settings::default();
        let (first, second) = payload.split_at_mut(8);
        assert_eq!((settings.mend(first), settings.mend(second)), (None, Some(Fault::Window)));
        assert_eq!(payload, [0, 1, 0x80, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    }
}
