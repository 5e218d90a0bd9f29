//! Reads what an upstream has received as strictly as anybody could.

use super::HIDDEN;

/// A request that every parser reads alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The request line's second word.
    pub target: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// As framed; cut short where the connection ended first.
    pub body: Vec<u8>,
}

/// Why the bytes of a connection are dangerous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsafe(pub String);

/// The messages of one connection. A last one that is cut short counts: its sender gave up, and everybody sees that.
pub fn judge(mut bytes: &[u8]) -> Result<Vec<Message>, Unsafe> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let Some(end) = find(bytes, b"\r\n\r\n") else { break };
        let (head, rest) = bytes.split_at(end);
        let mut message = head_of(head)?;
        bytes = rest.get(4..).unwrap_or_default();
        if message.target.contains(HIDDEN) {
            return Err(Unsafe("the hidden request stands where a message begins".into()));
        }
        let (body, after) = body_of(&message, bytes)?;
        message.body = body;
        bytes = after;
        messages.push(message);
    }
    Ok(messages)
}

fn head_of(head: &[u8]) -> Result<Message, Unsafe> {
    if let Some(byte) = head.iter().find(|byte| matches!(byte, 0..=8 | 11 | 12 | 14..=31 | 127)) {
        return Err(Unsafe(format!("the control character {byte:#x} in a head")));
    }
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default();
    let target = target_of(start)?;
    let headers = lines.map(header_of).collect::<Result<Vec<_>, _>>()?;
    let message = Message { target, headers, body: Vec::new() };
    match message.values("host")[..] {
        [_] => Ok(message),
        ref hosts => Err(Unsafe(format!("{} host headers", hosts.len()))),
    }
}

fn target_of(line: &str) -> Result<String, Unsafe> {
    let wrong = || Unsafe(format!("the request line {line:?}"));
    let [method, target, version] = line.split(' ').collect::<Vec<_>>()[..] else { return Err(wrong()) };
    // Beside RFC 3986 what browsers leave unencoded in a path, which no server takes for a delimiter.
    let visible = |character: char| character.is_ascii_graphic() && !"#<>\"\\`".contains(character);
    let form = target.starts_with('/') || (target == "*" && method == "OPTIONS");
    let right = is_token(method) && form && target.chars().all(visible) && version == "HTTP/1.1";
    if right { Ok(target.to_owned()) } else { Err(wrong()) }
}

fn header_of(line: &str) -> Result<(String, String), Unsafe> {
    let wrong = || Unsafe(format!("the header line {line:?}"));
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    if !is_token(name) || value.contains(['\r', '\n']) {
        return Err(wrong());
    }
    Ok((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
}

/// The body, and what follows the message.
fn body_of<'b>(message: &Message, bytes: &'b [u8]) -> Result<(Vec<u8>, &'b [u8]), Unsafe> {
    match (&message.values("content-length")[..], &message.values("transfer-encoding")[..]) {
        ([], []) => Ok((Vec::new(), bytes)),
        ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            let length: usize = length.parse().map_err(|_| Unsafe(format!("content-length {length}")))?;
            let (body, rest) = bytes.split_at(length.min(bytes.len()));
            Ok((body.to_vec(), rest))
        }
        ([], ["chunked"]) => chunks(bytes),
        (lengths, codings) => Err(Unsafe(format!("content-length {lengths:?} beside transfer-encoding {codings:?}"))),
    }
}

fn chunks(mut bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), Unsafe> {
    let mut body = Vec::new();
    loop {
        let Some(end) = find(bytes, b"\r\n") else { return Ok((body, &[])) };
        let (line, rest) = bytes.split_at(end);
        let size = std::str::from_utf8(line).ok().filter(|line| line.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size else {
            return Err(Unsafe(format!("the chunk line {:?}", String::from_utf8_lossy(line))));
        };
        bytes = rest.get(2..).unwrap_or_default();
        if size == 0 {
            return trailers(bytes).map(|rest| (body, rest));
        }
        body.extend_from_slice(bytes.get(..size.min(bytes.len())).unwrap_or_default());
        let Some(rest) = bytes.get(size..).filter(|rest| rest.len() >= 2) else { return Ok((body, &[])) };
        if !rest.starts_with(b"\r\n") {
            return Err(Unsafe("a chunk without its line end".into()));
        }
        bytes = rest.get(2..).unwrap_or_default();
    }
}

fn trailers(mut bytes: &[u8]) -> Result<&[u8], Unsafe> {
    while let Some(end) = find(bytes, b"\r\n") {
        let (line, rest) = bytes.split_at(end);
        bytes = rest.get(2..).unwrap_or_default();
        if line.is_empty() {
            return Ok(bytes);
        }
        let (name, _) = header_of(&String::from_utf8_lossy(line))?;
        if ["content-length", "transfer-encoding", "host"].contains(&name.as_str()) {
            return Err(Unsafe(format!("the trailer {name}")));
        }
    }
    Ok(&[])
}

impl Message {
    /// All values of a header.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_message_is_safe() {
        let messages =
            judge(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nokGET /b HTTP/1.1\r\nhost: a\r\n\r\n")
                .unwrap();
        assert_eq!(messages.iter().map(|message| message.target.as_str()).collect::<Vec<_>>(), ["/a", "/b"]);
        assert_eq!(messages[0].body, b"ok");
    }

    #[test]
    fn chunks_with_trailers_are_safe() {
        let bytes = b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n";
        assert_eq!(judge(bytes).unwrap()[0].body, b"ok");
    }

    #[test]
    fn a_message_that_is_cut_short_is_safe() {
        let head = "POST /a HTTP/1.1\r\nhost: a\r\n";
        for rest in ["", "content-length: 5\r\n\r\nab", "transfer-encoding: chunked\r\n\r\n5\r\nab"] {
            assert!(judge(format!("{head}{rest}").as_bytes()).is_ok(), "{rest}");
        }
    }

    #[test]
    fn whatever_two_parsers_may_read_differently_is_not() {
        let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
        let heads = [
            "content-length: 4\r\ntransfer-encoding: chunked\r\n",
            "content-length: 4\r\ncontent-length: 4\r\n",
            "content-length: +4\r\n",
            "transfer-encoding: xchunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "x : y\r\n",
            "x: y\nz: 1\r\n",
            " x: y\r\n",
            "host: b\r\n",
            "",
        ];
        for head in heads {
            let bytes = format!("POST /a HTTP/1.1\r\nhost: a\r\n{head}\r\n{hidden}");
            assert!(judge(bytes.as_bytes()).is_err(), "{head:?}");
        }
        for start in
            ["GET /a b HTTP/1.1", "GET http://b/ HTTP/1.1", "GET /a HTTP/1.0", "GET  /a HTTP/1.1", "GET /a#b HTTP/1.1"]
        {
            assert!(judge(format!("{start}\r\nhost: a\r\n\r\n").as_bytes()).is_err(), "{start:?}");
        }
        for chunks in
            ["1;x\r\na\r\n0\r\n\r\n", "+1\r\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "0\r\ncontent-length: 1\r\n\r\n"]
        {
            let bytes = format!("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
            assert!(judge(bytes.as_bytes()).is_err(), "{chunks:?}");
        }
    }
}
