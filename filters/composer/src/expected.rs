//! The answer of a composition in which all goes well, where that can be told before any call is made.
//!
//! It can, when the template takes bodies or members of them over as they are and says nothing else of the calls or the
//! request. Then the host gives
//! the answer by itself, which saves it a call of the filter. A header that would have a say in the answer's own headers
//! makes the host ask after all.

use crate::answer::{JSON, NO_STORE};
use crate::compile::is_control;
use crate::composition::{Call, Response, Status};
use crate::output::Output;
use crate::part::{Body, Slot};
use crate::template::{Node, Operand, Operator, Reference, Source, Step};
use sluicegate_sdk::{Assembly, Header, json};

/// Headers of a part that the answer's headers are made of, or that make its body something else than it seems.
pub const DECISIVE: [&str; 4] = ["cache-control", "content-encoding", "set-cookie", "vary"];

/// The answer to a GET, when all calls are good and have none of the [`DECISIVE`] headers.
pub fn answer(calls: &[Call], slots: &[Slot], stages: usize, response: &Response) -> Option<Assembly> {
    let plain = |call: &Call| match call {
        Call::Service(service) => service.when.is_none() && service.each.is_none() && service.is_checked(),
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
        Node::Text(text) => out.push(&json::string(text.as_literal()?)),
        Node::Value(chain) => {
            let [Operand::Reference(Reference { source, steps })] = chain.operands.as_slice() else { return None };
            if *source == Source::Errors {
                // There are none.
                return Some(false);
            }
            let (call, path) = member(source, steps, slots)?;
            match body_use(source, calls)? {
                Body::Host if path.is_empty() => out.body_of(call),
                Body::Json(_) => out.value_of(call, path),
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
        Node::Operator(operator) => {
            let Operator::Pick(names, Node::Value(chain)) = operator.as_ref() else { return None };
            let [Operand::Reference(Reference { source, steps })] = chain.operands.as_slice() else { return None };
            let (call, path) = member(source, steps, slots)?;
            if !matches!(body_use(source, calls)?, Body::Json(_)) {
                return None;
            }
            out.push("{");
            out.separated(names, |out, name| {
                out.push(&json::string(name));
                out.push(":");
                let path = path.iter().chain([name]).cloned().collect();
                out.value_of(call.clone(), path);
                Some(true)
            })?;
            out.push("}");
        }
    }
    Some(true)
}

/// The call of a body, and the way along members within it.
fn member(source: &Source, steps: &[Step], slots: &[Slot]) -> Option<(String, Vec<String>)> {
    let Source::CallBody(call) = source else { return None };
    let name = |step: &Step| if let Step::Member(name) = step { Some(name.clone()) } else { None };
    Some((slots.get(*call)?.name.clone(), steps.iter().map(name).collect::<Option<_>>()?))
}

/// Where the body of a call has to be.
fn body_use<'c>(source: &Source, calls: &'c [Call]) -> Option<&'c Body> {
    let Source::CallBody(call) = source else { return None };
    match calls.get(*call)? {
        Call::Service(service) => Some(&service.body_use),
        Call::Choice(_) => None,
    }
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.into() }
}
