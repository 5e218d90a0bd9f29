//! Makes the requests of calls.

use crate::compile::is_control;
use crate::composition::{Composition, PassedHeaders, Path, ServiceCall};
use crate::part::{Body, Failure, Reason};
use crate::percent;
use crate::template::scope::{Items, Scope, Value};
use crate::template::{Piece, Text};
use sluicegate_sdk::json::{self, Kind};
use sluicegate_sdk::{BodyUse, Call, Header, Inheritance, StatusRange};

/// What calls ask for.
const JSON: &str = "application/json";

/// The request of a call, under this name.
///
/// # Errors
/// When a value that it cannot do without is missing, or would not stay in its place.
pub fn call(
    composition: &Composition,
    service: &ServiceCall,
    name: String,
    scope: &Scope<'_>,
    items: Items<'_>,
) -> Result<Call, Failure> {
    let path = match &service.path {
        Path::Requests => scope.view.request.path_and_query(),
        Path::Template(template) => {
            let mut path = path(template, scope, items)?;
            add_query(service, scope, items, &mut path);
            path
        }
    };
    let body =
        service.body.as_ref().and_then(|body| scope.render(body, items)).map(|body| body.into_owned().into_bytes());
    let headers = headers(service, body.is_some(), scope, items)?;
    // What is passed on has to be whole, as a good answer has. Of an element's call nothing is.
    let passed_on = if items.is_none() { service.pass_on.as_slice() } else { &[] };
    let accept = service.limits.accept.iter().chain(passed_on);
    Ok(Call {
        name,
        destination: service.destination.clone(),
        method: service.method.clone(),
        path,
        headers,
        inherits: match &service.pass {
            PassedHeaders::All => Inheritance::All,
            PassedHeaders::Named(names) if names.is_empty() => Inheritance::None,
            PassedHeaders::Named(names) => Inheritance::Named(names.clone()),
        },
        body,
        deadline: Some(service.limits.deadline.min(composition.deadline)),
        required: service.required,
        max_body: Some(service.limits.max_part),
        accept: accept.map(|&(first, last)| StatusRange { first, last }).collect(),
        retries: service.retries.clone(),
        body_use: match service.body_use {
            Body::Host => BodyUse::SpliceJson,
            Body::Unused if service.pass_on.is_empty() => BodyUse::Splice,
            Body::Json(_) if service.is_checked() => BodyUse::ReadJson,
            Body::Json(_) | Body::Unused => BodyUse::Read,
        },
        cache: service.cache,
    })
}

/// The path, in which every value is a part of one segment.
fn path(template: &Text, scope: &Scope<'_>, items: Items<'_>) -> Result<String, Failure> {
    let mut path = String::with_capacity(64);
    for piece in &template.0 {
        match piece {
            Piece::Literal(text) => path.push_str(text),
            Piece::Value(chain) => {
                let value = scope.chain(chain, items).and_then(Value::into_plain).filter(|value| !value.is_empty());
                let Some(value) = value else {
                    let message = format!("the path needs {{{}}}, which is missing", chain.written);
                    return Err(Failure::new(Reason::NotMade, message));
                };
                percent::encode(&value, &mut path);
            }
        }
    }
    // Dots need no encoding, so only refusing them keeps a value from climbing out of its segment.
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(Failure::new(Reason::NotMade, "a value would make a dot segment of the path"));
    }
    Ok(path)
}

/// Adds the query. A parameter whose value is missing or `null` is left out; one whose value is a list is there for each
/// element.
fn add_query(service: &ServiceCall, scope: &Scope<'_>, items: Items<'_>, path: &mut String) {
    let mut separator = '?';
    for (name, value) in &service.query {
        let Some(value) = scope.render(value, items) else { continue };
        let mut add = |value: &str| {
            path.push(separator);
            separator = '&';
            path.push_str(name);
            path.push('=');
            percent::encode(&json::plain(value), path);
        };
        match json::kind(&value) {
            Kind::Null => {}
            Kind::List => json::elements(&value).for_each(&mut add),
            _ => add(&value),
        }
    }
}

/// The headers that the call sets itself; what it takes along of the request's, the host adds.
fn headers(service: &ServiceCall, has_body: bool, scope: &Scope<'_>, items: Items<'_>) -> Result<Vec<Header>, Failure> {
    let mut headers: Vec<Header> = Vec::with_capacity(service.headers.len() + 3);
    for (name, template) in &service.headers {
        let Some(value) = scope.text(template, items) else { continue };
        if value.bytes().any(is_control) {
            let message = format!("the value of the header {name} would not be one line");
            return Err(Failure::new(Reason::NotMade, message));
        }
        headers.push(Header { name: name.clone(), value: value.as_bytes().to_vec() });
    }
    let inherited = |name: &str| match &service.pass {
        PassedHeaders::All => name == "accept",
        PassedHeaders::Named(names) => {
            names.iter().any(|passed| passed == name) && scope.view.request.header(name).is_some()
        }
    };
    let mut unless_there = |name: &str, value: &str| {
        if !headers.iter().any(|header| header.name == name) && !inherited(name) {
            headers.push(Header { name: name.to_owned(), value: value.into() });
        }
    };
    if has_body {
        unless_there("content-type", JSON);
    }
    unless_there("accept", JSON);
    headers.push(Header { name: "accept-encoding".to_owned(), value: b"identity".to_vec() });
    Ok(headers)
}
