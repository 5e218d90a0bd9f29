//! Addresses to listen on, and whether somebody listens.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A local connection or an answer that takes longer is broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// A local address that nobody listens on right now.
pub(crate) fn free() -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port is free on 127.0.0.1")?;
    Ok(listener.local_addr()?)
}

/// Whether somebody listens there.
pub(crate) fn answers(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, PATIENCE).is_ok()
}

/// Sends a GET and returns the whole response, head and body, as text.
///
/// Header lines are written as given, such as `Host: shop`.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[&str]) -> Result<String> {
    send(address, "GET", path, headers, "")
}

/// Sends a request with a body, if it is not empty, and returns the whole response as [`get`] does.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("{address} is down"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let lines: String = headers.iter().flat_map(|line| [line, "\r\n"]).collect();
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{method} {path} HTTP/1.1\r\n{lines}{length}Connection: close\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("{address} did not answer {method} {path}"))?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_free_until_somebody_listens() {
        let address = free().unwrap();
        assert!(!answers(address));
        let _listener = TcpListener::bind(address).unwrap();
        assert!(answers(address));
    }

    #[test]
    fn an_answer_comes_back_whole() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 256];
            let length = stream.read(&mut head).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
            String::from_utf8_lossy(&head[..length]).into_owned()
        });
        let answer = get(address, "/path", &["Host: shop"]).unwrap();
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
        assert!(server.join().unwrap().starts_with("GET /path HTTP/1.1\r\nHost: shop\r\n"));
    }
}
