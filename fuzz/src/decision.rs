//! What a filter decides, applied to a message.
//!
//! Written as lines. `h name: value` is a header that the message has; an edit is `= name: value` (set), `+ name: value`
//! (append), `- name` (remove), `p path`, `q query`, `n` (no query), `@ authority`, `$ name: value` (attribute); with `<`
//! before it, an edit of the response, which can be `~ name: value` too (set what is put together); `! status` answers
//! with the headers that `h` has named.
//!
//! - A decision that is within its limits has no more edits and bytes than they say.
//! - Applied, it changes the message as a plain list of headers would be; refused, it changes nothing.
//! - Headers that are the host's stay as they were; the request goes to an upstream as exactly one.

use crate::envelope;
use crate::upstream::{self, Sent};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use sluicegate::config::limits::FORMATTED_PART;
use sluicegate::decision;
use sluicegate::fuzzing::{self, allow_request, allow_response, check_authority};
use sluicegate::request::{RequestHead, belongs_to_host};
use sluicegate::wasm::types::{
    Answer, Attribute, Continuation, FormattedHeader, Header, HeaderEdit as WrittenEdit, RequestDecision, RequestEdit,
    ResponseDecision, ValuePart,
};
use sluicegate::wasm::{Bounds, Grants};
use std::net::{Ipv4Addr, SocketAddr};

/// For values that are put together, in bytes.
const ROOM: usize = 1 << 10;

/// Headers by name and value, as people think of them.
type Plain = Vec<(String, Vec<u8>)>;

/// What was read.
#[derive(Debug, Default)]
struct Written {
    headers: HeaderMap,
    edits: Vec<RequestEdit>,
    response_edits: Vec<WrittenEdit>,
    status: Option<u16>,
}

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let (lines, body) = envelope::split(bytes);
    let mut written = Written::default();
    for line in lines.iter().filter_map(|line| std::str::from_utf8(line).ok()) {
        let _ = written.line(line);
    }
    within_limits(&written);
    request(&written, body);
    response(&written);
    if let Some(status) = written.status {
        answer(&written, status);
    }
}

impl Written {
    fn line(&mut self, line: &str) -> Option<()> {
        let mut characters = line.chars();
        let kind = characters.next()?;
        let rest = characters.as_str().trim();
        match kind {
            'h' => {
                let header = header(rest)?;
                self.headers
                    .append(HeaderName::try_from(&header.name).ok()?, HeaderValue::try_from(header.value).ok()?);
            }
            '!' => self.status = rest.parse().ok(),
            '<' => self.response_edits.push(header_edit(rest)?),
            'p' => self.edits.push(RequestEdit::Path(rest.to_owned())),
            'q' => self.edits.push(RequestEdit::Query(Some(rest.to_owned()))),
            'n' => self.edits.push(RequestEdit::Query(None)),
            '@' => self.edits.push(RequestEdit::Authority(rest.to_owned())),
            '$' => {
                let Header { name, value } = header(rest)?;
                let value = String::from_utf8_lossy(&value).into_owned();
                self.edits.push(RequestEdit::Attribute(Attribute { name, value }));
            }
            _ => self.edits.push(RequestEdit::Header(header_edit(line)?)),
        }
        Some(())
    }
}

fn header(text: &str) -> Option<Header> {
    let (name, value) = text.split_once(':')?;
    // A value may hold what cannot be written in a line.
    let value = value.trim_start().replace("\\n", "\n").replace("\\r", "\r").replace("\\0", "\0");
    Some(Header { name: name.to_owned(), value: value.into_bytes() })
}

fn header_edit(text: &str) -> Option<WrittenEdit> {
    let mut characters = text.chars();
    let kind = characters.next()?;
    let rest = characters.as_str().trim_start();
    Some(match kind {
        '=' => WrittenEdit::Set(header(rest)?),
        '+' => WrittenEdit::Append(header(rest)?),
        '-' => WrittenEdit::Remove(rest.to_owned()),
        '~' | '*' => {
            let Header { name, value } = header(rest)?;
            let parts =
                vec![ValuePart::Literal(value), ValuePart::ResponseHeader("server".into()), ValuePart::UpstreamAddress];
            let formatted = FormattedHeader { name, parts };
            if kind == '~' { WrittenEdit::SetFormatted(formatted) } else { WrittenEdit::AppendFormatted(formatted) }
        }
        _ => return None,
    })
}

/// Small limits, so that inputs reach them.
fn bounds() -> Bounds {
    Bounds { edits: 12, edit_bytes: 400, ..Bounds::default() }
}

fn within_limits(written: &Written) {
    let (bounds, everything) = (bounds(), Grants::everything());
    let (edits, response_edits) = (written.edits.clone(), written.response_edits.clone());
    let count = edits.len() + response_edits.len();
    let bytes = edits.iter().map(size).chain(response_edits.iter().map(header_size)).sum::<usize>();
    let decision = RequestDecision::Next(Continuation { edits, response_edits });
    let within = count <= bounds.edits && bytes <= bounds.edit_bytes;
    assert_eq!(allow_request(&everything, &bounds, &decision).is_ok(), within, "{decision:?}");
    let bytes = written.response_edits.iter().map(header_size).sum::<usize>();
    let within = written.response_edits.len() <= bounds.edits && bytes <= bounds.edit_bytes;
    let decision = ResponseDecision::Next(written.response_edits.clone());
    assert_eq!(allow_response(&everything, &bounds, &decision).is_ok(), within, "{decision:?}");
}

fn size(edit: &RequestEdit) -> usize {
    match edit {
        RequestEdit::Header(edit) => header_size(edit),
        RequestEdit::Path(text) | RequestEdit::Authority(text) | RequestEdit::Query(Some(text)) => text.len(),
        RequestEdit::Query(None) => 0,
        RequestEdit::Attribute(attribute) => attribute.name.len() + attribute.value.len(),
    }
}

fn header_size(edit: &WrittenEdit) -> usize {
    match edit {
        WrittenEdit::Set(header) | WrittenEdit::Append(header) => header.name.len() + header.value.len(),
        WrittenEdit::Remove(name) => name.len(),
        WrittenEdit::SetFormatted(formatted) | WrittenEdit::AppendFormatted(formatted) => {
            let parts = formatted.parts.iter().map(|part| match part {
                ValuePart::Literal(bytes) => bytes.len(),
                ValuePart::ResponseHeader(name) => name.len() + FORMATTED_PART,
                ValuePart::UpstreamAddress => FORMATTED_PART,
            });
            formatted.name.len() + parts.sum::<usize>()
        }
    }
}

fn request(written: &Written, body: &[u8]) {
    // What the sanitiser lets through has none of these but framing of its own.
    let mut headers = written.headers.clone();
    for name in ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "host"] {
        headers.remove(name);
    }
    for name in ["proxy-authorization", "expect"] {
        headers.remove(name);
    }
    let before = RequestHead { authority: "shop".into(), headers, ..RequestHead::default() };
    let (mut head, mut later) = (before.clone(), Vec::new());
    let applied = decision::apply(written.edits.clone(), written.response_edits.clone(), &mut head, &mut later);
    if applied.is_err() {
        assert!(same(&before, &head) && later.is_empty(), "a refused decision has changed the request: {written:?}");
        return;
    }
    assert_eq!(later.len(), written.response_edits.len());
    assert_own_kept(&before.headers, &head.headers);
    let edits = written.edits.iter().filter_map(|edit| match edit {
        RequestEdit::Header(edit) => Some(edit),
        _ => None,
    });
    assert_eq!(sorted(plain(&head.headers)), sorted(edited(plain(&before.headers), edits)), "{written:?}");
    check_authority(head.authority.as_bytes())
        .unwrap_or_else(|error| panic!("{error}, and the authority is {:?}", head.authority));
    // A filter may set these for the next hop, which `upstream` takes for a leak.
    for name in ["proxy-authorization", "expect", "proxy-authenticate"] {
        head.headers.remove(name);
    }
    let host = HeaderValue::from_static("shop");
    let body = Sent::Known(Bytes::copy_from_slice(body));
    let sent = upstream::send(&head, &host, &fuzzing::connection(true), body);
    let sent = sent.unwrap_or_else(|| panic!("an upgrade out of nothing: {written:?}"));
    assert!(sent.values("host").eq([head.authority.as_bytes()]), "{sent:?}");
}

fn response(written: &Written) {
    let mut edits = Vec::new();
    if decision::header_edits(written.response_edits.clone(), &mut edits).is_err() {
        assert!(edits.is_empty());
        return;
    }
    let upstream = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 80);
    let mut headers = written.headers.clone();
    let mut room = ROOM;
    for edit in edits {
        let (is_formatted, before) = (edit.is_formatted(), room);
        let longest = headers.values().map(HeaderValue::len).max().unwrap_or_default();
        let applied = edit.apply(&mut headers, Some(upstream), &mut room);
        assert!(applied.is_ok() || is_formatted);
        if is_formatted {
            let longer = headers.values().map(HeaderValue::len).max().unwrap_or_default();
            assert!(longer <= longest.max(before - room), "longer than what was taken of the room");
        }
    }
    assert_own_kept(&written.headers, &headers);
}

fn answer(written: &Written, status: u16) {
    let headers: Vec<Header> =
        plain(&written.headers).into_iter().map(|(name, value)| Header { name, value }).collect();
    let own = written.headers.keys().any(belongs_to_host);
    let response = decision::response(Answer { status, headers, body: b"body".to_vec(), delay: None });
    assert_eq!(response.is_ok(), (200..600).contains(&status) && !own, "{written:?}");
    if let Ok(response) = response {
        assert_eq!((response.status().as_u16(), response.headers()), (status, &written.headers));
    }
}

fn assert_own_kept(before: &HeaderMap, after: &HeaderMap) {
    let own = |headers: &HeaderMap| -> Plain {
        let names = headers.iter().filter(|(name, _)| belongs_to_host(name));
        sorted(names.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect())
    };
    assert_eq!(own(before), own(after), "a header of the host's has changed");
}

fn plain(headers: &HeaderMap) -> Plain {
    headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}

/// By name; the values of one name stay in their order.
fn sorted(mut headers: Plain) -> Plain {
    headers.sort_by(|one, other| one.0.cmp(&other.0));
    headers
}

fn edited<'a>(mut headers: Plain, edits: impl Iterator<Item = &'a WrittenEdit>) -> Plain {
    for edit in edits {
        match edit {
            WrittenEdit::Set(header) | WrittenEdit::Append(header) => {
                let name = header.name.to_ascii_lowercase();
                if matches!(edit, WrittenEdit::Set(_)) {
                    headers.retain(|(known, _)| *known != name);
                }
                headers.push((name, header.value.clone()));
            }
            WrittenEdit::Remove(name) => headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name)),
            WrittenEdit::SetFormatted(_) | WrittenEdit::AppendFormatted(_) => panic!("{edit:?} of a request"),
        }
    }
    headers
}

fn same(one: &RequestHead, other: &RequestHead) -> bool {
    one.headers == other.headers
        && one.path_and_query == other.path_and_query
        && one.authority == other.authority
        && one.attributes == other.attributes
}
