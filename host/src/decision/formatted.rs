//! Header values that are put together once the response is there.

use crate::wasm::{Failure, types};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::net::SocketAddr;

/// A value would be longer than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// A value whose pieces are known to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(HeaderValue),
    ResponseHeader(HeaderName),
    UpstreamAddress,
}

impl Formatted {
    /// Checks the pieces: whatever they come to be is a header value then.
    pub(super) fn check(parts: Vec<types::ValuePart>) -> Result<Self, Failure> {
        let part = |part| {
            Ok(match part {
                types::ValuePart::Literal(bytes) => Part::Literal(super::value(bytes)?),
                types::ValuePart::ResponseHeader(name) => Part::ResponseHeader(readable(&name)?),
                types::ValuePart::UpstreamAddress => Part::UpstreamAddress,
            })
        };
        parts.into_iter().map(part).collect::<Result<_, _>>().map(Self)
    }

    /// The value for a response with these headers that came from `upstream`; none when it comes out empty. It is taken from
    /// the room that is left: values that are made of each other would double with each edit.
    ///
    /// # Errors
    /// When there is not enough room.
    pub(super) fn render(
        &self,
        headers: &HeaderMap,
        upstream: Option<SocketAddr>,
        room: &mut usize,
    ) -> Result<Option<HeaderValue>, NoRoom> {
        let mut value = Vec::new();
        for part in &self.0 {
            let address;
            let bytes = match part {
                Part::Literal(text) => text.as_bytes(),
                Part::ResponseHeader(name) => headers.get(name).map_or(&[][..], HeaderValue::as_bytes),
                Part::UpstreamAddress => {
                    address = upstream.map(|address| address.to_string()).unwrap_or_default();
                    address.as_bytes()
                }
            };
            *room = room.checked_sub(bytes.len()).ok_or(NoRoom)?;
            value.extend_from_slice(bytes);
        }
        Ok(HeaderValue::try_from(value).ok().filter(|value| !value.is_empty()))
    }
}

fn readable(name: &str) -> Result<HeaderName, Failure> {
    HeaderName::try_from(name).map_err(|_| Failure::invalid(format!("{name:?} is not a header name")))
}

#[cfg(test)]
mod tests {
    use super::super::{HeaderEdit, header_edits};
    use super::*;

    fn edit(parts: Vec<types::ValuePart>) -> Result<HeaderEdit, Failure> {
        let header = types::FormattedHeader { name: "x-by".into(), parts };
        let mut edits = Vec::new();
        header_edits(vec![types::HeaderEdit::SetFormatted(header)], &mut edits).map(|()| edits.remove(0))
    }

    fn applied(parts: Vec<types::ValuePart>, upstream: Option<SocketAddr>) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("server", HeaderValue::from_static("origin"));
        edit(parts).unwrap().apply(&mut headers, upstream, &mut 100).unwrap();
        headers.get("x-by").map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_value_is_made_of_the_response_and_of_who_answered() {
        let parts = || {
            vec![
                types::ValuePart::ResponseHeader("Server".into()),
                types::ValuePart::Literal(b" at ".to_vec()),
                types::ValuePart::UpstreamAddress,
            ]
        };
        let upstream = "127.0.0.1:8080".parse().ok();
        assert_eq!(applied(parts(), upstream).as_deref(), Some("origin at 127.0.0.1:8080"));
        assert_eq!(applied(parts(), None).as_deref(), Some("origin at "));
    }

    #[test]
    fn a_value_that_comes_out_empty_is_not_set() {
        assert_eq!(applied(vec![types::ValuePart::ResponseHeader("x-none".into())], None), None);
        assert_eq!(applied(Vec::new(), None), None);
    }

    #[test]
    fn values_that_are_made_of_each_other_end_with_the_room_for_them() {
        let mut headers = HeaderMap::new();
        headers.insert("x-by", HeaderValue::from_static("0123456789"));
        let twice = || edit(vec![types::ValuePart::ResponseHeader("x-by".into()); 2]).unwrap();
        let mut room = 100;
        let applied: Vec<_> = (0..4).map(|_| twice().apply(&mut headers, None, &mut room)).collect();
        assert_eq!(applied, [Ok(()), Ok(()), Err(NoRoom), Err(NoRoom)]);
        assert_eq!(headers["x-by"].len(), 40, "what does not fit is left out");
    }

    #[test]
    fn bad_pieces_are_refused_before_anything_is_changed() {
        assert!(edit(vec![types::ValuePart::Literal(b"a\r\nb: c".to_vec())]).is_err());
        assert!(edit(vec![types::ValuePart::ResponseHeader("a b".into())]).is_err());
        let own = types::FormattedHeader { name: "content-length".into(), parts: Vec::new() };
        assert!(header_edits(vec![types::HeaderEdit::AppendFormatted(own)], &mut Vec::new()).is_err());
    }
}
