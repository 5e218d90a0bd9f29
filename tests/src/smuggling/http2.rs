//! HTTP/2 requests that are no longer one request, or another one, when they are written down as HTTP/1.

use super::Payload;

/// RFC 9113, section 3.4, with an empty SETTINGS frame behind it.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
// Types and flags of frames (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Lines of a head, sent as they are.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// What a request gets beside its method, scheme, authority and path.
const FIELDS: &[(&str, Lines<'_>, &str)] = &[
    ("transfer-encoding", &[("transfer-encoding", "chunked")], "RFC 9113, section 8.2.2: H2.TE"),
    ("transfer-encoding, upper case", &[("Transfer-Encoding", "chunked")], "a name in upper case"),
    ("transfer-encoding, obfuscated", &[("transfer-encoding", "x, chunked")], "RFC 9113, section 8.2.2"),
    ("transfer-encoding behind a line end", &[("x", "y\r\ntransfer-encoding: chunked")], "CRLF in a value"),
    ("transfer-encoding behind LF", &[("x", "y\ntransfer-encoding: chunked")], "LF in a value"),
    ("transfer-encoding behind CR", &[("x", "y\rtransfer-encoding: chunked")], "CR in a value"),
    ("a request in a value", &[("x", "y\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a")], "CRLF in a value"),
    ("NUL in a value", &[("x", "y\0z")], "RFC 9113, section 8.2.1"),
    ("a blank before a value", &[("x", " y")], "RFC 9113, section 8.2.1"),
    ("a blank behind a value", &[("x", "y ")], "RFC 9113, section 8.2.1"),
    ("a tab before a value", &[("x", "\ty")], "RFC 9113, section 8.2.1"),
    ("a line end at the end of a value", &[("x", "y\r\n")], "CRLF in a value"),
    ("a colon in a name", &[("transfer-encoding: chunked\r\nx", "y")], "a name with its value"),
    ("a colon and a blank in a name", &[("x: y", "z")], "a name with its value"),
    ("a line end in a name", &[("x\r\ntransfer-encoding", "chunked")], "CRLF in a name"),
    ("a blank in a name", &[("transfer-encoding ", "chunked")], "a name is a token"),
    ("a tab in a name", &[("x\ty", "z")], "a name is a token"),
    ("NUL in a name", &[("x\0y", "z")], "a name is a token"),
    ("an empty name", &[("", "y")], "a name is a token"),
    ("a name in upper case", &[("X", "y")], "RFC 9113, section 8.2.1"),
    ("a name beyond ASCII", &[("\u{e4}", "y")], "a name is a token"),
    ("connection", &[("connection", "close")], "RFC 9113, section 8.2.2"),
    ("connection naming a header", &[("connection", "content-length")], "RFC 9113, section 8.2.2"),
    ("keep-alive", &[("keep-alive", "timeout=5")], "RFC 9113, section 8.2.2"),
    ("proxy-connection", &[("proxy-connection", "keep-alive")], "RFC 9113, section 8.2.2"),
    ("upgrade", &[("upgrade", "websocket")], "RFC 9113, section 8.2.2"),
    ("te of another kind", &[("te", "gzip")], "RFC 9113, section 8.2.2"),
    ("te with chunked", &[("te", "trailers, chunked")], "RFC 9113, section 8.2.2"),
    ("http2-settings", &[("http2-settings", "AAMAAABkAAQAAP__")], "a header of the upgrade to HTTP/2"),
    ("another host", &[("host", "b")], "RFC 9113, section 8.3.1: not the authority"),
    ("two hosts", &[("host", "a"), ("host", "a")], "one of them is left over"),
    ("host with a line end", &[("host", "a\r\nx: y")], "CRLF in a value"),
    ("content-length of nothing", &[("content-length", "0")], "RFC 9113, section 8.1.1: not what the frames hold"),
    ("content-length too short", &[("content-length", "1")], "H2.CL: the rest is a request"),
    ("content-length too long", &[("content-length", "100")], "H2.CL: the next request is the rest"),
    ("content-length twice", &[("content-length", "33"), ("content-length", "0")], "the first or the last"),
    ("content-length as a list", &[("content-length", "33, 33")], "a list"),
    ("content-length signed", &[("content-length", "+33")], "digits only"),
    ("content-length in hexadecimal", &[("content-length", "0x21")], "digits only"),
    ("content-length with a line end", &[("content-length", "33\r\nx: y")], "CRLF in a value"),
    ("content-length empty", &[("content-length", "")], "digits only"),
    ("content-length over 64 bits", &[("content-length", "18446744073709551649")], "33 in 64 bits"),
    ("cookies with a line end", &[("cookie", "a=b"), ("cookie", "c=d\r\nx: y")], "crumbs are put together"),
    ("an unknown pseudo header behind", &[(":hidden", "x")], "RFC 9113, section 8.3"),
    ("a second path behind", &[("x", "y"), (":path", "/hidden")], "pseudo headers come first, and once"),
    ("a status", &[(":status", "200")], "RFC 9113, section 8.3: not for requests"),
    ("a second method", &[(":method", "GET")], "RFC 9113, section 8.3.1: once"),
    ("a second authority", &[(":authority", "b")], "RFC 9113, section 8.3.1: once"),
    ("a protocol without CONNECT", &[(":protocol", "websocket")], "RFC 8441, section 4"),
    ("expect", &[("expect", "100-continue")], "answered by whom"),
];

/// Heads of which the request line is made.
const LINES: &[(&str, Lines<'_>, &str)] = &[
    ("a line in the method", &[(":method", "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\nGET")], "becomes the request line"),
    ("a blank in the method", &[(":method", "GET /hidden")], "becomes the request line"),
    ("an empty method", &[(":method", "")], "becomes the request line"),
    ("CONNECT with a path", &[(":method", "CONNECT")], "RFC 9113, section 8.5"),
    ("a blank in the path", &[(":path", "/ HTTP/1.1")], "becomes the request line"),
    ("a line end in the path", &[(":path", "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /hidden")], "becomes the request line"),
    ("LF in the path", &[(":path", "/\nx: y")], "becomes the request line"),
    ("NUL in the path", &[(":path", "/\0")], "ends the text in some languages"),
    ("a tab in the path", &[(":path", "/\tHTTP/1.1")], "a blank to some"),
    ("a fragment in the path", &[(":path", "/#x")], "cut off by some"),
    ("an empty path", &[(":path", "")], "RFC 9113, section 8.3.1"),
    ("a path without a slash", &[(":path", "hidden")], "joined with what stands before it"),
    ("a whole URI for a path", &[(":path", "http://b/hidden")], "the absolute form routes elsewhere"),
    ("an asterisk for GET", &[(":path", "*")], "for OPTIONS only"),
    ("user information before the path", &[(":path", "@b/hidden")], "joined with the authority"),
    ("a backslash in the path", &[(":path", "/\\..\\hidden")], "a slash to some"),
    ("UTF-8 in the path", &[(":path", "/\u{e4}")], "must be percent-encoded"),
    ("a path in the authority", &[(":authority", "a/hidden")], "joined with the path it is another URI"),
    ("user information in the authority", &[(":authority", "u@a")], "RFC 9113, section 8.3.1"),
    ("a line end in the authority", &[(":authority", "a\r\nx: y")], "becomes the host header"),
    ("a blank in the authority", &[(":authority", "a b")], "not a host"),
    ("an empty authority", &[(":authority", "")], "names no service"),
    ("a list of authorities", &[(":authority", "a, b")], "not a host"),
    ("a bad port in the authority", &[(":authority", "a:x")], "not a port"),
    ("a query in the authority", &[(":authority", "a?x")], "not a host"),
    ("a URI for a scheme", &[(":scheme", "http://b/hidden?")], "joined with the rest it is another URI"),
    ("an empty scheme", &[(":scheme", "")], "RFC 9113, section 8.3.1"),
    ("a line end in the scheme", &[(":scheme", "http\r\nx: y")], "written down by some"),
];

/// Trailers of a request.
const TRAILERS: &[(&str, Lines<'_>, &str)] = &[
    ("content-length", &[("content-length", "33")], "a trailer that frames"),
    ("transfer-encoding", &[("transfer-encoding", "chunked")], "a trailer that frames"),
    ("host", &[("host", "b")], "a trailer that routes"),
    ("a pseudo header", &[(":path", "/hidden")], "RFC 9113, section 8.1"),
    ("a line end", &[("x", "y\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n")], "CRLF in a value"),
    ("a name in upper case", &[("X", "y")], "RFC 9113, section 8.2.1"),
];

/// All payloads; the body of each, where it has one, is the hidden request.
pub fn payloads() -> Vec<Payload> {
    let mut payloads = Vec::new();
    for (name, lines, why) in FIELDS {
        let bytes = [PREFACE, &request(&head("/field", &[], lines), true)].concat();
        payloads.push(Payload { name: format!("field: {name}"), bytes, why });
    }
    for (name, lines, why) in LINES {
        let bytes = [PREFACE, &request(&head("/line", lines, &[]), false)].concat();
        payloads.push(Payload { name: format!("line: {name}"), bytes, why });
    }
    for (name, lines, why) in TRAILERS {
        let trailers = frame(HEADERS, END_HEADERS | END_STREAM, &fields(lines));
        let body = frame(DATA, 0, HIDDEN_REQUEST);
        let bytes = [PREFACE, &frame(HEADERS, END_HEADERS, &head("/trailer", &[], &[])), &body, &trailers].concat();
        payloads.push(Payload { name: format!("trailer: {name}"), bytes, why });
    }
    payloads
}

/// A request that is as it should be, to know that the others fail for what is wrong with them.
pub fn good() -> Vec<u8> {
    [PREFACE, &request(&head("/good", &[], &[("content-length", "33")]), true)].concat()
}

const HIDDEN_REQUEST: &[u8] = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

fn request(head: &[u8], body: bool) -> Vec<u8> {
    if body {
        [frame(HEADERS, END_HEADERS, head), frame(DATA, END_STREAM, HIDDEN_REQUEST)].concat()
    } else {
        frame(HEADERS, END_HEADERS | END_STREAM, head)
    }
}

/// The pseudo headers, replaced where `instead` says so, then `more`.
fn head(path: &str, instead: Lines<'_>, more: Lines<'_>) -> Vec<u8> {
    let usual = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", path)];
    let replaced =
        usual.map(|(name, value)| *instead.iter().find(|(other, _)| *other == name).unwrap_or(&(name, value)));
    [fields(&replaced), fields(more)].concat()
}

/// Literals without indexing, uncompressed (RFC 7541, section 6.2.2).
fn fields(lines: Lines<'_>) -> Vec<u8> {
    lines.iter().flat_map(|(name, value)| [&[0], &string(name)[..], &string(value)].concat()).collect()
}

fn string(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("a text is short");
    [&[length], text.as_bytes()].concat()
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}
