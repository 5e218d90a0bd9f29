//! Checks what filters decided, and applies it in one step.
//!
//! A guest's values are network input: everything is parsed before anything is changed, so a decision that cannot be
//! carried out leaves the message as it was.

use crate::body::ProxyBody;
use crate::config::limits;
use crate::connection::target;
use crate::request::{RequestHead, belongs_to_host};
use crate::wasm::Failure;
use crate::wasm::types;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

mod formatted;

pub use formatted::{Formatted, NoRoom};

/// A header edit whose name and value are known to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderEdit {
    /// Replaces every value.
    Set(HeaderName, HeaderValue),
    /// Adds one more value.
    Append(HeaderName, HeaderValue),
    /// Removes every value.
    Remove(HeaderName),
    /// Replaces every value by one that is put together now, unless it is empty.
    SetFormatted(HeaderName, Formatted),
    /// Adds one more value that is put together now, unless it is empty.
    AppendFormatted(HeaderName, Formatted),
}

impl HeaderEdit {
    /// Applies the edit. `upstream` is who answered, and `room` what is left for values that are put together, in bytes. Where a message has as many headers as it can have, a new one is left out:
    /// it takes several filters that were granted thousands, and a message that nobody takes.
    ///
    /// # Errors
    /// When there is no room for its value: then nothing is changed.
    pub fn apply(self, headers: &mut HeaderMap, upstream: Option<SocketAddr>, room: &mut usize) -> Result<(), NoRoom> {
        match self {
            Self::Set(name, value) => {
                let _ = headers.try_insert(name, value);
            }
            Self::Append(name, value) => {
                let _ = headers.try_append(name, value);
            }
            Self::Remove(name) => {
                headers.remove(name);
            }
            Self::SetFormatted(name, value) => {
                if let Some(value) = value.render(headers, upstream, room)? {
                    let _ = headers.try_insert(name, value);
                }
            }
            Self::AppendFormatted(name, value) => {
                if let Some(value) = value.render(headers, upstream, room)? {
                    let _ = headers.try_append(name, value);
                }
            }
        }
        Ok(())
    }

    /// Whether its value is put together.
    pub fn is_formatted(&self) -> bool {
        matches!(self, Self::SetFormatted(..) | Self::AppendFormatted(..))
    }
}

/// An edit of a request that is known to be good.
enum RequestEdit {
    Header(HeaderEdit),
    Target(PathAndQuery),
    Authority(String),
    Attribute(String, String),
}

impl RequestEdit {
    /// Path and query are edited apart but live in one value, so each edit builds on `target`, which the ones before it
    /// left.
    fn check(edit: types::RequestEdit, target: &mut Cow<'_, PathAndQuery>) -> Result<Self, Failure> {
        Ok(match edit {
            types::RequestEdit::Header(edit) => Self::Header(request_header_edit(edit)?),
            types::RequestEdit::Path(path) => {
                let invalid = || Failure::invalid(format!("{path:?} is not a path"));
                *target = Cow::Owned(target_of(&path, target.query()).ok_or_else(invalid)?);
                Self::Target(target.clone().into_owned())
            }
            types::RequestEdit::Query(query) => {
                // It may hold what the client sent.
                let invalid = || Failure::invalid("it sets a query that a request cannot have");
                *target = Cow::Owned(target_of(target.path(), query.as_deref()).ok_or_else(invalid)?);
                Self::Target(target.clone().into_owned())
            }
            types::RequestEdit::Authority(authority) => Self::Authority(checked_authority(authority)?),
            types::RequestEdit::Attribute(types::Attribute { name, value }) => Self::Attribute(name, value),
        })
    }

    fn apply(self, head: &mut RequestHead) {
        match self {
            // Of a request no value is put together.
            Self::Header(edit) => edit.apply(&mut head.headers, None, &mut 0).unwrap_or_default(),
            Self::Target(target) => head.path_and_query = target,
            Self::Authority(authority) => head.authority = authority,
            Self::Attribute(name, value) => head.attributes.push((Cow::Owned(name), value)),
        }
    }
}

/// Applies a decision's edits of the request, and keeps those of its response in `later`: all of them, or none when one
/// is bad.
pub fn apply(
    edits: Vec<types::RequestEdit>,
    response_edits: Vec<types::HeaderEdit>,
    head: &mut RequestHead,
    later: &mut Vec<HeaderEdit>,
) -> Result<(), Failure> {
    let before = later.len();
    header_edits(response_edits, later)?;
    let applied = request_edits(edits, head);
    if applied.is_err() {
        later.truncate(before);
    }
    applied
}

/// Checks all edits, then applies them all.
fn request_edits(mut edits: Vec<types::RequestEdit>, head: &mut RequestHead) -> Result<(), Failure> {
    // The last edit waits for none after it, so the usual single one needs no list.
    let Some(last) = edits.pop() else { return Ok(()) };
    let mut target = Cow::Borrowed(&head.path_and_query);
    let mut checked = Vec::with_capacity(edits.len());
    for edit in edits {
        checked.push(RequestEdit::check(edit, &mut target)?);
    }
    let last = RequestEdit::check(last, &mut target)?;
    for edit in checked {
        edit.apply(head);
    }
    last.apply(head);
    Ok(())
}

/// Checks header edits and adds them to those that are to be applied later: all of them, or none when one is bad.
pub fn header_edits(edits: Vec<types::HeaderEdit>, later: &mut Vec<HeaderEdit>) -> Result<(), Failure> {
    let before = later.len();
    for edit in edits {
        match header_edit(edit) {
            Ok(edit) => later.push(edit),
            Err(failure) => {
                later.truncate(before);
                return Err(failure);
            }
        }
    }
    Ok(())
}

/// How long to wait before a decision is carried out. It is bounded, as a request that waits takes another one's place.
pub fn delay(milliseconds: Option<u64>) -> Option<Duration> {
    let delay = milliseconds.filter(|&milliseconds| milliseconds > 0).map(Duration::from_millis);
    delay.map(|delay| delay.min(limits::DELAY))
}

/// Checks an answer and turns it into a response. Only an answer to a request can wait, and its delay has been taken out
/// before.
pub fn response(answer: types::Answer) -> Result<Response<ProxyBody>, Failure> {
    at_once(&answer)?;
    head(answer.status, answer.headers).map(|head| head.map(|()| ProxyBody::full(answer.body)))
}

/// Whether an answer can be given later.
///
/// # Errors
/// When it cannot.
pub fn check(answer: &types::Answer) -> Result<(), Failure> {
    at_once(answer)?;
    head(answer.status, answer.headers.clone()).map(drop)
}

fn at_once(answer: &types::Answer) -> Result<(), Failure> {
    if answer.delay.is_some() {
        return Err(Failure::invalid("it delays an answer that cannot wait"));
    }
    Ok(())
}

/// Checks the head of an answer.
pub fn head(status: u16, written: Vec<types::Header>) -> Result<Response<()>, Failure> {
    let known = StatusCode::from_u16(status).ok().filter(|status| (200..600).contains(&status.as_u16()));
    let status = known.ok_or_else(|| Failure::invalid(format!("it answers with status {status}")))?;
    let too_many = |_| Failure::invalid("it answers with more headers than a message can have");
    let mut headers = HeaderMap::try_with_capacity(written.len()).map_err(too_many)?;
    for header in written {
        headers.try_append(name(&header.name)?, value(header.value)?).map_err(too_many)?;
    }
    let mut head = Response::new(());
    *head.status_mut() = status;
    *head.headers_mut() = headers;
    Ok(head)
}

fn header_edit(edit: types::HeaderEdit) -> Result<HeaderEdit, Failure> {
    Ok(match edit {
        types::HeaderEdit::Set(header) => HeaderEdit::Set(name(&header.name)?, value(header.value)?),
        types::HeaderEdit::Append(header) => HeaderEdit::Append(name(&header.name)?, value(header.value)?),
        types::HeaderEdit::Remove(header) => HeaderEdit::Remove(name(&header)?),
        types::HeaderEdit::SetFormatted(types::FormattedHeader { name: header, parts }) => {
            HeaderEdit::SetFormatted(name(&header)?, Formatted::check(parts)?)
        }
        types::HeaderEdit::AppendFormatted(types::FormattedHeader { name: header, parts }) => {
            HeaderEdit::AppendFormatted(name(&header)?, Formatted::check(parts)?)
        }
    })
}

fn request_header_edit(edit: types::HeaderEdit) -> Result<HeaderEdit, Failure> {
    match edit {
        types::HeaderEdit::SetFormatted(header) | types::HeaderEdit::AppendFormatted(header) => {
            Err(Failure::invalid(format!("header {:?} of a request is made of its response", header.name)))
        }
        edit => header_edit(edit),
    }
}

fn name(name: &str) -> Result<HeaderName, Failure> {
    let parsed = HeaderName::try_from(name);
    let parsed = parsed.map_err(|_| Failure::invalid(format!("{name:?} is not a header name")))?;
    if belongs_to_host(&parsed) {
        Err(Failure::invalid(format!("header {name:?} belongs to the host")))
    } else {
        Ok(parsed)
    }
}

fn value(value: Vec<u8>) -> Result<HeaderValue, Failure> {
    HeaderValue::try_from(value).map_err(|_| Failure::invalid("a header value holds control characters"))
}

fn target_of(path: &str, query: Option<&str>) -> Option<PathAndQuery> {
    let whole = match query {
        Some(query) => Cow::Owned(format!("{path}?{query}")),
        None => Cow::Borrowed(path),
    };
    // What is refused of a client is no better from a filter; the method does not matter to what begins with a slash.
    if !path.starts_with('/') || path.contains('?') || target::check(b"GET", whole.as_bytes()).is_err() {
        return None;
    }
    PathAndQuery::try_from(whole.as_bytes()).ok()
}

/// An authority that a request can carry.
pub fn checked_authority(authority: String) -> Result<String, Failure> {
    match target::check_authority(authority.as_bytes()) {
        Ok(()) => Ok(authority),
        Err(_) => Err(Failure::invalid(format!("{authority:?} is not an authority"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::FailureKind;

    fn set(name: &str, value: &[u8]) -> types::RequestEdit {
        let header = types::Header { name: name.into(), value: value.to_vec() };
        types::RequestEdit::Header(types::HeaderEdit::Set(header))
    }

    fn apply_to(head: &mut RequestHead, edits: Vec<types::RequestEdit>) -> Result<(), Failure> {
        apply(edits, Vec::new(), head, &mut Vec::new())
    }

    fn remove(name: &str) -> types::HeaderEdit {
        types::HeaderEdit::Remove(name.into())
    }

    #[test]
    fn edits_build_on_each_other() {
        let mut head = RequestHead { path_and_query: PathAndQuery::from_static("/a?x=1"), ..RequestHead::default() };
        let edits = vec![types::RequestEdit::Path("/b".into()), types::RequestEdit::Query(Some("y=2".into()))];
        apply_to(&mut head, edits).unwrap();
        assert_eq!(head.path_and_query.as_str(), "/b?y=2");
    }

    #[test]
    fn what_a_client_sent_as_a_query_is_not_quoted() {
        for edit in [types::RequestEdit::Path("/caf\u{e9}".into()), types::RequestEdit::Query(Some("s3cret#".into()))] {
            let mut head =
                RequestHead { path_and_query: PathAndQuery::from_static("/a?key=s3cret"), ..RequestHead::default() };
            let failure = apply_to(&mut head, vec![edit]).unwrap_err();
            assert!(!failure.message.contains("s3cret"), "{}", failure.message);
        }
    }

    #[test]
    fn one_bad_edit_leaves_the_request_as_it_was() {
        let bad = [
            set("content-length", b"7"),
            set("transfer-encoding", b"chunked"),
            set("bad name", b"x"),
            set("x-evil", b"a\r\nb: c"),
            types::RequestEdit::Path("no-slash".into()),
            types::RequestEdit::Path("/a?b".into()),
            types::RequestEdit::Path("/a b".into()),
            types::RequestEdit::Path("/a\\b".into()),
            types::RequestEdit::Path("/caf\u{e9}".into()),
            types::RequestEdit::Query(Some("a#b".into())),
            types::RequestEdit::Authority("user@host".into()),
            types::RequestEdit::Authority("a b".into()),
            types::RequestEdit::Authority("shop:http".into()),
            types::RequestEdit::Authority("shop%2eexample".into()),
        ];
        for edit in bad {
            for edits in [vec![set("x-good", b"1"), edit.clone()], vec![edit.clone(), set("x-good", b"1")]] {
                let mut head = RequestHead::default();
                let failure = apply_to(&mut head, edits).expect_err(&format!("{edit:?}"));
                assert_eq!(failure.kind, crate::wasm::FailureKind::Invalid);
                assert!(head.headers.is_empty(), "{edit:?}");
            }
        }
    }

    #[test]
    fn edits_are_applied_in_their_order() {
        let mut head = RequestHead::default();
        apply_to(&mut head, vec![set("x-a", b"1"), set("x-b", b"1"), set("x-a", b"2")]).unwrap();
        assert_eq!((head.headers["x-a"].as_bytes(), head.headers.len()), (&b"2"[..], 2));
    }

    #[test]
    fn edits_of_the_response_are_kept_after_those_of_filters_before() {
        let (mut head, mut later) = (RequestHead::default(), Vec::new());
        header_edits(vec![remove("x-earlier")], &mut later).unwrap();
        apply(vec![set("x-a", b"1")], vec![remove("x-later")], &mut head, &mut later).unwrap();
        let expected = ["x-earlier", "x-later"].map(|name| HeaderEdit::Remove(HeaderName::from_static(name)));
        assert_eq!(later, expected);
        assert_eq!(head.headers.len(), 1);
    }

    #[test]
    fn a_decision_with_a_bad_half_leaves_both_as_they_were() {
        let halves = [
            (vec![set("x-a", b"1")], vec![remove("x-good"), remove("bad name")]),
            (vec![set("x-a", b"1"), set("bad name", b"1")], vec![remove("x-good")]),
        ];
        for (edits, response_edits) in halves {
            let (mut head, mut later) = (RequestHead::default(), Vec::new());
            header_edits(vec![remove("x-earlier")], &mut later).unwrap();
            apply(edits, response_edits, &mut head, &mut later).unwrap_err();
            assert_eq!(later, [HeaderEdit::Remove(HeaderName::from_static("x-earlier"))]);
            assert!(head.headers.is_empty());
        }
    }

    #[test]
    fn a_request_cannot_have_a_value_of_its_response() {
        let header = types::FormattedHeader { name: "x-a".into(), parts: vec![types::ValuePart::UpstreamAddress] };
        for edit in [types::HeaderEdit::SetFormatted(header.clone()), types::HeaderEdit::AppendFormatted(header)] {
            let mut head = RequestHead::default();
            assert!(apply_to(&mut head, vec![types::RequestEdit::Header(edit.clone())]).is_err());
            assert!(header_edits(vec![edit], &mut Vec::new()).is_ok());
        }
    }

    #[test]
    fn a_delay_is_at_most_the_limit() {
        assert_eq!(delay(None), None);
        assert_eq!(delay(Some(0)), None);
        assert_eq!(delay(Some(20)), Some(Duration::from_millis(20)));
        assert_eq!(delay(Some(u64::MAX)), Some(limits::DELAY));
    }

    #[test]
    fn an_answer_that_cannot_wait_is_refused_with_a_delay() {
        let answer = types::Answer { status: 200, headers: Vec::new(), body: Vec::new(), delay: Some(1) };
        assert!(response(answer).is_err());
    }

    #[test]
    fn more_headers_than_a_message_can_have_are_refused_or_left_out() {
        let header = |number| types::Header { name: format!("x-{number}"), value: b"1".to_vec() };
        assert_eq!(head(200, (0..30_000).map(header).collect()).unwrap_err().kind, FailureKind::Invalid);
        let edits = (0..30_000)
            .flat_map(|number| [types::HeaderEdit::Set(header(number)), types::HeaderEdit::Append(header(number / 2))]);
        let (mut later, mut headers) = (Vec::new(), HeaderMap::new());
        header_edits(edits.collect(), &mut later).unwrap();
        for edit in later {
            edit.apply(&mut headers, None, &mut 0).unwrap();
        }
        assert!((20_000..60_000).contains(&headers.len()), "{}", headers.len());
    }

    #[test]
    fn an_answer_needs_a_final_status() {
        for status in [0, 42, 101, 199, 600, 1000] {
            let answer = types::Answer { status, headers: Vec::new(), body: Vec::new(), delay: None };
            assert!(response(answer).is_err(), "{status}");
        }
    }
}
