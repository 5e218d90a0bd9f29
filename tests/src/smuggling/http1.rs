//! HTTP/1 payloads, family by family.

use super::Payload;

/// Ends a chunked body at once; what follows is a request to whoever reads chunks, and a body to whoever reads lengths.
const CHUNKS_THEN_HIDDEN: &str = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
/// A chunk that holds a request: hidden to whoever reads chunks, a request to whoever takes the size line for the body.
const HIDDEN_IN_A_CHUNK: &str = "21\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n";
/// A request that nobody asked for, behind a body that is not there to some.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// Header lines that some take for `Transfer-Encoding: chunked` and others do not, each with the reason.
const CODINGS: &[(&str, &str)] = &[
    ("Transfer-Encoding: chunked", "the plain case, beside a length"),
    ("Transfer-Encoding : chunked", "blank before the colon"),
    ("Transfer-Encoding\t: chunked", "tab before the colon"),
    ("Transfer-Encoding:chunked", "no blank behind the colon"),
    ("Transfer-Encoding:\tchunked", "tab for a blank"),
    ("Transfer-Encoding:  chunked", "two blanks"),
    ("Transfer-Encoding: chunked ", "blank behind the value"),
    ("Transfer-Encoding: chunked\t", "tab behind the value"),
    ("Transfer-Encoding: \u{b}chunked", "vertical tab before the value"),
    ("Transfer-Encoding: chunked\u{b}", "vertical tab behind the value"),
    ("Transfer-Encoding: \u{c}chunked", "form feed before the value"),
    ("Transfer-Encoding: chunked\u{c}", "form feed behind the value"),
    ("Transfer-Encoding: \0chunked", "NUL before the value"),
    ("Transfer-Encoding: chunked\0", "NUL behind the value"),
    ("Transfer-Encoding\0: chunked", "NUL in the name"),
    ("\0Transfer-Encoding: chunked", "NUL before the name"),
    ("\u{1}Transfer-Encoding: chunked", "control character before the name"),
    (" Transfer-Encoding: chunked", "folded into the line before, or a header"),
    ("\tTransfer-Encoding: chunked", "folded into the line before, or a header"),
    ("Transfer-Encoding:\r\n chunked", "folded value"),
    ("Transfer-Encoding:\r\n\tchunked", "folded value, with a tab"),
    ("Transfer-Encoding\r\n : chunked", "folded name"),
    ("Transfer-Encoding:\n chunked", "folded by LF alone"),
    ("Transfer-Encoding: chunked\r\n x", "a second line that belongs to the value"),
    ("Transfer-Encoding: \r\n\r\n chunked", "folding that ends the head"),
    ("X: y\nTransfer-Encoding: chunked", "hidden behind LF"),
    ("X: y\rTransfer-Encoding: chunked", "hidden behind CR"),
    ("X: y\r\rTransfer-Encoding: chunked", "hidden behind two CR"),
    ("X: y\n\rTransfer-Encoding: chunked", "hidden behind LF CR"),
    ("Transfer-Encoding: chunked\r", "CR before CRLF"),
    ("transfer-encoding: chunked", "lower case"),
    ("TRANSFER-ENCODING: CHUNKED", "upper case"),
    ("Transfer-Encoding: Chunked", "mixed case"),
    ("Transfer-Encoding: cHuNkEd", "mixed case"),
    ("Transfer_Encoding: chunked", "an underscore is a hyphen in CGI and its heirs"),
    ("Transfer Encoding: chunked", "a blank for the hyphen"),
    ("Transfer-Encoding; chunked", "another separator"),
    ("Transfer-Encoding chunked", "no separator"),
    ("Transfer-Encoding:: chunked", "two separators"),
    ("Transfer\u{ad}-Encoding: chunked", "a soft hyphen"),
    ("Transfer-Encoding: chunked, identity", "the last coding counts, or any"),
    ("Transfer-Encoding: identity, chunked", "the last coding counts, or the first"),
    ("Transfer-Encoding: chunked, chunked", "applied twice, or once"),
    ("Transfer-Encoding: ,chunked", "an empty element first"),
    ("Transfer-Encoding: chunked,", "an empty element last"),
    ("Transfer-Encoding: , ,chunked", "empty elements"),
    ("Transfer-Encoding: gzip, chunked", "a coding that few know"),
    ("Transfer-Encoding: chunked, gzip", "chunked, but not last"),
    ("Transfer-Encoding: x chunked", "two words"),
    ("Transfer-Encoding: chunked x", "two words"),
    ("Transfer-Encoding: xchunked", "found at the end"),
    ("Transfer-Encoding: chunkedx", "found at the start"),
    ("Transfer-Encoding: \"chunked\"", "quoted"),
    ("Transfer-Encoding: 'chunked'", "quoted"),
    ("Transfer-Encoding: chunked;q=1", "with a parameter"),
    ("Transfer-Encoding: chunked; foo", "with a parameter"),
    ("Transfer-Encoding: chunked#x", "with a comment, to some"),
    ("Transfer-Encoding: (x) chunked", "with a comment, to others"),
    ("Transfer-Encoding: chu\u{131}nked", "a letter that folds to another"),
    ("Transfer-Encoding: chun\u{212a}ed", "the Kelvin sign is a k to Unicode"),
    ("Transfer-Encoding: identity", "no coding of today"),
    ("Transfer-Encoding: none", "unknown"),
    ("Transfer-Encoding: cow", "unknown, so ignored by some"),
    ("Transfer-Encoding:", "empty"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "the last line counts, or the first"),
    ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "the last line counts, or the first"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "twice"),
    ("Transfer-Encoding: chunked\r\nTransfer-encoding: cow", "by different cases, two keys of a map"),
    ("Content-Encoding: chunked", "another header"),
    ("TE: chunked", "another header"),
    ("Connection: transfer-encoding\r\nTransfer-Encoding: chunked", "removed as hop-by-hop, the body left as it is"),
    ("Proxy-Connection: transfer-encoding\r\nTransfer-Encoding: chunked", "removed by an old rule"),
];

/// Header lines that give a length to some and another, or none, to others. The body is the hidden request.
const LENGTHS: &[(&str, &str)] = &[
    ("Content-Length: 33\r\nContent-Length: 0", "the first or the last"),
    ("Content-Length: 0\r\nContent-Length: 33", "the first or the last"),
    ("Content-Length: 0, 33", "a list"),
    ("Content-Length: 33, 0", "a list"),
    ("Content-Length: 33, 33", "a list of equals"),
    ("Content-Length: 33,", "an empty element"),
    ("Content-Length: ,33", "an empty element"),
    ("Content-Length : 33", "blank before the colon"),
    ("Content-Length\t: 33", "tab before the colon"),
    ("Content-Length: 0x21", "hexadecimal"),
    ("Content-Length: 041", "octal, or decimal with a zero in front"),
    ("Content-Length: 0b100001", "binary"),
    ("Content-Length: +33", "signed"),
    ("Content-Length: -33", "negative"),
    ("Content-Length: -0", "negative nothing"),
    ("Content-Length: 3 3", "blank inside"),
    ("Content-Length: 33.0", "a fraction"),
    ("Content-Length: 3.3e1", "an exponent"),
    ("Content-Length: 33a", "digits, then a letter"),
    ("Content-Length: a33", "a letter, then digits"),
    ("Content-Length: \"33\"", "quoted"),
    ("Content-Length: 33;x", "a parameter"),
    ("Content-Length: \u{b}33", "vertical tab"),
    ("Content-Length: 33\0", "NUL behind"),
    ("Content-Length: \u{663}\u{663}", "Arabic digits"),
    ("Content-Length:", "empty"),
    ("Content-Length: ", "empty, with a blank"),
    ("Content-Length: 18446744073709551649", "33 in 64 bits"),
    ("Content-Length: 4294967329", "33 in 32 bits"),
    ("Content-Length: 99999999999999999999999999", "more than any number"),
    (" Content-Length: 33", "folded into the line before"),
    ("Content-Length:\r\n 33", "folded value"),
    ("X: y\nContent-Length: 33", "hidden behind LF"),
    ("X: y\rContent-Length: 33", "hidden behind CR"),
    ("Content_Length: 33", "an underscore is a hyphen in CGI and its heirs"),
    ("Content-Length; 33", "another separator"),
    ("Connection: content-length\r\nContent-Length: 33", "removed as hop-by-hop, the body left as it is"),
    ("Connection: close, content-length\r\nContent-Length: 33", "removed as hop-by-hop, the body left as it is"),
    ("Expect: 100-continue\r\nContent-Length: 33", "sent before anybody said so"),
    ("Expect: 100-continue\r\nContent-Length: 0", "no body to wait for"),
    ("Expect: y\r\nContent-Length: 33", "an expectation that nobody knows"),
    (
        "Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 33",
        "does the other protocol begin before the body",
    ),
    (
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
        "a tunnel to an upstream that speaks HTTP/2",
    ),
    ("Upgrade: h2c\r\nConnection: Upgrade", "a tunnel to an upstream that speaks HTTP/2"),
    ("Upgrade: TLS/1.0\r\nConnection: Upgrade", "a tunnel"),
    ("", "no length at all: the hidden request is simply the next one, which a client may send"),
];

/// Chunked bodies that some end earlier than others.
const CHUNKS: &[(&str, &str)] = &[
    ("0\n\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "LF alone"),
    ("0\r\n\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "LF alone at the end"),
    ("0\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "LF alone behind the size"),
    ("0\r\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "CR CR LF"),
    ("0\r\rGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "CR alone"),
    ("00\r\n\r\n", "more zeros"),
    ("0000000000000000000000000\r\n\r\n", "more zeros than digits in any number"),
    ("0;a\r\n\r\n", "an extension"),
    ("0;a=\"\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n\"", "a quoted extension over lines"),
    ("0;\r\n\r\n", "an empty extension"),
    ("0 \r\n\r\n", "blank behind the size"),
    ("0\t\r\n\r\n", "tab behind the size"),
    (" 0\r\n\r\n", "blank before the size"),
    ("\r\n0\r\n\r\n", "empty line first"),
    ("-0\r\n\r\n", "negative"),
    ("-1\r\n\r\n", "negative"),
    ("+0\r\n\r\n", "signed"),
    ("0x0\r\n\r\n", "hexadecimal twice"),
    ("0x21\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n", "0 or 33"),
    ("0_21\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n", "0 or 33"),
    ("0 21\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n", "0 or 33"),
    ("21 \r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n", "33 or an error"),
    ("21;\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n", "LF ends the extension to some"),
    ("21;x\rGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n", "CR ends the extension to some"),
    ("5;\r\nhello\r\n0;\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "LF in the last extension"),
    ("1\r\nab\r\n0\r\n\r\n", "a chunk longer than it says"),
    ("2\r\na\r\n0\r\n\r\n", "a chunk shorter than it says"),
    ("1\r\na0\r\n\r\n", "no line end behind a chunk"),
    ("1\r\na\n0\r\n\r\n", "LF behind a chunk"),
    ("1\r\naXX0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "two bytes skipped for a line end"),
    ("10000000000000000\r\n\r\n", "0 in 64 bits"),
    ("100000000\r\n\r\n", "0 in 32 bits"),
    ("ffffffffffffffff\r\n\r\n", "-1 in 64 bits"),
    ("fffffffffffffffe\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "a size whose end overflows"),
    ("g\r\n\r\n", "no digit"),
    ("\r\n\r\n", "no size"),
    ("0\r\nContent-Length: 33\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "a trailer that frames"),
    ("0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "a trailer that frames"),
    ("0\r\nHost: b\r\n\r\n", "a trailer that routes"),
    ("0\r\nX: y\nZ: 1\r\n\r\n", "LF in a trailer"),
    ("0\r\n X: y\r\n\r\n", "a folded trailer"),
    ("0\r\nX : y\r\n\r\n", "blank before the colon of a trailer"),
    ("0\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "a request for a trailer"),
];

/// Whole heads that some end, split or route otherwise than others.
const HEADS: &[(&str, &str)] = &[
    ("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\rGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "CRLF CR"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: y\n\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "two LF end a head"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\rGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "two CR end a head"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "folding over the end"),
    ("GET / HTTP/1.1\r\nHost: a\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "a request line for a header"),
    ("GET /\r\nHost: a\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/0.9, then another"),
    (
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n",
        "chunks in HTTP/1.0",
    ),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "blank behind the version"),
    ("GET / HTTP/1.1\0\r\nHost: a\r\n\r\n", "NUL behind the version"),
    ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", "NUL in the target"),
    ("GET /?x=\r\nX: y HTTP/1.1\r\nHost: a\r\n\r\n", "a line end in the target"),
    ("GET / HTTP/1.1\nHost: a\n\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "LF alone everywhere"),
    ("GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", "the version twice"),
    ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "the target's host or the header"),
    ("GET //b/ HTTP/1.1\r\nHost: a\r\n\r\n", "a host without a scheme, to some"),
    ("GET /..%2f..%2fhidden HTTP/1.1\r\nHost: a\r\n\r\n", "dots that some resolve, but no message of its own"),
    ("GET @b/ HTTP/1.1\r\nHost: a\r\n\r\n", "user information in front"),
    ("GET http:/b/ HTTP/1.1\r\nHost: a\r\n\r\n", "one slash"),
    ("GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n", "user information"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "two hosts"),
    ("GET / HTTP/1.1\r\nHost: a\r\n Host: b\r\n\r\n", "a folded host"),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "a list of hosts"),
    ("GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n", "a tab in the host"),
    ("GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", "a fragment in the host"),
    ("GET / HTTP/1.1\r\nHost: a:80@b\r\n\r\n", "user information in the host"),
    ("GET / HTTP/1.1\r\n Host: a\r\nHost: b\r\n\r\n", "a first header that is folded"),
    (
        "GET / HTTP/1.1\r\nHost:a\r\nX-Forwarded-Host: b\r\nForwarded: host=c\r\nConnection: x-forwarded-host\r\n\r\n",
        "headers of proxies removed by the client",
    ),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n", "the host as hop-by-hop"),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, host, cookie\r\nCookie: x\r\n\r\n",
        "end-to-end headers as hop-by-hop",
    ),
    (
        "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n",
        "a body of a HEAD",
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n",
        "a body of a GET",
    ),
    (
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n",
        "a body of an OPTIONS",
    ),
    (
        "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n",
        "a body of a DELETE",
    ),
    (
        "TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n",
        "a body of a TRACE",
    ),
    ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "a tunnel"),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Version: 777\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n",
        "bytes behind an upgrade that is refused",
    ),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n", "the preface of HTTP/2, then HTTP/1"),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "a bad message behind a good one",
    ),
];

/// All payloads.
pub fn payloads() -> Vec<Payload> {
    let mut payloads = Vec::new();
    for (index, (line, why)) in CODINGS.iter().enumerate() {
        let beside =
            [("before", "Content-Length: 38\r\n", ""), ("behind", "", "Content-Length: 38\r\n"), ("alone", "", "")];
        for (place, before, behind) in beside {
            // Without a length, whoever overlooks the coding takes the body for a request.
            let body = if place == "alone" { HIDDEN_IN_A_CHUNK } else { CHUNKS_THEN_HIDDEN };
            let head = format!("POST /coding-{index}-{place} HTTP/1.1\r\nHost: a\r\n{before}{line}\r\n{behind}\r\n");
            payloads.push(payload(format!("coding {index} {place} {line:?}"), head + body, why));
        }
    }
    for (index, (lines, why)) in LENGTHS.iter().enumerate() {
        // What follows the one message of a client is its next request, and its own affair: so the connection closes.
        let separator = if lines.is_empty() { "" } else { "\r\n" };
        let head = format!("POST /length-{index} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}{separator}\r\n");
        payloads.push(payload(format!("length {index} {lines:?}"), head + HIDDEN, why));
    }
    for (index, (chunks, why)) in CHUNKS.iter().enumerate() {
        let head = format!(
            "POST /chunks-{index} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        payloads.push(payload(format!("chunks {index} {chunks:?}"), head + chunks, why));
    }
    payloads.extend(HEADS.iter().map(|(bytes, why)| payload(format!("head {bytes:?}"), (*bytes).to_owned(), why)));
    payloads
}

fn payload(name: String, text: String, why: &'static str) -> Payload {
    Payload { name, bytes: text.into_bytes(), why }
}
