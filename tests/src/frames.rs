//! Frames of HTTP/2, written by hand, for what no client would send.

/// RFC 9113, section 3.4, with an empty SETTINGS frame behind it.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// `GET http://shop/`, from the static table (RFC 7541, appendix A) but for the authority.
pub const HEAD: &[u8] = b"\x82\x86\x84\x01\x04shop";

/// Type of a frame (RFC 9113, section 6).
pub const DATA: u8 = 0;
/// Type of a frame.
pub const HEADERS: u8 = 1;
/// Type of a frame.
pub const PRIORITY: u8 = 2;
/// Type of a frame.
pub const RST_STREAM: u8 = 3;
/// Type of a frame.
pub const SETTINGS: u8 = 4;
/// Type of a frame.
pub const PING: u8 = 6;
/// Type of a frame.
pub const GOAWAY: u8 = 7;
/// Type of a frame.
pub const WINDOW_UPDATE: u8 = 8;
/// Type of a frame.
pub const CONTINUATION: u8 = 9;
/// Flag of HEADERS and DATA; of SETTINGS and PING it is ACK.
pub const END_STREAM: u8 = 1;
/// Flag of HEADERS and CONTINUATION.
pub const END_HEADERS: u8 = 4;
/// RFC 9113, section 7.
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The frames of a request, followed by another frame of its stream.
pub fn request_and(index: u32, flags: u8, kind: u8, payload: &[u8]) -> Vec<u8> {
    let stream = 2 * index + 1;
    [frame(HEADERS, END_HEADERS | flags, stream, HEAD), frame(kind, 0, stream, payload)].concat()
}

/// A piece of a header block that goes on and on (CVE-2024-27316).
pub fn endless_piece() -> Vec<u8> {
    frame(CONTINUATION, 0, 1, &[b"\0\x01a\x7f\x81\x01", &[b'b'; 256][..]].concat())
}

/// A header block that unpacks to much more than it is (CVE-2016-6581): one long line goes into the table, and each byte
/// behind it repeats it.
pub fn bomb(index: u32) -> Vec<u8> {
    let line = [&b"\x40\x01x\x7f\x81\x1e"[..], &[b'y'; 3_968]].concat();
    frame(HEADERS, END_HEADERS | END_STREAM, 2 * index + 1, &[HEAD, &line, &[0xbe; 10_000]].concat())
}

/// Why the other side ended the connection, if it said so in what it sent.
pub fn goodbye(mut answer: &[u8]) -> Option<u32> {
    while let Some((head, rest)) = answer.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = rest.get(..length)?;
        if head[3] == GOAWAY {
            return Some(u32::from_be_bytes(*payload.get(4..)?.first_chunk()?));
        }
        answer = &rest[length..];
    }
    None
}
