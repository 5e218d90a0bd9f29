//! Sends the request of a case.

use super::backend::framed;
use super::file::{Case, texts};
use crate::client::{Answer, Client, Protocol, Request};
use crate::tls::{Authority, Tls, TlsClient};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What a case of WebSocket sends, and expects back.
const BYTES: &[u8] = b"\x02\x01hello";
/// Two seconds are long for bytes on this machine, and short for whoever waits for a case that fails.
const SILENCE: Duration = Duration::from_secs(2);

/// The connection that the requests of a case go over.
pub(super) struct Exchange<'a> {
    case: &'a Case,
    address: SocketAddr,
    authority: &'a Authority,
    connection: Option<Connection>,
}

enum Connection {
    Plain(Client),
    Secure(TlsClient),
}

impl<'a> Exchange<'a> {
    /// Nothing is connected yet. Certificates are those of the authority.
    pub(super) fn new(case: &'a Case, address: SocketAddr, authority: &'a Authority) -> Self {
        Self { case, address, authority, connection: None }
    }

    /// Sends the request and waits for the answer; the connection is kept for the next.
    pub(super) fn send(&mut self) -> Result<Answer, String> {
        let case = self.case;
        let (method, url) = case.request.split_once(' ').ok_or("the request is not `METHOD URL`")?;
        match method {
            "WEBSOCKET" => websocket(self.address, url),
            "GRPC" => self.over(Protocol::Http2, self.grpc(url)),
            method => {
                let protocol = if case.http2 { Protocol::Http2 } else { Protocol::Http1 };
                self.over(protocol, self.with_headers(Request::new(method, url)).body(case.body.clone()))
            }
        }
    }

    fn grpc(&self, url: &str) -> Request {
        let request = Request::post(url, framed(self.case.body.as_bytes()));
        self.with_headers(request.header("content-type", "application/grpc").header("te", "trailers"))
    }

    fn with_headers(&self, mut request: Request) -> Request {
        for (name, value) in &self.case.headers {
            for value in texts(value) {
                request = request.header(name, &value);
            }
        }
        request
    }

    fn over(&mut self, protocol: Protocol, request: Request) -> Result<Answer, String> {
        let mut connection = match self.connection.take().filter(Connection::is_open) {
            Some(open) => open,
            None => self.connect(protocol)?,
        };
        let answer = connection.send(request)?;
        self.connection = Some(connection);
        Ok(answer)
    }

    fn connect(&self, protocol: Protocol) -> Result<Connection, String> {
        let Some(name) = &self.case.sni else {
            return Ok(Connection::Plain(Client::connect_with(self.address, protocol)));
        };
        let offered = if protocol == Protocol::Http2 { "h2" } else { "http/1.1" };
        Tls::to(name, self.authority).offering(&[offered]).connect(self.address).map(Connection::Secure)
    }
}

impl Connection {
    fn is_open(&self) -> bool {
        match self {
            Self::Plain(client) => client.is_open(),
            Self::Secure(client) => client.is_open(),
        }
    }

    fn send(&mut self, request: Request) -> Result<Answer, String> {
        match self {
            Self::Plain(client) => client.send(request),
            Self::Secure(client) => client.send(request),
        }
    }
}

/// Upgrades a connection, sends bytes and waits until they come back. The answer's body is what came back.
fn websocket(address: SocketAddr, url: &str) -> Result<Answer, String> {
    let url: http::Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let (host, path) = (url.authority().map_or("", |authority| authority.as_str()), url.path());
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: c2x1aWNlZ2F0ZS1zbHVpYw==\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(SILENCE)).map_err(|error| error.to_string())?;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(BYTES)).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.ends_with(BYTES) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    parsed(&answer)
}

/// Reads the head of an answer; all that follows is the body.
fn parsed(bytes: &[u8]) -> Result<Answer, String> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no answer came back")?;
    let (head, body) = bytes.split_at(end + 4);
    let head = String::from_utf8_lossy(head).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    });
    Ok(Answer {
        status: status.ok_or("the answer has no status")?,
        headers: headers.collect::<HeaderMap>(),
        body: Bytes::copy_from_slice(body),
        trailers: None,
        version: Version::HTTP_11,
    })
}

#[cfg(test)]
mod tests {
    use super::super::backend::{Backend, NAME_HEADER};
    use super::*;

    #[test]
    fn bytes_come_back_over_an_upgraded_connection() {
        let backend = Backend::start("v1", None);
        let answer = websocket(backend.address, "http://shop/chat").expect("an answer");
        assert_eq!((answer.status, answer.header(NAME_HEADER)), (101, Some("v1")));
        assert_eq!(&answer.body[..], BYTES);
    }
}
