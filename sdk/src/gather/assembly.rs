//! Answers that the host puts together while it sends them.

use super::{Assembly, BodyPart, BodyValue};
use crate::decision::{Header, RequestDecision};

/// An answer without headers and body yet. Only `on_gathered` may give it.
///
/// ```
/// use sluicegate_sdk::assemble;
/// let answer = assemble(200)
///     .header("content-type", "application/json")
///     .bytes(r#"{"order":"#).body_of("order").bytes("}");
/// assert_eq!(answer.body.len(), 3);
/// ```
pub fn assemble(status: u16) -> Assembly {
    Assembly { status, headers: Vec::new(), body: Vec::new() }
}

impl Assembly {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(Header { name: name.into(), value: value.into() });
        self
    }

    /// Goes on with these bytes. Those that follow each other are one piece.
    #[must_use]
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        match self.body.last_mut() {
            Some(BodyPart::Bytes(before)) => before.extend(bytes),
            _ => self.body.push(BodyPart::Bytes(bytes)),
        }
        self
    }

    /// Goes on with this value as JSON; one that does not serialise, such as a map with keys that are not strings, becomes
    /// `null`.
    #[must_use]
    pub fn json(self, value: &impl serde::Serialize) -> Self {
        self.bytes(serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec()))
    }

    /// Goes on with the body of a call that was made with [`splice`](super::Call::splice) or
    /// [`splice_json`](super::Call::splice_json) and has a good response.
    #[must_use]
    pub fn body_of(mut self, call: impl Into<String>) -> Self {
        self.body.push(BodyPart::BodyOf(call.into()));
        self
    }

    /// Goes on with a value within the body of a call that was made with [`json`](super::Call::json): the one at the end of
    /// this way along members. Only for an answer that a plan [expects](super::Plan::expect).
    #[must_use]
    pub fn value_of<'n>(mut self, call: impl Into<String>, path: impl IntoIterator<Item = &'n str>) -> Self {
        let path = path.into_iter().map(str::to_owned).collect();
        self.body.push(BodyPart::ValueOf(BodyValue { call: call.into(), path }));
        self
    }
}

impl From<Assembly> for RequestDecision {
    fn from(assembly: Assembly) -> Self {
        Self::Assemble(assembly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_follow_each_other_are_one_piece() {
        let answer = assemble(200).bytes("{").json(&"a").bytes(":").body_of("a").bytes("}");
        let expected =
            [BodyPart::Bytes(b"{\"a\":".to_vec()), BodyPart::BodyOf("a".into()), BodyPart::Bytes(b"}".to_vec())];
        assert_eq!(answer.body, expected);
    }
}
