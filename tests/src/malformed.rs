//! Malformed and ambiguous HTTP/1 requests, as the bytes that a client sends.
//!
//! Each is to be answered with one of its statuses, after which the connection is closed; none of it, and nothing that
//! hides behind it, may reach an upstream. Every row is the first message of its connection and is sent in one piece.
//! `why` says what goes wrong, or which rule is broken, where a proxy lets it pass.

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Unique, in words.
    pub name: &'static str,
    /// What is sent.
    pub bytes: &'static [u8],
    /// The answers that are right.
    pub statuses: &'static [u16],
    /// The rule, or the attack.
    pub why: &'static str,
}

const BAD: &[u16] = &[400];
const TOO_LARGE: &[u16] = &[431];
const UNKNOWN: &[u16] = &[501];
const VERSION: &[u16] = &[505];

const fn case(name: &'static str, bytes: &'static [u8], statuses: &'static [u16], why: &'static str) -> Case {
    Case { name, bytes, statuses, why }
}

/// `start`, then `unit` again and again, then `end`; the array's length says how often, and the last unit may be cut.
const fn filled<const LENGTH: usize>(start: &[u8], unit: &[u8], end: &[u8]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        bytes[at] = if at < start.len() {
            start[at]
        } else if at < LENGTH - end.len() {
            unit[(at - start.len()) % unit.len()]
        } else {
            end[at + end.len() - LENGTH]
        };
        at += 1;
    }
    bytes
}

const START: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n";
/// Host and a hundred more.
const MANY_HEADERS: &[u8] = &filled::<{ START.len() + 100 * 6 + 2 }>(START, b"x: y\r\n", b"\r\n");
const LARGE_HEAD: &[u8] = &filled::<40_000>(START, filled::<1000>(b"x: ", b"y", b"\r\n").as_slice(), b"\r\n\r\n");
const LONG_TARGET: &[u8] = &filled::<17_000>(b"GET /", b"a", b" HTTP/1.1\r\nHost: a\r\n\r\n");
const LONG_VALUE: &[u8] = &filled::<17_000>(b"GET / HTTP/1.1\r\nHost: a\r\nx: ", b"a", b"\r\n\r\n");
const LONG_METHOD: &[u8] = &filled::<80>(b"", b"A", b" / HTTP/1.1\r\nHost: a\r\n\r\n");
const ENDLESS_LINE: &[u8] = &filled::<40_000>(b"GET /", b"a", b"");
const LONG_EXTENSION: &[u8] = &filled::<5_000>(
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    b"x",
    b"\r\na\r\n0\r\n\r\n",
);

/// All of them.
pub const CASES: &[Case] = &[
    // The request line.
    case("not HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", BAD, "TLS on a plain port: no line end may come"),
    case("blank before the method", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "some skip it, some see an empty method"),
    case("two empty lines first", b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "one is tolerated, for old clients"),
    case("LF before the request", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "an empty line without CR"),
    case("method alone", b"GET\r\n\r\n", BAD, "no target"),
    case("HTTP/0.9", b"GET /\r\n\r\n", BAD, "has no headers, so no end that both sides agree on"),
    case("empty target", b"GET  HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "RFC 9112, section 3"),
    case("two blanks before the target", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "splitting at blanks gives four parts"),
    case("two blanks before the version", b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "splitting at blanks gives four parts"),
    case("blank behind the version", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", BAD, "some take it for a part of the version"),
    case("blank in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "which part is the target"),
    case("version in the target", b"GET /x HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "first and last blank disagree"),
    case("tab for a blank", b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", BAD, "lenient parsers take any whitespace"),
    case("form feed for a blank", b"GET\x0c/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "lenient parsers take any whitespace"),
    case("NUL in the method", b"G\0ET / HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "ends the text in some languages"),
    case("brackets in the method", b"GET[] / HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "a method is a token"),
    case("a very long method", LONG_METHOD, UNKNOWN, "RFC 9112, section 3: 501 for a method longer than any known"),
    case("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", UNKNOWN, "a reverse proxy opens no tunnels"),
    case("CONNECT to a path", b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", &[400, 501], "neither form nor method is right"),
    // The version.
    case("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", VERSION, "a major version has its own framing"),
    case("HTTP/0.9 by name", b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", VERSION, "another major version"),
    case("HTTP/3.7", b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", VERSION, "another major version"),
    case("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", VERSION, "there is none, and nobody knows its rules"),
    case("HTTP/1.10", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", BAD, "one digit each: 1.1 with a 0, or 1.10"),
    case("HTTP/1", b"GET / HTTP/1\r\nHost: a\r\n\r\n", BAD, "no minor version"),
    case("HTTP/01.1", b"GET / HTTP/01.1\r\nHost: a\r\n\r\n", BAD, "one digit each"),
    case("HTTP/1,1", b"GET / HTTP/1,1\r\nHost: a\r\n\r\n", BAD, "not a version"),
    case("lower case version", b"GET / http/1.1\r\nHost: a\r\n\r\n", BAD, "the name is case-sensitive"),
    case("another protocol", b"GET / ICAP/1.0\r\nHost: a\r\n\r\n", BAD, "not HTTP"),
    case("h2 preface misspelt", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", &[400, 505], "a request of another version, then"),
    // The target.
    case("fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "cut off by some, kept by others: two cache keys"),
    case("relative target", b"GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "no form of RFC 9112, section 3.2"),
    case("asterisk for GET", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "for OPTIONS only"),
    case("authority form for GET", b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "for CONNECT only"),
    case("NUL in the target", b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "ends the text in some languages"),
    case("DEL in the target", b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "a control character"),
    case("CR in the target", b"GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "ends the line in some parsers"),
    case("UTF-8 in the target", b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "must be percent-encoded"),
    case("quote in the target", b"GET /\"x HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "must be percent-encoded"),
    case("angle bracket in the target", b"GET /?<x> HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "must be percent-encoded"),
    case("backslash in the path", b"GET /a\\..\\b HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "a slash to some servers"),
    case("absolute target for another host", b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "routed by one, authorised by the other"),
    case("absolute target for another port", b"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "routed by one, authorised by the other"),
    case("absolute target without host", b"GET http://a/ HTTP/1.1\r\n\r\n", BAD, "the header is required all the same"),
    case("absolute target with an empty host", b"GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "RFC 9110, section 4.2.1"),
    case("absolute target with user information", b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "RFC 9110, section 4.2.4"),
    case("absolute target of another scheme", b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "not a proxy for that"),
    // Line ends.
    case("LF alone behind the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", BAD, "a line to some, half a line to others"),
    case("LF alone everywhere", b"GET / HTTP/1.1\nHost: a\n\n", BAD, "no CRLF will ever come"),
    case("LF alone behind a header", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", BAD, "hides a header from those who insist on CRLF"),
    case("LF alone at the end", b"GET / HTTP/1.1\r\nHost: a\r\n\n", BAD, "where the head ends is where the next request begins"),
    case("CR alone behind a header", b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", BAD, "a line end to some"),
    case("CR before CRLF", b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", BAD, "one line or two"),
    // Header lines.
    case("folded header", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", BAD, "RFC 9112, section 5.2: reject or replace"),
    case("folded transfer-encoding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", BAD, "chunked to some only"),
    case("first header begins with a blank", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", BAD, "belongs to the request line, or is skipped"),
    case("tab before a header", b"GET / HTTP/1.1\r\nHost: a\r\n\tX: y\r\n\r\n", BAD, "a folded line, or a header"),
    case("blank before the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", BAD, "RFC 9112, section 5.1: always reject"),
    case("blank before the colon of content-length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", BAD, "unknown to some, so the body is a request"),
    case("tab before the colon of transfer-encoding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", BAD, "unknown to some"),
    case("header without a name", b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", BAD, "a name has at least one character"),
    case("header without a colon", b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", BAD, "skipped by some, an error to others"),
    case("blank within a name", b"GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n", BAD, "a name is a token"),
    case("NUL within a name", b"GET / HTTP/1.1\r\nHost: a\r\nX\0Y: z\r\n\r\n", BAD, "ends the name in some languages"),
    case("parenthesis within a name", b"GET / HTTP/1.1\r\nHost: a\r\nX(: z\r\n\r\n", BAD, "a name is a token"),
    case("non-ASCII name", b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: z\r\n\r\n", BAD, "a name is a token"),
    case("NUL within a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n", BAD, "RFC 9110, section 5.5: always reject"),
    case("control character within a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", BAD, "RFC 9110, section 5.5"),
    case("DEL within a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", BAD, "RFC 9110, section 5.5"),
    case("vertical tab within transfer-encoding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", BAD, "whitespace to some"),
    case("more than 100 headers", MANY_HEADERS, TOO_LARGE, "memory and time for each"),
    case("head over 32 KiB", LARGE_HEAD, TOO_LARGE, "memory for one connection"),
    case("very long target", LONG_TARGET, TOO_LARGE, "memory for one connection"),
    case("very long value", LONG_VALUE, TOO_LARGE, "memory for one connection"),
    case("a line without end", ENDLESS_LINE, TOO_LARGE, "must not be waited for"),
    // Host.
    case("no host", b"GET / HTTP/1.1\r\nX: y\r\n\r\n", BAD, "RFC 9112, section 3.2"),
    case("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", BAD, "RFC 9112, section 3.2; routed by one, answered by the other"),
    case("the same host twice", b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", BAD, "RFC 9112, section 3.2"),
    case("two hosts in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", BAD, "routed by one, answered by the other"),
    case("empty host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", BAD, "names no service"),
    case("a list of hosts", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", BAD, "not a host"),
    case("host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BAD, "joined with the path it is another URI"),
    case("host with user information", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", BAD, "not a host"),
    case("host with a blank", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", BAD, "not a host"),
    case("host with percent-encoding", b"GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n", BAD, "decoded by some, and then another host"),
    case("host with a bad port", b"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", BAD, "not a port"),
    case("host with too large a port", b"GET / HTTP/1.1\r\nHost: a:65616\r\n\r\n", BAD, "80 in 16 bits"),
    case("host with two ports", b"GET / HTTP/1.1\r\nHost: a:80:81\r\n\r\n", BAD, "first and last colon disagree"),
    case("host with an open bracket", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", BAD, "not an address"),
    // content-length.
    case("signed content-length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", BAD, "digits only, yet most number parsers take it"),
    case("negative content-length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", BAD, "digits only"),
    case("hexadecimal content-length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", BAD, "0 or 5"),
    case("content-length with a blank inside", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\nhello hello", BAD, "1 or 11"),
    case("content-length with a comma", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", BAD, "a list; the first, the last or neither"),
    case("content-length with underscore", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\nhellohello", BAD, "a number in some languages"),
    case("fractional content-length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5.0\r\n\r\nhello", BAD, "digits only"),
    case("empty content-length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", BAD, "0 or until the end"),
    case("content-length of 2 to the 64", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", BAD, "0 in 64 bits"),
    case("content-length over 63 bits", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", BAD, "negative in signed arithmetic"),
    case("two content-lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", BAD, "RFC 9112, section 6.3"),
    case("the same content-length twice", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", BAD, "may be merged, may be rejected: nobody honest sends it"),
    // transfer-encoding.
    case("content-length before chunked", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", BAD, "CL.TE smuggling"),
    case("chunked before content-length", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", BAD, "TE.CL smuggling"),
    case("content-length 0 beside chunked", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD, "TE.0 smuggling"),
    case("chunked in HTTP/1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD, "RFC 9112, section 6.1: the framing is faulty"),
    case("chunked twice", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", BAD, "RFC 9112, section 6.1"),
    case("two transfer-encodings", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD, "RFC 9112, section 6.1"),
    case("identity behind chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", BAD, "TE.TE smuggling"),
    case("identity", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", BAD, "no coding of today; chunked to some"),
    case("chunked with a parameter", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;x=y\r\n\r\n0\r\n\r\n", BAD, "chunked has none"),
    case("quoted chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", BAD, "a coding is a token"),
    case("chunked and a comma", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", BAD, "an empty coding behind it, or none"),
    case("empty transfer-encoding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", BAD, "there or not there"),
    case("chunked before gzip", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", BAD, "RFC 9112, section 6.3: chunked must be last"),
    case("misspelt chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", UNKNOWN, "found by those who look for the end of it"),
    case("gzip before chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", UNKNOWN, "RFC 9112, section 6.1: 501 for a coding not understood"),
    case("gzip alone", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", &[400, 501], "a body without end"),
    // Chunks.
    case("chunk size is no number", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", BAD, "RFC 9112, section 7.1"),
    case("empty chunk size", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n", BAD, "0 to some"),
    case("signed chunk size", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n", BAD, "most number parsers take it"),
    case("chunk size with 0x", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", BAD, "0 or 1"),
    case("chunk size with underscore", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0_1\r\na\r\n0\r\n\r\n", BAD, "a number in some languages"),
    case("chunk size of 65 bits", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n", BAD, "1 in 64 bits"),
    case("blank behind the chunk size", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n", BAD, "no rule allows it without an extension"),
    case("blank before the chunk size", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n", BAD, "skipped by some"),
    case("LF alone behind the chunk size", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", BAD, "a line end to some"),
    case("LF alone in an extension", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x\na\r\n0\r\n\r\n", BAD, "ends the line for some (CVE-2025-55315 and its like)"),
    case("CR alone in an extension", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x\ry\r\na\r\n0\r\n\r\n", BAD, "ends the line for some"),
    case("extensions over 4 KiB", LONG_EXTENSION, &[400, 431], "bytes that count for no limit of the body"),
    case("chunk longer than its size", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", BAD, "two bytes skipped as CRLF, whatever they are"),
    case("no CRLF behind a chunk", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na0\r\n\r\n", BAD, "skipped by some"),
    case("LF alone behind a chunk", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n", BAD, "a line end to some"),
    case("LF alone behind the last chunk", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n", BAD, "where the body ends is where the next request begins"),
    case("trailer without a colon", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx\r\n\r\n", BAD, "the next request's line, taken for a trailer"),
    case("a request as trailer", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nGET /hidden HTTP/1.1\r\n\r\n", BAD, "one empty line too few hides it"),
    case("folded trailer", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: y\r\n z\r\n\r\n", BAD, "RFC 9112, section 5.2"),
    case("NUL in a trailer", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: \0\r\n\r\n", BAD, "RFC 9110, section 5.5"),
    // Upgrades.
    case("WebSocket with a body", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc", BAD, "does the new protocol begin before or behind it"),
];
