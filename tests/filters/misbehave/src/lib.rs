//! Every way to misbehave, each on demand: the request header `x-misbehave` names one.
//!
//! | value | what happens |
//! |---|---|
//! | `trap` | `on-request` traps |
//! | `spin` | `on-request` never returns |
//! | `hungry` | allocates without end |
//! | `deep-recursion` | overflows its stack |
//! | `garbage-header` | an edit whose header name is not a token |
//! | `garbage-value` | an edit whose header value holds a line break |
//! | `framing-header` | an edit of `transfer-encoding` and `content-length` |
//! | `garbage-path` | an edit to a path that is none |
//! | `garbage-status` | answers with status 42 |
//! | `garbage-destination` | forwards to a name that is none |
//! | `gather-forever` | has `shop` called again and again |
//! | `expect-error` | has `shop` called, and expects to answer 500 |
//! | `panic-in-response` | `on-response` traps |
//! | `spin-in-response` | `on-response` never returns |
//! | `error-in-response` | `on-response` answers 500 in place of any response |
//! | `log-flood` | logs 1 MiB in 1024 messages, then goes on |
//! | `log-large` | logs 1 MiB in one message, then goes on |
//!
//! Anything else, and a request without the header, goes on. Each edit that is garbage has a good one before it
//! (`x-misbehave-edited`), so that a test sees whether half of a decision was applied.

use sluicegate_sdk::capability::log;
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::{Continuation, HeaderEdit, Plan};
use std::hint::black_box;

/// The size of one step of the hungry, in bytes: below the limit, so that a few succeed, and large enough to reach it long
/// before the deadline of the call.
const BITE: usize = 8 << 20;
/// One message of the flood, in bytes.
const MESSAGE: usize = 1 << 10;
/// Messages of the flood.
const MESSAGES: usize = 1 << 10;

/// The filter.
#[derive(Debug, Default)]
pub struct Misbehave;

fn mode(request: &Request<'_>) -> String {
    request.header("x-misbehave").unwrap_or_default()
}

impl RequestFilter for Misbehave {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        match mode(request).as_str() {
            "trap" => panic!("told to"),
            "spin" => spin(),
            "hungry" => hungry(),
            "deep-recursion" => next().with(set_header("x-depth", recurse(0).to_string())).into(),
            "garbage-header" => garbage(set_header("bad header\r\n", "value")).into(),
            "garbage-value" => garbage(set_header("x-garbage", "one\r\nx-smuggled: two")).into(),
            "framing-header" => {
                garbage(set_header("transfer-encoding", "chunked")).with(set_header("content-length", "7")).into()
            }
            "garbage-path" => edited().with(edit::path("no slash\r\n")).into(),
            "garbage-status" => respond(42).text("not a status").into(),
            "garbage-destination" => forward("no such\r\nservice").into(),
            "gather-forever" => plan().into(),
            "expect-error" => plan().expect(assemble(500).bytes("no idea"), []).into(),
            "log-flood" => {
                let message = "f".repeat(MESSAGE);
                (0..MESSAGES).for_each(|_| log::info(&message));
                next().into()
            }
            "log-large" => {
                log::info(&"l".repeat(MESSAGE * MESSAGES));
                next().into()
            }
            _ => next().into(),
        }
    }
}

impl GatherFilter for Misbehave {
    type State = ();

    fn on_gathered(&self, request: &Request<'_>, (): (), _: Outcomes) -> RequestDecision {
        if mode(request) == "gather-forever" { plan().into() } else { next().into() }
    }
}

impl ResponseFilter for Misbehave {
    fn on_response(&self, request: &Request<'_>, _: &Response<'_>) -> ResponseDecision {
        match mode(request).as_str() {
            "panic-in-response" => panic!("told to"),
            "spin-in-response" => spin(),
            "error-in-response" => respond(500).text("no idea").into(),
            _ => next().into(),
        }
    }
}

fn plan() -> Plan {
    gather().call(call("shop", "shop", "/"))
}

/// A decision whose one edit is good.
fn edited() -> Continuation {
    next().with(set_header("x-misbehave-edited", "yes")).with_response(set_header("x-misbehave-edited", "yes"))
}

/// A good edit, then this one, both ways.
fn garbage(edit: HeaderEdit) -> Continuation {
    edited().with(edit.clone()).with_response(edit)
}

fn spin() -> ! {
    loop {
        black_box(());
    }
}

fn hungry() -> ! {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        // One byte of it: writing all would take longer than a call may.
        let mut bite = Vec::with_capacity(BITE);
        bite.push(1);
        eaten.push(black_box(bite));
    }
}

/// Recurses until the stack is used up. That it could end, and works on its frame after the call, keeps the compiler
/// from making it a loop.
fn recurse(depth: u64) -> u64 {
    if depth == black_box(u64::MAX) {
        return depth;
    }
    let frame = black_box([depth; 16]);
    let below = recurse(depth + 1);
    black_box(frame)[0].wrapping_add(below)
}

sluicegate_sdk::export!(Misbehave, hooks: [request, gather, response]);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::TestRequest;

    #[test]
    fn it_behaves_unless_told_otherwise() {
        for request in [TestRequest::get("/"), TestRequest::get("/").header("x-misbehave", "please not")] {
            assert_eq!(Misbehave.on_request(&request.request()), next().into());
        }
    }

    #[test]
    fn garbage_comes_after_a_good_edit() {
        let request = TestRequest::get("/").header("x-misbehave", "garbage-value");
        let RequestDecision::Next(continuation) = Misbehave.on_request(&request.request()) else { panic!("goes on") };
        assert_eq!((continuation.edits.len(), continuation.response_edits.len()), (2, 2));
    }
}
