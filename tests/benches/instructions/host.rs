//! Parts of the host.

use super::Case;
use sluicegate::connection::gate::Gate;
use sluicegate::decision;
use sluicegate::json::Validator;
use sluicegate::request::RequestHead;
use sluicegate::wasm::types::{Header, HeaderEdit, RequestEdit};
use std::hint::black_box;

pub(crate) const CASES: [Case; 6] = [
    Case { name: "gate: a request of five headers", prepare: || gate(REQUEST.as_bytes().to_vec()) },
    Case { name: "gate: a body of 1 KiB in one chunk", prepare: || gate(chunked(1024)) },
    Case { name: "gate: a body of 1 KiB in 64 chunks", prepare: || gate(chunked(16)) },
    Case { name: "decision: one header set each way", prepare: decision },
    Case { name: "json: 1 KiB of short members", prepare: || json(members()) },
    Case { name: "json: 1 KiB in one string", prepare: || json(format!("\"{}\"", "x".repeat(1022))) },
];

const REQUEST: &str = "GET /stock HTTP/1.1\r\nHost: origin\r\nUser-Agent: bench\r\nAccept: text/plain\r\n\
                       Accept-Language: en\r\nX-Tenant: blue\r\n\r\n";

/// The bytes of a request on a kept connection.
fn gate(request: Vec<u8>) -> Box<dyn FnMut()> {
    let mut gate = Gate::default();
    Box::new(move || {
        let passed = gate.scan(black_box(&request));
        assert_eq!(passed, request.len(), "the gate holds back what it should pass");
    })
}

/// A request with a body of 1 KiB in chunks of this size.
fn chunked(size: usize) -> Vec<u8> {
    let chunk = format!("{size:x}\r\n{}\r\n", "x".repeat(size));
    let head = "POST /stock HTTP/1.1\r\nHost: origin\r\nTransfer-Encoding: chunked\r\n\r\n";
    format!("{head}{}0\r\n\r\n", chunk.repeat(1024 / size)).into_bytes()
}

/// An array of 64 objects of 15 bytes each, with commas and brackets.
fn members() -> String {
    format!("[{}]", vec!["{\"a\":1,\"b\":\"c\"}"; 64].join(","))
}

/// A document that stays with the host, checked as it passes.
fn json(document: String) -> Box<dyn FnMut()> {
    Box::new(move || {
        let mut validator = Validator::default();
        let read = validator.read(black_box(document.as_bytes())).and_then(|()| validator.finish());
        assert!(read.is_ok(), "the document is refused");
    })
}

/// What a filter that sets one header each way decides, checked and applied.
fn decision() -> Box<dyn FnMut()> {
    let mut head = RequestHead::default();
    let set = |name: &str| HeaderEdit::Set(Header { name: name.to_owned(), value: b"bench".to_vec() });
    Box::new(move || {
        let mut later = Vec::new();
        let edits = vec![RequestEdit::Header(set("x-filter-request"))];
        let applied = decision::apply(black_box(edits), vec![set("x-filter-response")], &mut head, &mut later);
        assert!(applied.is_ok() && later.len() == 1, "the decision is refused");
    })
}
