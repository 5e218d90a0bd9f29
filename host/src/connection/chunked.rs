//! The chunked transfer coding (RFC 9112, section 7.1), byte by byte, more strictly than the RFC asks for: what
//! parsers are known to read in two ways is refused.

use super::characters::{TOKEN, contains, is_value};
use crate::config::limits::{CHUNK_EXTENSIONS_SIZE, HEADER_COUNT, TRAILERS_SIZE};
use crate::error::RequestError::{self, BadRequest, HeadTooLarge};

/// Hexadecimal digits of a chunk size: more do not fit in 64 bits.
const SIZE_DIGITS: u8 = 16;

/// Where in a chunked body the reader stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunked {
    state: State,
    size: u64,
    digits: u8,
    extensions: usize,
    trailers: usize,
    trailer_lines: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerEnd,
    End,
    Done,
}

impl Chunked {
    /// Takes bytes in: how many belong to the body, and whether the body ends with them.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<(usize, bool), RequestError> {
        let mut position = 0;
        while let Some(&byte) = bytes.get(position) {
            if self.state == State::Data {
                let here = u64::try_from(bytes.len() - position).unwrap_or(u64::MAX).min(self.size);
                self.size -= here;
                position += usize::try_from(here).unwrap_or(usize::MAX);
                if self.size == 0 {
                    self.state = State::DataReturn;
                }
                continue;
            }
            position += 1;
            self.state = self.step(byte)?;
            if self.state == State::Done {
                return Ok((position, true));
            }
        }
        Ok((position, false))
    }

    fn step(&mut self, byte: u8) -> Result<State, RequestError> {
        match self.state {
            State::Size => self.size_digit(byte),
            State::Extension => self.extension(byte),
            State::SizeEnd if byte == b'\n' && self.size == 0 => Ok(State::TrailerStart),
            State::SizeEnd if byte == b'\n' => Ok(State::Data),
            State::DataReturn if byte == b'\r' => Ok(State::DataEnd),
            State::DataEnd if byte == b'\n' => {
                self.digits = 0;
                Ok(State::Size)
            }
            State::DataReturn | State::DataEnd => Err(BadRequest("chunk data is not followed by CRLF")),
            State::SizeEnd => Err(BadRequest("a chunk size line does not end with CRLF")),
            State::End if byte == b'\n' => Ok(State::Done),
            State::End => Err(BadRequest("the trailer section does not end with CRLF")),
            _ => self.trailer(byte),
        }
    }

    fn size_digit(&mut self, byte: u8) -> Result<State, RequestError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if self.digits > 0 => return Ok(State::SizeEnd),
            b';' if self.digits > 0 => return Ok(State::Extension),
            _ => return Err(BadRequest("a chunk size is not a hexadecimal number")),
        };
        if self.digits == SIZE_DIGITS {
            return Err(BadRequest("a chunk size has more than 16 digits"));
        }
        self.size = if self.digits == 0 { 0 } else { self.size << 4 } | u64::from(digit);
        self.digits += 1;
        Ok(State::Size)
    }

    fn extension(&mut self, byte: u8) -> Result<State, RequestError> {
        self.extensions += 1;
        match byte {
            _ if self.extensions > CHUNK_EXTENSIONS_SIZE => Err(BadRequest("the chunk extensions are over 4 KiB")),
            b'\r' => Ok(State::SizeEnd),
            byte if is_value(byte) => Ok(State::Extension),
            _ => Err(BadRequest("a chunk extension has a control character")),
        }
    }

    fn trailer(&mut self, byte: u8) -> Result<State, RequestError> {
        self.trailers += 1;
        if self.trailers > TRAILERS_SIZE {
            return Err(HeadTooLarge("the trailer section is over 8 KiB"));
        }
        match (self.state, byte) {
            (State::TrailerStart, b'\r') => Ok(State::End),
            (State::TrailerStart, byte) if contains(&TOKEN, byte) => {
                self.trailer_lines += 1;
                if self.trailer_lines > HEADER_COUNT {
                    return Err(HeadTooLarge("more than 100 trailers"));
                }
                Ok(State::TrailerName)
            }
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerName, byte) if contains(&TOKEN, byte) => Ok(State::TrailerName),
            (State::TrailerStart | State::TrailerName, _) => Err(BadRequest("a trailer has an invalid name")),
            (State::TrailerValue, b'\r') => Ok(State::TrailerEnd),
            (State::TrailerValue, byte) if is_value(byte) => Ok(State::TrailerValue),
            (State::TrailerEnd, b'\n') => Ok(State::TrailerStart),
            _ => Err(BadRequest("a trailer has a control character")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Result<(usize, bool), RequestError> {
        Chunked::default().advance(body)
    }

    #[test]
    fn a_body_ends_where_its_trailer_section_ends() {
        let bodies: [&[u8]; 5] = [
            b"0\r\n\r\n",
            b"3\r\nabc\r\n0\r\n\r\n",
            b"0A;x=\"y\"\r\n0123456789\r\n000\r\n\r\n",
            b"1\r\n\n\r\n0\r\nx-sum: 1\r\ny:\r\n\r\n",
            b"FFFFFFFFFFFFFFFF\r\n",
        ];
        for body in bodies {
            let ends = body.ends_with(b"0\r\n\r\n") || body.ends_with(b"y:\r\n\r\n");
            let followed = [body, b"GET /".as_slice()].concat();
            let expected = if ends { (body.len(), true) } else { (followed.len(), false) };
            assert_eq!(read(&followed), Ok(expected), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn what_parsers_read_in_two_ways_is_refused() {
        let bodies: [&[u8]; 18] = [
            b"\r\n",
            b"+1\r\n",
            b"-1\r\n",
            b"0x1\r\n",
            b" 1\r\n",
            b"1 \r\n",
            b"1\n",
            b"1\r\r",
            b";x\r\n",
            b"00000000000000001\r\n",
            b"1\r\nab\r\n",
            b"1\r\na\n",
            b"1\r\na0\r\n",
            b"1;x\ny\r\n",
            b"0\r\n\n",
            b"0\r\n x: y\r\n",
            b"0\r\nx : y\r\n",
            b"0\r\nx: y\n",
        ];
        for body in bodies {
            assert!(read(body).is_err(), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let mut one = Chunked::default();
        let piece = format!("1;{}\r\na\r\n", "x".repeat(1000));
        let refused = (0..10).find(|_| one.advance(piece.as_bytes()).is_err());
        assert_eq!(refused, Some(4));
        let trailers = format!("0\r\nx: {}\r\n\r\n", "y".repeat(TRAILERS_SIZE));
        assert!(matches!(read(trailers.as_bytes()), Err(HeadTooLarge(_))));
        let trailers = format!("0\r\n{}\r\n", "x: y\r\n".repeat(HEADER_COUNT + 1));
        assert!(matches!(read(trailers.as_bytes()), Err(HeadTooLarge(_))));
    }
}
