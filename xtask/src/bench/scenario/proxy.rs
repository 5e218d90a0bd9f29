//! Plain proxying: one request in, the same request out, with and without filters.

use super::super::answer::Answer;
use super::super::program::{Envoy, Program, Sluice, Stage};
use super::{Scenario, Subject, USUAL_HEADERS, get};
use crate::port;
use anyhow::{Result, ensure};
use std::net::SocketAddr;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "proxy",
    about: "passing a request on to one service that answers a kibibyte, with and without filters",
    references: &["envoy", "envoy-wasm", "hyper"],
    subjects: &[
        subject("envoy", "Envoy, passing on", Program::Envoy(Envoy::Plain)),
        subject("hyper", "the least a proxy can do: hyper on both sides", Program::Hyper),
        subject("sluice", "Sluicegate, passing on", Program::Sluice(Sluice::Filters(0))),
        subject("envoy-wasm", "Envoy with one WebAssembly filter, in V8", Program::Envoy(Envoy::Headers)),
        subject("sluice-1", "Sluicegate with one filter", Program::Sluice(Sluice::Filters(1))),
        subject("sluice-2", "Sluicegate with two filters", Program::Sluice(Sluice::Filters(2))),
        subject("sluice-5", "Sluicegate with five filters", Program::Sluice(Sluice::Filters(5))),
    ],
    request: || get(HOST, "/"),
    verify,
};

/// The host names the service.
const HOST: &str = "Host: origin";
/// The size of the origin's answer.
const ANSWER: usize = 1024;
/// Asks the origin for the request as it arrived, instead of its usual answer.
const ECHO: &str = "/echo";
/// What the filter makes of the request headers above.
const FILTER_REQUEST: &str = "x-filter-request: bench";
const FILTER_RESPONSE: &str = "x-filter-response: text/plain";

const fn subject(name: &'static str, about: &'static str, program: Program) -> Subject {
    Subject { name, about, program }
}

/// It passes on what it should, and its filter, if it has one, sets its two headers.
fn verify(_stage: &Stage<'_>, subject: &Subject, address: SocketAddr) -> Result<()> {
    check(subject, address)
}

fn check(subject: &Subject, address: SocketAddr) -> Result<()> {
    let name = subject.name;
    let headers: Vec<&str> = [HOST].into_iter().chain(USUAL_HEADERS).collect();
    let plain = Answer::read(&port::get(address, "/", &headers)?)?;
    plain.expect_status(name, 200)?;
    ensure!(plain.body.len() == ANSWER, "{name} passes on {} bytes instead of {ANSWER}", plain.body.len());

    let echo = Answer::read(&port::get(address, ECHO, &headers)?)?;
    let arrived = echo.body.to_ascii_lowercase();
    for header in USUAL_HEADERS.map(str::to_ascii_lowercase) {
        ensure!(arrived.contains(&header), "{name} does not pass on `{header}`; the origin got:\n{arrived}");
    }
    let filtered = subject.program.filters();
    for (part, header) in [(&arrived, FILTER_REQUEST), (&echo.head, FILTER_RESPONSE)] {
        ensure!(
            part.contains(header) == (filtered > 0),
            "{name} has {filtered} filters, and `{header}` is {} in:\n{part}",
            if filtered > 0 { "not" } else { "wrongly" },
        );
    }
    Ok(())
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

    fn called(name: &str) -> &'static Subject {
        SCENARIO.subject(name).unwrap()
    }

    #[test]
    fn a_filter_that_sets_both_headers_is_accepted() {
        check(called("sluice-1"), proxy("X-Filter-Response: text/plain\r\n", EDITED)).unwrap();
    }

    #[test]
    fn a_filter_that_does_nothing_is_not_measured() {
        let error = check(called("envoy-wasm"), proxy("", PASSED)).unwrap_err().to_string();
        assert!(error.contains(FILTER_REQUEST), "{error}");
    }

    #[test]
    fn a_plain_proxy_that_filters_is_not_measured() {
        assert!(check(called("hyper"), proxy("", EDITED)).is_err());
        check(called("hyper"), proxy("", PASSED)).unwrap();
    }
}
