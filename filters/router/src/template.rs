//! Header values with substitutions, such as `%REQ(x-user?x-client):8%`.

use crate::code;
use crate::host;
use crate::report::{Place, Report};
use crate::time;
use crate::view::View;
use sluicegate_sdk::{Header, ValuePart};

const KNOWN: &str = "known are %REQ(NAME)%, %REQ(NAME?OTHER):LENGTH%, %RESP(NAME)%, %START_TIME%, %PROTOCOL%, %HOSTNAME%, \
                     %UPSTREAM_HOST%, %DOWNSTREAM_REMOTE_ADDRESS%, %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%, and %% for a \
                     percent sign";

/// A value that is put together for each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    /// The first of these headers that is there, cut to a length in bytes.
    Header {
        name: String,
        alternative: Option<String>,
        length: Option<usize>,
    },
    Protocol,
    PeerAddress,
    PeerHost,
    StartTime,
    Hostname,
    /// Of the response, so that only the host can tell.
    ResponseHeader(String),
    /// Known with the response.
    UpstreamAddress,
}

/// Which message a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The request: nothing of the response is known.
    Request,
    /// The response.
    Response,
}

/// What a value has come to.
#[derive(Debug, PartialEq)]
pub enum Rendered {
    /// All of it is known.
    Known(Vec<u8>),
    /// Some of it the host puts in.
    Parts(Vec<ValuePart>),
}

impl Template {
    /// Resolves a value as written.
    pub fn resolve(text: &str, side: Side, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            let message = "the value has a control character";
            report.error(place, code::HEADER_VALUE, message, "write the value on one line");
            return None;
        }
        match parse(text) {
            Ok(pieces) => {
                if side == Side::Request && pieces.iter().any(Piece::is_of_response) {
                    let message = "a request has no response yet, so a part of the value is always empty";
                    report.warning(place, code::HEADER_VALUE, message, "set the header in `headers.response`");
                }
                Some(Self(pieces))
            }
            Err(reason) => {
                report.error(place, code::HEADER_VALUE, reason, KNOWN);
                None
            }
        }
    }

    /// A value without substitutions, whatever it looks like.
    pub fn literal(text: &str) -> Self {
        Self(vec![Piece::Literal(text.as_bytes().to_vec())])
    }

    /// The value, where it is the same for every request.
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Literal(text)] => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The value for a request; what a request lacks comes out empty, and so does what its response will have.
    pub fn render(&self, view: &View<'_>) -> Vec<u8> {
        self.render_with(view, &[])
    }

    /// The value for a response of the filter's own that has these headers.
    pub fn render_with(&self, view: &View<'_>, headers: &[Header]) -> Vec<u8> {
        let mut value = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::ResponseHeader(name) => {
                    let found = headers.iter().find(|header| header.name == *name);
                    value.extend_from_slice(found.map_or(&[], |header| &header.value));
                }
                piece => piece.render(view, &mut value),
            }
        }
        value
    }

    /// The value for a response that is still to come.
    pub fn prepare(&self, view: &View<'_>) -> Rendered {
        if !self.0.iter().any(Piece::is_of_response) {
            return Rendered::Known(self.render(view));
        }
        let mut parts = Vec::new();
        let mut known = Vec::new();
        for piece in &self.0 {
            let part = match piece {
                Piece::ResponseHeader(name) => ValuePart::ResponseHeader(name.clone()),
                Piece::UpstreamAddress => ValuePart::UpstreamAddress,
                piece => {
                    piece.render(view, &mut known);
                    continue;
                }
            };
            if !known.is_empty() {
                parts.push(ValuePart::Literal(std::mem::take(&mut known)));
            }
            parts.push(part);
        }
        if !known.is_empty() {
            parts.push(ValuePart::Literal(known));
        }
        Rendered::Parts(parts)
    }
}

impl Piece {
    fn is_of_response(&self) -> bool {
        matches!(self, Self::ResponseHeader(_) | Self::UpstreamAddress)
    }

    fn render(&self, view: &View<'_>, value: &mut Vec<u8>) {
        let attribute = |name| view.attribute(name).unwrap_or_default();
        let peer = || attribute("peer.address");
        match self {
            Self::Literal(text) => value.extend_from_slice(text),
            Self::ResponseHeader(_) | Self::UpstreamAddress => {}
            Self::Protocol => value.extend(attribute("protocol").into_bytes()),
            Self::Hostname => value.extend(attribute("proxy.hostname").into_bytes()),
            Self::StartTime => {
                let started = attribute("request.time").parse().ok();
                value.extend(started.map(time::text).unwrap_or_default().into_bytes());
            }
            Self::PeerAddress => value.extend(peer().into_bytes()),
            Self::PeerHost => {
                let peer = peer();
                value.extend_from_slice(host::without_port(&peer).trim_matches(['[', ']']).as_bytes());
            }
            Self::Header { name, alternative, length } => {
                let found = read_header(view, name).or_else(|| read_header(view, alternative.as_deref()?));
                let found = found.unwrap_or_default();
                value.extend_from_slice(length.and_then(|length| found.get(..length)).unwrap_or(&found));
            }
        }
    }
}

fn read_header(view: &View<'_>, name: &str) -> Option<Vec<u8>> {
    if name.starts_with(':') || name == "host" {
        return view.with_header(name, |value| value.map(<[u8]>::to_vec));
    }
    view.first_value(name)
}

fn parse(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        literal.extend_from_slice(before.as_bytes());
        if let Some(after) = after.strip_prefix('%') {
            literal.push(b'%');
            rest = after;
            continue;
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        let Some((inside, after)) = after.split_once('%') else {
            return Err(format!("`%{after}` is a percent sign that starts no substitution"));
        };
        pieces.push(substitution(inside)?);
        rest = after;
    }
    literal.extend_from_slice(rest.as_bytes());
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

fn substitution(inside: &str) -> Result<Piece, String> {
    match inside {
        "PROTOCOL" => Ok(Piece::Protocol),
        "START_TIME" => Ok(Piece::StartTime),
        "HOSTNAME" => Ok(Piece::Hostname),
        "UPSTREAM_HOST" => Ok(Piece::UpstreamAddress),
        "DOWNSTREAM_REMOTE_ADDRESS" => Ok(Piece::PeerAddress),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Ok(Piece::PeerHost),
        _ => header(inside)
            .or_else(|| response_header(inside))
            .ok_or_else(|| format!("`%{inside}%` is not a substitution that can be made here")),
    }
}

/// `REQ(NAME)`, `REQ(NAME?OTHER)`, either with `:LENGTH`.
fn header(inside: &str) -> Option<Piece> {
    let (arguments, length) = inside.strip_prefix("REQ(")?.rsplit_once(')')?;
    let length = match length.strip_prefix(':') {
        Some(length) => Some(length.parse().ok()?),
        None if length.is_empty() => None,
        None => return None,
    };
    let (name, alternative) = match arguments.split_once('?') {
        Some((name, alternative)) => (name, Some(readable(alternative)?)),
        None => (arguments, None),
    };
    Some(Piece::Header { name: readable(name)?, alternative, length })
}

/// `RESP(NAME)`.
fn response_header(inside: &str) -> Option<Piece> {
    let name = inside.strip_prefix("RESP(")?.strip_suffix(')')?.to_ascii_lowercase();
    crate::header::is_token(&name).then_some(Piece::ResponseHeader(name))
}

fn readable(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let pseudo = [":method", ":path", ":scheme", ":authority"].contains(&name.as_str());
    (pseudo || crate::header::is_token(&name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::TestRequest;

    fn render(text: &str) -> String {
        let request = TestRequest::get("/orders?page=2").authority("shop:80").header("x-user", "maria");
        let request = request.attribute("peer.address", "[::1]:4711").attribute("protocol", "HTTP/2");
        let request = request.attribute("request.time", "1545097834250").attribute("proxy.hostname", "edge-1");
        let template = Template(parse(text).expect(text));
        String::from_utf8(template.render(&View::new(&request.request()))).expect("it is UTF-8")
    }

    #[test]
    fn substitutions_take_their_values_from_the_request() {
        for (text, expected) in [
            ("plain", "plain"),
            ("100%%", "100%"),
            ("%%%%", "%%"),
            ("<%REQ(X-User)%>", "<maria>"),
            ("%REQ(X-User):3%", "mar"),
            ("%REQ(X-User):30%", "maria"),
            ("%REQ(x-none?x-user):2%!", "ma!"),
            ("%REQ(x-none)%", ""),
            ("%REQ(:PATH)% %REQ(:authority)%", "/orders?page=2 shop:80"),
            ("%PROTOCOL%", "HTTP/2"),
            ("%START_TIME%", "2018-12-18T01:50:34.250Z"),
            ("on %HOSTNAME%", "on edge-1"),
            ("<%RESP(server)%%UPSTREAM_HOST%>", "<>"),
            ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "::1"),
            ("%DOWNSTREAM_REMOTE_ADDRESS%", "[::1]:4711"),
        ] {
            assert_eq!(render(text), expected, "{text}");
        }
    }

    #[test]
    fn what_only_the_response_has_is_left_to_the_host() {
        let request = TestRequest::get("/").header("x-user", "maria");
        let request = request.request();
        let prepared = |text: &str| Template(parse(text).expect(text)).prepare(&View::new(&request));
        let literal = |text: &str| ValuePart::Literal(text.as_bytes().to_vec());
        assert_eq!(prepared("for %REQ(x-user)%"), Rendered::Known(b"for maria".to_vec()));
        assert_eq!(
            prepared("%RESP(Server)% for %REQ(x-user)% at %UPSTREAM_HOST%!"),
            Rendered::Parts(vec![
                ValuePart::ResponseHeader("server".to_owned()),
                literal(" for maria at "),
                ValuePart::UpstreamAddress,
                literal("!"),
            ])
        );
        let own = [Header { name: "server".to_owned(), value: b"own".to_vec() }];
        let template = Template(parse("<%RESP(server)%%UPSTREAM_HOST%>").expect("it parses"));
        assert_eq!(template.render_with(&View::new(&request), &own), b"<own>");
    }

    #[test]
    fn what_is_no_substitution_is_refused() {
        for text in [
            "abc%123",
            "%START_TIME%%",
            "%",
            "%REQ%",
            "%REQ()%",
            "%REQ(a):x%",
            "%REQ(a?)%",
            "%RESP(a b)%",
            "%RESP(a):3%",
            "%START_TIME(%s)%",
            "%DYNAMIC_METADATA(a:b)%",
            "%REQ(:status)%",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
