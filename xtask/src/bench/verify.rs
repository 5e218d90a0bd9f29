//! Whether a proxy does the work that is about to be measured.

use super::subject::Subject;
use crate::port;
use anyhow::{Result, ensure};
use std::net::SocketAddr;

/// What every request of the comparison carries, through whichever proxy. The host names the service.
pub(crate) const REQUEST_HEADERS: [&str; 5] =
    ["Host: origin", "User-Agent: bench", "Accept: text/plain", "Accept-Language: en", "X-Tenant: blue"];
/// The size of the origin's answer.
const ANSWER: usize = 1024;
/// Asks the origin for the request as it arrived, instead of its usual answer.
const ECHO: &str = "/echo";
/// What the filter makes of the request headers above.
const FILTER_REQUEST: &str = "x-filter-request: bench";
const FILTER_RESPONSE: &str = "x-filter-response: text/plain";

/// Fails unless the proxy passes on what it should, and its filter, if it has one, sets its two headers.
pub(crate) fn check(subject: Subject, address: SocketAddr) -> Result<()> {
    let name = subject.name();
    let plain = Answer::of(&port::get(address, "/", &REQUEST_HEADERS)?);
    ensure!(plain.head.starts_with("http/1.1 200"), "{name} answers GET / with:\n{}", plain.head);
    ensure!(plain.body.len() == ANSWER, "{name} passes on {} bytes instead of {ANSWER}", plain.body.len());

    let echo = Answer::of(&port::get(address, ECHO, &REQUEST_HEADERS)?);
    for header in REQUEST_HEADERS.iter().skip(1) {
        let header = header.to_ascii_lowercase();
        ensure!(echo.body.contains(&header), "{name} does not pass on `{header}`; the origin got:\n{}", echo.body);
    }
    let filtered = subject.filters() > 0;
    for (part, header) in [(&echo.body, FILTER_REQUEST), (&echo.head, FILTER_RESPONSE)] {
        ensure!(
            part.contains(header) == filtered,
            "{name} has {} filters, and `{header}` is {} in:\n{part}",
            subject.filters(),
            if filtered { "not" } else { "wrongly" },
        );
    }
    Ok(())
}

/// An answer in lower case.
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        Self { head: head.to_ascii_lowercase(), body: body.to_ascii_lowercase() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Serves the two requests of a check: the usual answer, then this head and body.
    fn proxy(head: &'static str, body: &'static str) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for (head, body) in [("", "x".repeat(ANSWER)), (head, body.to_owned())] {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 1024]).unwrap();
                let length = body.len();
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{head}\r\n{body}").unwrap();
            }
        });
        address
    }

    const PASSED: &str = "user-agent: bench\naccept: text/plain\naccept-language: en\nx-tenant: blue\n";
    const EDITED: &str =
        "user-agent: bench\naccept: text/plain\naccept-language: en\nx-tenant: blue\nx-filter-request: bench\n";

    #[test]
    fn a_filter_that_sets_both_headers_is_accepted() {
        check(Subject::Sluice1, proxy("X-Filter-Response: text/plain\r\n", EDITED)).unwrap();
    }

    #[test]
    fn a_filter_that_does_nothing_is_not_measured() {
        let error = check(Subject::EnvoyWasm, proxy("", PASSED)).unwrap_err().to_string();
        assert!(error.contains(FILTER_REQUEST), "{error}");
    }

    #[test]
    fn a_plain_proxy_that_filters_is_not_measured() {
        assert!(check(Subject::Hyper, proxy("", EDITED)).is_err());
        check(Subject::Hyper, proxy("", PASSED)).unwrap();
    }
}
