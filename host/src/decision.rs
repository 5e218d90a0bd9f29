//! Checks what filters decided, and applies it in one step.
//!
//! A guest's values are network input: everything is parsed before anything is changed, so a decision that cannot be
//! carried out leaves the message as it was.

use crate::body::ProxyBody;
use crate::config::limits;
use crate::request::RequestHead;
use crate::wasm::Failure;
use crate::wasm::types;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

mod formatted;

pub use formatted::Formatted;

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
    /// Applies the edit. `upstream` is who answered.
    pub fn apply(self, headers: &mut HeaderMap, upstream: Option<SocketAddr>) {
        match self {
            Self::Set(name, value) => {
                headers.insert(name, value);
            }
            Self::Append(name, value) => {
                headers.append(name, value);
            }
            Self::Remove(name) => {
                headers.remove(name);
            }
            Self::SetFormatted(name, value) => {
                if let Some(value) = value.render(headers, upstream) {
                    headers.insert(name, value);
                }
            }
            Self::AppendFormatted(name, value) => {
                if let Some(value) = value.render(headers, upstream) {
                    headers.append(name, value);
                }
            }
        }
    }
}

enum RequestEdit {
    Header(HeaderEdit),
    Target(PathAndQuery),
    Authority(String),
    Attribute(String, String),
}

/// Checks all edits, then applies them all.
pub fn apply(edits: Vec<types::RequestEdit>, head: &mut RequestHead) -> Result<(), Failure> {
    if edits.is_empty() {
        return Ok(());
    }
    // Path and query are edited apart but live in one value, so each edit builds on the ones before it.
    let mut target = Cow::Borrowed(&head.path_and_query);
    let mut checked = Vec::with_capacity(edits.len());
    for edit in edits {
        checked.push(match edit {
            types::RequestEdit::Header(edit) => RequestEdit::Header(request_header_edit(edit)?),
            types::RequestEdit::Path(path) => {
                target = Cow::Owned(target_of(&path, target.query())?);
                RequestEdit::Target(target.clone().into_owned())
            }
            types::RequestEdit::Query(query) => {
                target = Cow::Owned(target_of(target.path(), query.as_deref())?);
                RequestEdit::Target(target.clone().into_owned())
            }
            types::RequestEdit::Authority(authority) => RequestEdit::Authority(checked_authority(authority)?),
            types::RequestEdit::Attribute(types::Attribute { name, value }) => RequestEdit::Attribute(name, value),
        });
    }
    for edit in checked {
        match edit {
            RequestEdit::Header(edit) => edit.apply(&mut head.headers, None),
            RequestEdit::Target(target) => head.path_and_query = target,
            RequestEdit::Authority(authority) => head.authority = authority,
            RequestEdit::Attribute(name, value) => head.attributes.push((Cow::Owned(name), value)),
        }
    }
    Ok(())
}

/// Checks header edits, to be applied later.
pub fn header_edits(edits: Vec<types::HeaderEdit>) -> Result<Vec<HeaderEdit>, Failure> {
    edits.into_iter().map(header_edit).collect()
}

/// How long to wait before a decision is carried out. It is bounded, as a request that waits takes another one's place.
pub fn delay(milliseconds: Option<u64>) -> Option<Duration> {
    let delay = milliseconds.filter(|&milliseconds| milliseconds > 0).map(Duration::from_millis);
    delay.map(|delay| delay.min(limits::DELAY))
}

/// Checks an answer and turns it into a response. Only an answer to a request can wait, and its delay has been taken out
/// before.
pub fn response(answer: types::Answer) -> Result<Response<ProxyBody>, Failure> {
    if answer.delay.is_some() {
        return Err(Failure::invalid("it delays an answer that cannot wait"));
    }
    let status = StatusCode::from_u16(answer.status).ok().filter(|status| (200..600).contains(&status.as_u16()));
    let status = status.ok_or_else(|| Failure::invalid(format!("it answers with status {}", answer.status)))?;
    let mut headers = HeaderMap::with_capacity(answer.headers.len());
    for header in answer.headers {
        headers.append(name(&header.name)?, value(header.value)?);
    }
    let mut response = Response::new(ProxyBody::full(answer.body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
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

/// Framing and hop-by-hop headers are the host's own (RFC 9110, section 7.6.1); `host` is edited as the authority.
fn name(name: &str) -> Result<HeaderName, Failure> {
    let parsed = HeaderName::try_from(name);
    let parsed = parsed.map_err(|_| Failure::invalid(format!("{name:?} is not a header name")))?;
    let own = matches!(
        parsed.as_str(),
        "connection"
            | "content-length"
            | "host"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    );
    if own { Err(Failure::invalid(format!("header {name:?} belongs to the host"))) } else { Ok(parsed) }
}

fn value(value: Vec<u8>) -> Result<HeaderValue, Failure> {
    HeaderValue::try_from(value).map_err(|_| Failure::invalid("a header value holds control characters"))
}

fn target_of(path: &str, query: Option<&str>) -> Result<PathAndQuery, Failure> {
    let whole = match query {
        Some(query) => Cow::Owned(format!("{path}?{query}")),
        None => Cow::Borrowed(path),
    };
    let invalid = || Failure::invalid(format!("{whole:?} is not a path and query"));
    if !path.starts_with('/') || path.contains(['?', '#']) || whole.contains('#') {
        return Err(invalid());
    }
    PathAndQuery::try_from(whole.as_bytes()).map_err(|_| invalid())
}

/// An authority that a request can carry.
pub fn checked_authority(authority: String) -> Result<String, Failure> {
    match authority.parse::<http::uri::Authority>() {
        Ok(parsed) if !parsed.as_str().contains('@') => Ok(authority),
        _ => Err(Failure::invalid(format!("{authority:?} is not an authority"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &[u8]) -> types::RequestEdit {
        let header = types::Header { name: name.into(), value: value.to_vec() };
        types::RequestEdit::Header(types::HeaderEdit::Set(header))
    }

    #[test]
    fn edits_build_on_each_other() {
        let mut head = RequestHead { path_and_query: PathAndQuery::from_static("/a?x=1"), ..RequestHead::default() };
        let edits = vec![types::RequestEdit::Path("/b".into()), types::RequestEdit::Query(Some("y=2".into()))];
        apply(edits, &mut head).unwrap();
        assert_eq!(head.path_and_query.as_str(), "/b?y=2");
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
            types::RequestEdit::Query(Some("a#b".into())),
            types::RequestEdit::Authority("user@host".into()),
            types::RequestEdit::Authority("a b".into()),
        ];
        for edit in bad {
            let mut head = RequestHead::default();
            let failure = apply(vec![set("x-good", b"1"), edit.clone()], &mut head).expect_err(&format!("{edit:?}"));
            assert_eq!(failure.kind, crate::wasm::FailureKind::Invalid);
            assert!(head.headers.is_empty(), "{edit:?}");
        }
    }

    #[test]
    fn a_request_cannot_have_a_value_of_its_response() {
        let header = types::FormattedHeader { name: "x-a".into(), parts: vec![types::ValuePart::UpstreamAddress] };
        for edit in [types::HeaderEdit::SetFormatted(header.clone()), types::HeaderEdit::AppendFormatted(header)] {
            let mut head = RequestHead::default();
            assert!(apply(vec![types::RequestEdit::Header(edit.clone())], &mut head).is_err());
            assert!(header_edits(vec![edit]).is_ok());
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
    fn an_answer_needs_a_final_status() {
        for status in [0, 42, 101, 199, 600, 1000] {
            let answer = types::Answer { status, headers: Vec::new(), body: Vec::new(), delay: None };
            assert!(response(answer).is_err(), "{status}");
        }
    }
}
