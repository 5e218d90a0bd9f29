//! Checks that bytes are one JSON text (RFC 8259) as they stream by, without keeping any of them, and finds values in one
//! that is here.
//!
//! A text has to be UTF-8 (section 8.1) without a byte order mark. What the grammar leaves open is left open here:
//! names may repeat, numbers may be of any size, escapes may name half a surrogate pair.

mod token;
mod within;

pub use within::Values;

/// How deep arrays and objects may stand in each other: far deeper than data is, and no deeper than the parsers of most
/// clients go without a special setting (section 9 allows a limit).
pub const DEPTH: usize = 512;

const WORDS: usize = DEPTH / 64;

/// Reads a JSON text piece by piece.
#[derive(Debug, Clone)]
pub struct Validator {
    state: State,
    /// How many arrays and objects are open.
    depth: usize,
    /// Which of them are objects: a bit for each level.
    objects: [u64; WORDS],
}

/// The bytes are not a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a JSON text")]
pub struct NotJson;

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After `{`.
    NameOrEnd,
    /// After `,` in an object.
    Name,
    Colon,
    /// After a value: what closes or goes on with what it stands in, or the end of the text.
    After,
    Text(Text),
    Number(Number),
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
}

/// Within a string; `name` says whether a colon has to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Text {
    name: bool,
    within: Within,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Plain,
    /// After a backslash.
    Escape,
    /// So many hexadecimal digits are still to come.
    Hex(u8),
    /// So many bytes of a character are still to come; the next one is within these.
    Character {
        left: u8,
        first: u8,
        last: u8,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Digits,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

/// Checks a text that is here.
///
/// # Errors
/// When it is not one JSON text.
pub fn check(text: &[u8]) -> Result<(), NotJson> {
    let mut validator = Validator::default();
    validator.read(text)?;
    validator.finish()
}

impl Default for Validator {
    fn default() -> Self {
        Self { state: State::Value, depth: 0, objects: [0; WORDS] }
    }
}

impl Validator {
    /// Reads on.
    ///
    /// # Errors
    /// When no JSON text can begin with what was read so far.
    pub fn read(&mut self, mut bytes: &[u8]) -> Result<(), NotJson> {
        while let [byte, rest @ ..] = bytes {
            let whole = self.token(*byte, bytes)?;
            if let Some((_, after)) = bytes.split_at_checked(whole).filter(|_| whole > 0) {
                bytes = after;
                continue;
            }
            // A number ends with the byte after it, which is then read for what it is.
            if self.byte(*byte)? {
                bytes = rest;
            }
        }
        Ok(())
    }

    /// How many bytes can be read in one go, which they then are; 0 leaves the first to [`Self::byte`].
    #[inline]
    fn token(&mut self, first: u8, bytes: &[u8]) -> Result<usize, NotJson> {
        let (length, after) = match (self.state, first) {
            (State::Name | State::NameOrEnd, b'"') => match token::string(bytes) {
                // The colon nearly always follows at once.
                length if length > 0 && bytes.get(length) == Some(&b':') => (length + 1, State::Value),
                length => (length, State::Colon),
            },
            (State::Value | State::ValueOrEnd, b'"') => self.value(token::string(bytes), bytes),
            (State::Value | State::ValueOrEnd, b'-' | b'0'..=b'9') => self.value(token::number(bytes), bytes),
            (State::Value | State::ValueOrEnd, b't' | b'f' | b'n') => self.value(token::word(bytes), bytes),
            (State::Text(Text { within: Within::Plain, .. }), _) => return Ok(token::plain_text(bytes)),
            (State::Text(_) | State::Number(_) | State::Word(_), _) => return Ok(0),
            (_, b' ' | b'\t' | b'\n' | b'\r') => return Ok(token::space(bytes)),
            _ => (1, self.sign(first)?),
        };
        if length > 0 {
            self.state = after;
        }
        Ok(length)
    }

    /// A value of this length, with the comma where it follows at once.
    #[inline]
    fn value(&self, length: usize, bytes: &[u8]) -> (usize, State) {
        match bytes.get(length) {
            Some(b',') if length > 0 && self.depth > 0 => (length + 1, self.next()),
            _ => (length, State::After),
        }
    }

    /// What follows a comma.
    #[inline]
    fn next(&self) -> State {
        if self.is_in_object() { State::Name } else { State::Value }
    }

    /// Whether what was read is a whole text.
    ///
    /// # Errors
    /// When more has to come.
    pub fn finish(&self) -> Result<(), NotJson> {
        let number_ends = |number| matches!(number, Number::Zero | Number::Digits | Number::Fraction | Number::Power);
        let ends = match self.state {
            State::After => true,
            State::Number(number) => number_ends(number),
            _ => false,
        };
        if ends && self.depth == 0 { Ok(()) } else { Err(NotJson) }
    }

    /// Whether the byte was taken; if not, it is to be read again.
    fn byte(&mut self, byte: u8) -> Result<bool, NotJson> {
        match self.state {
            State::Text(text) => self.state = text.byte(byte)?,
            State::Number(number) => {
                let Some(number) = number.byte(byte)? else {
                    self.state = State::After;
                    return Ok(false);
                };
                self.state = State::Number(number);
            }
            State::Word([expected, rest @ ..]) if *expected == byte => {
                self.state = if rest.is_empty() { State::After } else { State::Word(rest) };
            }
            State::Word(_) => return Err(NotJson),
            _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => {}
            _ => self.state = self.sign(byte)?,
        }
        Ok(true)
    }

    /// A byte between values that is not white space.
    #[inline]
    fn sign(&mut self, byte: u8) -> Result<State, NotJson> {
        match (self.state, byte) {
            (State::ValueOrEnd, b']') | (State::NameOrEnd, b'}') | (State::After, b']' | b'}') => self.close(byte),
            (State::Value | State::ValueOrEnd, _) => self.begin(byte),
            (State::Name | State::NameOrEnd, b'"') => Ok(State::Text(Text { name: true, within: Within::Plain })),
            (State::Colon, b':') => Ok(State::Value),
            (State::After, b',') if self.depth > 0 => Ok(self.next()),
            _ => Err(NotJson),
        }
    }

    /// The first byte of a value.
    fn begin(&mut self, byte: u8) -> Result<State, NotJson> {
        match byte {
            b'{' => self.open(true).map(|()| State::NameOrEnd),
            b'[' => self.open(false).map(|()| State::ValueOrEnd),
            b'"' => Ok(State::Text(Text { name: false, within: Within::Plain })),
            b'-' => Ok(State::Number(Number::Minus)),
            b'0' => Ok(State::Number(Number::Zero)),
            b'1'..=b'9' => Ok(State::Number(Number::Digits)),
            b't' => Ok(State::Word(b"rue")),
            b'f' => Ok(State::Word(b"alse")),
            b'n' => Ok(State::Word(b"ull")),
            _ => Err(NotJson),
        }
    }

    fn open(&mut self, object: bool) -> Result<(), NotJson> {
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        let level = self.objects.get_mut(word).ok_or(NotJson)?;
        *level = if object { *level | bit } else { *level & !bit };
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self, byte: u8) -> Result<State, NotJson> {
        if self.depth == 0 || self.is_in_object() != (byte == b'}') {
            return Err(NotJson);
        }
        self.depth -= 1;
        Ok(State::After)
    }

    fn is_in_object(&self) -> bool {
        let innermost = self.depth.saturating_sub(1);
        self.objects.get(innermost / 64).is_some_and(|level| level & (1 << (innermost % 64)) != 0)
    }
}

impl Text {
    fn byte(self, byte: u8) -> Result<State, NotJson> {
        let within = match (self.within, byte) {
            (Within::Plain, b'"') => return Ok(if self.name { State::Colon } else { State::After }),
            (Within::Plain, b'\\') => Within::Escape,
            (Within::Plain, b' '..0x80) | (Within::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                Within::Plain
            }
            (Within::Plain, lead) => character(lead)?,
            (Within::Escape, b'u') => Within::Hex(4),
            (Within::Hex(left), digit) if digit.is_ascii_hexdigit() => match left {
                1 => Within::Plain,
                left => Within::Hex(left - 1),
            },
            (Within::Character { left, first, last }, byte) if (first..=last).contains(&byte) => match left {
                1 => Within::Plain,
                left => Within::Character { left: left - 1, first: 0x80, last: 0xbf },
            },
            _ => return Err(NotJson),
        };
        Ok(State::Text(Self { within, ..self }))
    }
}

/// What follows the first byte of a character of several (RFC 3629, section 4).
fn character(lead: u8) -> Result<Within, NotJson> {
    let (left, first, last) = match lead {
        0xc2..=0xdf => (1, 0x80, 0xbf),
        0xe0 => (2, 0xa0, 0xbf),
        0xed => (2, 0x80, 0x9f),
        0xe1..=0xef => (2, 0x80, 0xbf),
        0xf0 => (3, 0x90, 0xbf),
        0xf1..=0xf3 => (3, 0x80, 0xbf),
        0xf4 => (3, 0x80, 0x8f),
        _ => return Err(NotJson),
    };
    Ok(Within::Character { left, first, last })
}

impl Number {
    /// How it goes on; none when it has ended before this byte.
    fn byte(self, byte: u8) -> Result<Option<Self>, NotJson> {
        Ok(Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus | Self::Digits, b'1'..=b'9') | (Self::Digits, b'0') => Self::Digits,
            (Self::Zero | Self::Digits, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Digits | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::Sign,
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Self::Power,
            (Self::Zero | Self::Digits | Self::Fraction | Self::Power, _) => return Ok(None),
            _ => return Err(NotJson),
        }))
    }
}

#[cfg(test)]
mod tests;
