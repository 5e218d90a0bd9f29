//! The parser behind: what an origin server that goes by the letter makes of the bytes that the proxy sends it.
//!
//! Heads are read by `httparse`, framing and chunks by hand after RFC 9112, sections 6 and 7, without a look at the
//! proxy's own code. Whatever the RFC lets a server refuse is refused.

use httparse::{EMPTY_HEADER, Request, Status};

/// More headers than the proxy lets through, with those that it adds.
const HEADERS: usize = 128;

/// A request as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Whether it is HTTP/1.1 and not 1.0.
    pub(crate) is_http_11: bool,
    /// Names in lower case; values without white space around.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) framing: Framing,
    /// As much of it as is there.
    pub(crate) body: Vec<u8>,
}

/// What says how long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// Where the bytes end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Between two requests.
    Between,
    /// In a head.
    InHead,
    /// In a body.
    InBody,
}

impl Read {
    /// The values of a header.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    fn head(bytes: &[u8]) -> Result<Option<(usize, Self)>, String> {
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut request = Request::new(&mut headers);
        let length = match request.parse(bytes).map_err(|error| error.to_string())? {
            Status::Complete(length) => length,
            Status::Partial => return Ok(None),
        };
        let headers = request.headers.iter();
        let headers: Vec<_> =
            headers.map(|header| (header.name.to_ascii_lowercase(), header.value.trim_ascii().to_vec())).collect();
        let mut read = Self {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            is_http_11: request.version == Some(1),
            headers,
            framing: Framing::None,
            body: Vec::new(),
        };
        read.framing = read.find_framing()?;
        Ok(Some((length, read)))
    }

    fn find_framing(&self) -> Result<Framing, String> {
        let codings: Vec<_> = self.values("transfer-encoding").collect();
        let lengths: Vec<_> = self.values("content-length").collect();
        match (codings.as_slice(), lengths.as_slice()) {
            ([], []) => Ok(Framing::None),
            ([], [length]) if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
                let length = std::str::from_utf8(length).ok().and_then(|length| length.parse().ok());
                length.map(Framing::Length).ok_or_else(|| "a content-length over 64 bits".to_owned())
            }
            ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") && self.is_http_11 => Ok(Framing::Chunked),
            _ => Err(format!("framing that two servers read in two ways: {codings:?}, {lengths:?}")),
        }
    }

    /// Takes its body in. Gives how many bytes that are, and whether it is whole.
    fn take_body(&mut self, bytes: &[u8]) -> Result<(usize, bool), String> {
        match self.framing {
            Framing::None => Ok((0, true)),
            Framing::Length(length) => {
                let here = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
                self.body.extend_from_slice(&bytes[..here]);
                Ok((here, u64::try_from(here) == Ok(length)))
            }
            Framing::Chunked => self.take_chunks(bytes),
        }
    }

    fn take_chunks(&mut self, bytes: &[u8]) -> Result<(usize, bool), String> {
        let mut at = 0;
        loop {
            let Some(line) = line(&bytes[at..])? else { return Ok((bytes.len(), false)) };
            let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            if digits == 0 || !matches!(line.get(digits), None | Some(b';')) {
                return Err("a chunk without a size".into());
            }
            let size = std::str::from_utf8(&line[..digits]).map_err(|error| error.to_string())?;
            let size = u64::from_str_radix(size, 16).map_err(|error| error.to_string())?;
            at += line.len() + 2;
            if size == 0 {
                return Ok(trailers(&bytes[at..])?.map_or((bytes.len(), false), |length| (at + length, true)));
            }
            let here = usize::try_from(size).unwrap_or(usize::MAX).min(bytes.len() - at);
            self.body.extend_from_slice(&bytes[at..at + here]);
            at += here;
            match &bytes[at..] {
                [b'\r', b'\n', ..] if u64::try_from(here) == Ok(size) => at += 2,
                [] | [b'\r'] => return Ok((bytes.len(), false)),
                _ => return Err("a chunk that does not end where it says".into()),
            }
        }
    }
}

/// All requests in these bytes.
///
/// # Errors
/// With what is wrong with one of them.
pub(crate) fn read_all(bytes: &[u8]) -> Result<(Vec<Read>, End), String> {
    let (mut all, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let Some((length, mut read)) = Read::head(rest)? else { return Ok((all, End::InHead)) };
        rest = &rest[length..];
        let (length, whole) = read.take_body(rest)?;
        rest = &rest[length..];
        all.push(read);
        if !whole {
            return Ok((all, End::InBody));
        }
    }
    Ok((all, End::Between))
}

/// The line that begins here without its end; none when it is not all there.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, String> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    bytes[..end].strip_suffix(b"\r").map(Some).ok_or_else(|| "a line that ends with LF alone".into())
}

/// How long the trailer section is, with the empty line behind it; none when it is not all there.
fn trailers(bytes: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    while let Some(line) = line(&bytes[at..])? {
        at += line.len() + 2;
        if line.is_empty() {
            return Ok(Some(at));
        }
        let name = line.split(|byte| *byte == b':').next().filter(|name| name.len() < line.len());
        if !name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic)) {
            return Err("a trailer without a name".into());
        }
    }
    Ok(None)
}
