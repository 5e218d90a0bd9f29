//! The body of an answer, while it is written.

use sluicegate_sdk::{BodyPart, BodyValue};

/// The largest answer that is put together here, in bytes: what several parts of the largest default size come to. Bodies
/// that stay with the host do not count.
pub const LARGEST: usize = 8 << 20;

/// A body of text and of bodies that the host has.
#[derive(Debug, Default)]
pub struct Output {
    pieces: Vec<Piece>,
    text: String,
    written: usize,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Body(String),
    Value(BodyValue),
}

/// A place in an output, to come back to.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl Output {
    /// Writes text. Once there is too much of it, nothing is written any more.
    pub fn push(&mut self, text: &str) {
        self.written = self.written.saturating_add(text.len());
        if self.written <= LARGEST {
            self.text.push_str(text);
        }
    }

    /// Lets text be written that may turn out not to be there.
    pub fn append(&mut self, write: impl FnOnce(&mut String) -> bool) -> bool {
        let before = self.text.len();
        let there = write(&mut self.text);
        if there {
            self.written = self.written.saturating_add(self.text.len().saturating_sub(before));
        }
        if !there || self.is_too_large() {
            self.text.truncate(before);
        }
        there
    }

    /// Writes what `write` finds something to write for, with commas between; stops with none where it has none.
    pub fn separated<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Option<bool>,
    ) -> Option<()> {
        let mut first = true;
        for item in items {
            let before = self.mark();
            self.push(if first { "" } else { "," });
            if write(self, item)? {
                first = false;
            } else {
                self.back_to(before);
            }
        }
        Some(())
    }

    /// Puts the body of a call here.
    pub fn body_of(&mut self, call: String) {
        self.put(Piece::Body(call));
    }

    /// Puts a value within the body of a call here.
    pub fn value_of(&mut self, call: String, path: Vec<String>) {
        self.put(Piece::Value(BodyValue { call, path }));
    }

    fn put(&mut self, piece: Piece) {
        self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        self.pieces.push(piece);
    }

    /// Where it stands.
    pub fn mark(&self) -> Mark {
        Mark(self.text.len())
    }

    /// Takes back the text that was written since. No body was put since.
    pub fn back_to(&mut self, mark: Mark) {
        self.text.truncate(mark.0);
    }

    /// Whether there was more than an answer may have.
    pub fn is_too_large(&self) -> bool {
        self.written > LARGEST
    }

    /// Whether the host has to put bodies in, or values of them.
    pub fn has_bodies(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// The text, without bodies.
    pub fn into_text(self) -> String {
        if self.pieces.is_empty() {
            return self.text;
        }
        let text = |piece| if let Piece::Text(text) = piece { text } else { String::new() };
        self.pieces.into_iter().map(text).chain([self.text]).collect()
    }

    /// As the host takes it.
    pub fn into_parts(self) -> Vec<BodyPart> {
        let part = |piece| match piece {
            Piece::Text(text) => BodyPart::Bytes(text.into_bytes()),
            Piece::Body(call) => BodyPart::BodyOf(call),
            Piece::Value(value) => BodyPart::ValueOf(value),
        };
        let last = Piece::Text(self.text);
        let pieces = self.pieces.into_iter().chain([last]);
        pieces.filter(|piece| !matches!(piece, Piece::Text(text) if text.is_empty())).map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bodies_stand_in_the_order_in_which_they_were_written() {
        let mut output = Output::default();
        output.push("{\"a\":");
        output.body_of("a".into());
        let mark = output.mark();
        output.push(",\"b\":");
        output.back_to(mark);
        output.push("}");
        let bytes = |text: &str| BodyPart::Bytes(text.as_bytes().to_vec());
        assert_eq!(output.into_parts(), [bytes("{\"a\":"), BodyPart::BodyOf("a".into()), bytes("}")]);
    }

    #[test]
    fn an_answer_without_end_ends() {
        let mut output = Output::default();
        let text = "a".repeat(LARGEST);
        output.push(&text);
        assert!(!output.is_too_large());
        output.push("a");
        assert!(output.is_too_large());
        assert_eq!(output.into_text().len(), LARGEST);
    }
}
