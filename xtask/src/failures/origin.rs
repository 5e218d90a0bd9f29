//! The service behind both: it answers every request, and notices bytes that are none.

use anyhow::Result;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A running service. It ends with the program.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    garbage: Arc<AtomicUsize>,
}

impl Origin {
    /// Starts it on a free port.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let garbage = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&garbage);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || {
                    // It ends when the other side is gone, or says nonsense.
                    if serve(stream).is_err() {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Ok(Self { address, garbage })
    }

    /// How many connections carried what is no request: their two ends disagreed on where one ends.
    pub(crate) fn garbage(&self) -> usize {
        self.garbage.load(Ordering::Relaxed)
    }
}

/// Serves a connection; an error says that it carried what is no request.
fn serve(stream: TcpStream) -> Result<(), ()> {
    let Ok(mut answers) = stream.try_clone() else { return Ok(()) };
    let mut requests = BufReader::new(stream);
    loop {
        let mut line = String::new();
        match requests.read_line(&mut line) {
            Ok(0) | Err(_) if line.is_empty() => return Ok(()),
            _ if !is_request_line(&line) => return Err(()),
            _ => {}
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            if requests.read_line(&mut header).map_err(|_| ())? == 0 {
                return Ok(());
            }
            let Some((name, value)) = header.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| ())?;
            }
        }
        let mut body = vec![0; length];
        if requests.read_exact(&mut body).is_err() {
            return Ok(());
        }
        if answers.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
            return Ok(());
        }
    }
}

fn is_request_line(line: &str) -> bool {
    ["GET /", "POST /"].iter().any(|start| line.starts_with(start)) && line.ends_with(" HTTP/1.1\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{port, wait};
    use std::time::Duration;

    #[test]
    fn bytes_that_are_no_request_are_noticed() {
        let origin = Origin::start().unwrap();
        let answer =
            port::send(origin.address, "POST", "/", &["Host: a"], "four").map(|answer| answer.contains("200 OK"));
        // It keeps the connection, so reading to its end takes until the client gives up.
        assert!(answer.is_err() || answer.unwrap());
        assert_eq!(origin.garbage(), 0);
        let mut stream = TcpStream::connect(origin.address).unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nab and more\r\n").unwrap();
        assert!(wait::until(Duration::from_secs(5), || origin.garbage() == 1));
    }
}
