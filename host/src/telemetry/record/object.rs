//! Writes members of a JSON object. Whatever a client controls is escaped and cut to a bound, so that a line is always
//! one line.

use std::io::Write;
use std::time::{Duration, SystemTime};

/// The longest value a client controls, in bytes: enough to recognise it, too little to flood the log.
pub(super) const VALUE_SIZE: usize = 2048;

/// Members of a JSON object, after its first. Writing into memory cannot fail, so results of `write!` are ignored.
pub(super) struct Object<'a> {
    pub(super) out: &'a mut Vec<u8>,
}

impl Object<'_> {
    pub(super) fn key(&mut self, key: &str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub(super) fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        let _ = write!(self.out, "{number}");
    }

    /// A value of the proxy's own that needs no escaping.
    pub(super) fn display(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        let _ = write!(self.out, "\"{value}\"");
    }

    /// Seconds with microseconds.
    pub(super) fn seconds(&mut self, key: &str, duration: Duration) {
        self.key(key);
        let _ = write!(self.out, "{}.{:06}", duration.as_secs(), duration.subsec_micros());
    }

    /// Milliseconds with microseconds.
    pub(super) fn milliseconds(&mut self, key: &str, duration: Duration) {
        self.key(key);
        let _ = write!(self.out, "{}.{:03}", duration.as_millis(), duration.subsec_micros() % 1_000);
    }

    pub(super) fn time(&mut self, time: SystemTime) {
        if let Ok(time) = jiff::Timestamp::try_from(time) {
            let _ = write!(self.out, "{time:.3}");
        }
    }

    pub(super) fn text(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        self.out.push(b'"');
        let (kept, cut) = match value.get(..VALUE_SIZE) {
            Some(kept) if value.len() > VALUE_SIZE => (kept, true),
            _ => (value, false),
        };
        escape(kept, self.out);
        if cut {
            self.out.extend_from_slice("…".as_bytes());
        }
        self.out.push(b'"');
    }
}

/// As much of a value as a record has room for.
pub(super) fn cut(value: &[u8]) -> &[u8] {
    value.get(..VALUE_SIZE).unwrap_or(value)
}

/// Appends bytes as the inside of a JSON string: control characters, those of terminals included, are escaped, and
/// what is not UTF-8 becomes U+FFFD.
pub(super) fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    let plain = |byte: &u8| (b' '..0x7f).contains(byte) && *byte != b'"' && *byte != b'\\';
    if bytes.iter().all(plain) {
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => out.extend_from_slice(&[b'\\', if character == '"' { b'"' } else { b'\\' }]),
                _ if character.is_control() || is_hidden(character) => {
                    let _ = write!(out, "\\u{:04x}", u32::from(character));
                }
                _ => {
                    let mut encoded = [0; 4];
                    out.extend_from_slice(character.encode_utf8(&mut encoded).as_bytes());
                }
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Separators that some readers take for line ends, and marks that turn the direction of text around.
fn is_hidden(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
