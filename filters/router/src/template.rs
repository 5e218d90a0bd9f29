//! Header values with substitutions, such as `%REQ(x-user?x-client):8%`.

use crate::code;
use crate::host;
use crate::report::{Place, Report};
use crate::view::View;

const KNOWN: &str = "known are %REQ(NAME)%, %REQ(NAME?OTHER):LENGTH%, %PROTOCOL%, \
                     %DOWNSTREAM_REMOTE_ADDRESS%, %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%, and %% for a percent sign";

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
}

impl Template {
    /// Resolves a value as written.
    pub fn resolve(text: &str, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            let message = "the value has a control character";
            report.error(place, code::HEADER_VALUE, message, "write the value on one line");
            return None;
        }
        match parse(text) {
            Ok(pieces) => Some(Self(pieces)),
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

    /// The value for a request; what a request lacks comes out empty.
    pub fn render(&self, view: &View<'_>) -> Vec<u8> {
        let mut value = Vec::new();
        for piece in &self.0 {
            piece.render(view, &mut value);
        }
        value
    }
}

impl Piece {
    fn render(&self, view: &View<'_>, value: &mut Vec<u8>) {
        let peer = || view.attribute("peer.address").unwrap_or_default();
        match self {
            Self::Literal(text) => value.extend_from_slice(text),
            Self::Protocol => value.extend(view.attribute("protocol").unwrap_or_default().into_bytes()),
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
        "DOWNSTREAM_REMOTE_ADDRESS" => Ok(Piece::PeerAddress),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Ok(Piece::PeerHost),
        _ => header(inside).ok_or_else(|| format!("`%{inside}%` is not a substitution that can be made here")),
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
            ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "::1"),
            ("%DOWNSTREAM_REMOTE_ADDRESS%", "[::1]:4711"),
        ] {
            assert_eq!(render(text), expected, "{text}");
        }
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
            "%UPSTREAM_HOST%",
            "%REQ(:status)%",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
