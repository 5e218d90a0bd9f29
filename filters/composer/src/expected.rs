//! The answer of a composition in which all goes well, where that can be told before any call is made.
//!
//! It can, when the template takes bodies over whole and says nothing else of the calls or the request. Then the host gives
//! the answer by itself, which saves it a call of the filter. A header that would have a say in the answer's own headers
//! makes the host ask after all.

use crate::answer::{JSON, NO_STORE};
use crate::compile::is_control;
use crate::composition::{Call, Response, Status};
use crate::output::Output;
use crate::part::{Body, Slot};
use crate::template::{Node, Operand, Reference, Source};
use sluicegate_sdk::{Assembly, Header};

/// Headers of a part that the answer's headers are made of, or that make its body something else than it seems.
pub const DECISIVE: [&str; 4] = ["cache-control", "content-encoding", "set-cookie", "vary"];

/// The answer to a GET, when all calls are good and have none of the [`DECISIVE`] headers.
pub fn answer(calls: &[Call], slots: &[Slot], stages: usize, response: &Response) -> Option<Assembly> {
    let plain = |call: &Call| match call {
        Call::Service(service) => {
            let looked_into = matches!(service.body_use, Body::Json(_)) || !service.is_checked();
            service.when.is_none() && service.each.is_none() && !looked_into
        }
        Call::Choice(_) => false,
    };
    if stages != 1 || response.etag || !calls.iter().all(plain) {
        return None;
    }
    let status = match response.status {
        Status::Fixed(status) => status,
        Status::ByParts => 200,
        Status::Template(_) => return None,
    };
    let mut headers = vec![header("content-type", JSON), header("cache-control", NO_STORE)];
    if !response.vary.is_empty() {
        headers.push(header("vary", &response.vary.join(", ")));
    }
    for (name, template) in &response.headers {
        let value = template.as_literal()?;
        if !value.bytes().any(is_control) {
            headers.retain(|header| header.name != *name);
            headers.push(header(name, value));
        }
    }
    let mut body = Output::default();
    let written = write(&response.body, calls, slots, &mut body)?;
    (written && body.has_bodies()).then(|| Assembly { status, headers, body: body.into_parts() })
}

/// The same as a [`Scope`](crate::template::scope::Scope) writes when all calls are good: whether there is something to
/// write. None when that depends on more.
fn write(node: &Node, calls: &[Call], slots: &[Slot], out: &mut Output) -> Option<bool> {
    match node {
        Node::Literal(text) => out.push(text),
        Node::Text(text) => out.push(&crate::json::string(text.as_literal()?)),
        Node::Value(chain) => {
            let [Operand::Reference(Reference { source, steps })] = chain.operands.as_slice() else { return None };
            match source {
                Source::CallBody(call) if steps.is_empty() => {
                    let (Call::Service(service), slot) = (calls.get(*call)?, slots.get(*call)?) else { return None };
                    if service.body_use != Body::Host {
                        return None;
                    }
                    out.body_of(slot.name.clone());
                }
                // There are none.
                Source::Errors => return Some(false),
                _ => return None,
            }
        }
        Node::Object(members) => {
            out.push("{");
            out.separated(members, |out, (key, value)| {
                out.push(key);
                out.push(":");
                write(value, calls, slots, out)
            })?;
            out.push("}");
        }
        Node::List(elements) => {
            out.push("[");
            out.separated(elements, |out, element| write(element, calls, slots, out))?;
            out.push("]");
        }
        Node::Operator(_) => return None,
    }
    Some(true)
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.into() }
}
