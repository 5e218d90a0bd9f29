//! The head of one HTTP/1 request, line by line (RFC 9112, sections 2 to 5).
//!
//! A line is looked at once, when its end has arrived, so a head that comes byte by byte costs no more than one that
//! comes whole, and both have the same outcome. Nothing is copied: the caller presents the head from its first byte
//! each time.

use super::characters::{TOKEN, all, all_value, contains, trim};
use super::target;
use crate::config::limits::{HEAD_SIZE, HEADER_COUNT, LINE_SIZE, METHOD_SIZE};
use crate::error::RequestError::{self, BadRequest, HeadTooLarge, NotImplemented, VersionNotSupported};
use std::ops::Range;

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// A body of this many bytes, possibly none.
    Length(u64),
    /// A chunked body.
    Chunked,
    /// Nothing, until the request to speak WebSocket is answered.
    Upgrade,
}

/// How far a head has been read, and what its lines said.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    line_start: usize,
    scanned: usize,
    fields: usize,
    line: Line,
    facts: Facts,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    /// An empty line may stand before the request line (RFC 9112, section 2.2): one, not more.
    #[default]
    First,
    Request,
    Field,
}

#[allow(clippy::struct_excessive_bools, reason = "independent facts, not a state")]
#[derive(Debug, Clone, Default)]
struct Facts {
    is_get: bool,
    is_http_11: bool,
    authority: Option<Range<usize>>,
    host: Option<Range<usize>>,
    length: Option<u64>,
    chunked: bool,
    connection_upgrade: bool,
    websocket: bool,
}

impl Head {
    /// Reads on in `bytes`, which begin with the head's first byte. Gives the head's length and what follows it, once
    /// it is complete.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<Option<(usize, Framing)>, RequestError> {
        match bytes.first() {
            None => return Ok(None),
            // What is not HTTP at all, such as TLS, should not have to wait for a line feed.
            Some(&byte) if byte != b'\r' && !contains(&TOKEN, byte) => {
                return Err(BadRequest("the request does not begin with a method"));
            }
            Some(_) => {}
        }
        loop {
            let rest = bytes.get(self.scanned..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', rest) else {
                self.scanned = bytes.len();
                self.check_size(bytes.len())?;
                return Ok(None);
            };
            let end = self.scanned + at + 1;
            self.check_size(end)?;
            let line = bytes.get(self.line_start..end - 1).unwrap_or_default();
            let line = line.strip_suffix(b"\r").ok_or(BadRequest("a line ends with LF alone"))?;
            let start = std::mem::replace(&mut self.line_start, end);
            self.scanned = end;
            if self.take(line, start)? {
                return Ok(Some((end, self.facts.framing(bytes)?)));
            }
        }
    }

    /// One line without its CRLF, which begins at `start`. Whether the head ends with it.
    fn take(&mut self, line: &[u8], start: usize) -> Result<bool, RequestError> {
        match (self.line, line) {
            (Line::First, []) => self.line = Line::Request,
            (Line::First | Line::Request, _) => {
                self.facts.request_line(line, start)?;
                self.line = Line::Field;
            }
            (Line::Field, []) => return Ok(true),
            (Line::Field, _) => {
                self.fields += 1;
                if self.fields > HEADER_COUNT {
                    return Err(HeadTooLarge("more than 100 headers"));
                }
                self.facts.field(line, start)?;
            }
        }
        Ok(false)
    }

    /// The limit that is crossed first decides, so that it does not matter how the head was cut into reads.
    fn check_size(&self, end: usize) -> Result<(), RequestError> {
        let line_limit = self.line_start + LINE_SIZE;
        if end <= line_limit.min(HEAD_SIZE) {
            Ok(())
        } else if line_limit < HEAD_SIZE {
            Err(HeadTooLarge("a line of the request head is over 16 KiB"))
        } else {
            Err(HeadTooLarge("the request head is over 32 KiB"))
        }
    }
}

impl Facts {
    fn request_line(&mut self, line: &[u8], start: usize) -> Result<(), RequestError> {
        let malformed = BadRequest("the request line is not: method, space, target, space, version");
        let space = memchr::memchr(b' ', line).ok_or(malformed.clone())?;
        let (method, rest) = line.split_at_checked(space).unwrap_or_default();
        let rest = rest.get(1..).unwrap_or_default();
        let space = memchr::memchr(b' ', rest).ok_or(malformed)?;
        let (target, version) = rest.split_at_checked(space).unwrap_or_default();
        check_method(method)?;
        self.is_http_11 = check_version(version.get(1..).unwrap_or_default())?;
        self.is_get = method == b"GET";
        if let Some(authority) = target::check(method, target)? {
            // After the method and the space, the scheme and `://`.
            let scheme = memchr::memchr(b':', target).unwrap_or_default() + 3;
            let from = start + method.len() + 1 + scheme;
            self.authority = Some(from..from + authority.len());
        }
        Ok(())
    }

    fn field(&mut self, line: &[u8], start: usize) -> Result<(), RequestError> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(BadRequest("a header is folded over several lines"));
        }
        let colon = memchr::memchr(b':', line).ok_or(BadRequest("a header has no colon"))?;
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default();
        check_name(name)?;
        if !all_value(value) {
            return Err(BadRequest(match memchr::memchr(b'\r', value) {
                Some(_) => "a header value has CR without LF",
                None => "a header value has a control character",
            }));
        }
        self.known_field(name, value, start + colon + 1)
    }

    /// The fields that decide on framing and destination; told apart by length first, as most are none of them.
    fn known_field(&mut self, name: &[u8], value: &[u8], start: usize) -> Result<(), RequestError> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value, start),
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.websocket = trim(value).0.eq_ignore_ascii_case(b"websocket");
                Ok(())
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.connection_upgrade |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"upgrade"));
                Ok(())
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8], start: usize) -> Result<(), RequestError> {
        if self.host.is_some() {
            return Err(BadRequest("more than one host header"));
        }
        let (host, blanks) = trim(value);
        target::check_authority(host)?;
        self.host = Some(start + blanks..start + blanks + host.len());
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), RequestError> {
        if self.length.is_some() {
            return Err(BadRequest("more than one content-length"));
        }
        let (digits, _) = trim(value);
        let parsed = (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
            .then(|| std::str::from_utf8(digits).ok()?.parse::<i64>().ok()?.try_into().ok())
            .flatten();
        self.length = Some(parsed.ok_or(BadRequest("the content-length is not a number of bytes"))?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), RequestError> {
        if self.chunked {
            return Err(BadRequest("more than one transfer-encoding"));
        }
        let (coding, _) = trim(value);
        if coding.eq_ignore_ascii_case(b"chunked") {
            self.chunked = true;
            return Ok(());
        }
        let is_unknown =
            |coding: &[u8]| all(&TOKEN, coding) && !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity");
        let chunked = tokens(coding).filter(|coding| coding.eq_ignore_ascii_case(b"chunked")).count();
        let last_only = chunked == 0 || tokens(coding).last().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
        if tokens(coding).all(is_unknown) && chunked <= 1 && last_only {
            return Err(NotImplemented("the only transfer coding known is chunked"));
        }
        Err(BadRequest("the transfer-encoding is malformed"))
    }

    /// The decisions that need the whole head.
    fn framing(&self, head: &[u8]) -> Result<Framing, RequestError> {
        if self.is_http_11 && self.host.is_none() {
            return Err(BadRequest("the host header is missing"));
        }
        if let (Some(authority), Some(host)) = (&self.authority, &self.host) {
            let text = |range: &Range<usize>| head.get(range.clone()).unwrap_or_default();
            if !target::same_authority(text(authority), text(host)) {
                return Err(BadRequest("the host header differs from the request target"));
            }
        }
        if self.chunked && !self.is_http_11 {
            return Err(BadRequest("transfer-encoding in HTTP/1.0"));
        }
        if self.chunked && self.length.is_some() {
            return Err(BadRequest("content-length beside transfer-encoding"));
        }
        let length = self.length.unwrap_or(0);
        if self.is_get && self.is_http_11 && self.connection_upgrade && self.websocket {
            if self.chunked || length > 0 {
                return Err(BadRequest("a request to upgrade has a body"));
            }
            return Ok(Framing::Upgrade);
        }
        Ok(if self.chunked { Framing::Chunked } else { Framing::Length(length) })
    }
}

fn check_method(method: &[u8]) -> Result<(), RequestError> {
    if method.is_empty() || !all(&TOKEN, method) {
        return Err(BadRequest("the method is not a token"));
    }
    if method == b"CONNECT" {
        return Err(NotImplemented("the method CONNECT is not implemented"));
    }
    if method.len() > METHOD_SIZE {
        return Err(NotImplemented("the method is longer than any known one"));
    }
    Ok(())
}

/// Whether it is 1.1 and not 1.0.
fn check_version(version: &[u8]) -> Result<bool, RequestError> {
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(VersionNotSupported),
        _ => Err(BadRequest("the request line does not end with an HTTP version")),
    }
}

fn check_name(name: &[u8]) -> Result<(), RequestError> {
    if all(&TOKEN, name) && !name.is_empty() {
        return Ok(());
    }
    Err(BadRequest(match name.last() {
        None => "a header has no name",
        Some(b' ' | b'\t') => "blank between a header name and its colon",
        Some(_) => "a header name has an invalid character",
    }))
}

fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(|token| trim(token).0)
}
