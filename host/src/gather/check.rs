//! Whether a plan can be carried out. A filter's values are network input: everything is parsed before anything is done.

use super::inheritance::{belongs_to_the_host, inherit};
use super::plan::{Call, Expected, Group, Plan};
use crate::config::limits;
use crate::connection::target;
use crate::wasm::types::{self, Header};
use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use std::collections::HashMap;
use std::time::Duration;

/// Understands a plan: names, methods, paths, headers and groups have to be well formed, and there may not be too many
/// calls. Edits of the response are not looked at here. Calls may inherit headers of the request, which are these.
///
/// # Errors
/// With what is wrong with it, as in "the filter failed: ...".
pub fn check(plan: types::Plan, request: &HeaderMap) -> Result<Plan, String> {
    let types::Plan { calls: written, groups, deadline, state, response_edits: _, expected } = plan;
    if written.is_empty() {
        return Err("its plan has no calls".into());
    }
    if written.len() > limits::PLAN_CALLS {
        return Err(format!("its plan has {} calls, more than {}", written.len(), limits::PLAN_CALLS));
    }
    let mut calls: Vec<Call> = Vec::with_capacity(written.len());
    for (index, call) in written.into_iter().enumerate() {
        if calls.iter().any(|known| known.name == call.name) {
            return Err(format!("two of its calls are named {:?}", call.name));
        }
        let name = call.name.clone();
        calls.push(self::call(call, index, request).map_err(|error| format!("its call {name:?} {error}"))?);
    }
    find_same(&mut calls);
    let groups = check_groups(groups, &calls)?;
    let expected = expected.map(|expected| Expected::check(expected, &calls)).transpose()?;
    Ok(Plan { calls, groups, deadline: deadline.map(Duration::from_millis), state, expected })
}

fn call(written: types::Call, index: usize, request: &HeaderMap) -> Result<Call, String> {
    let head = head(&written, request)?;
    let types::Call { name, destination, body, required, max_body, accept, retries, body_use, cache, .. } = written;
    if let Some(range) = accept.iter().find(|range| range.first > range.last) {
        return Err(format!("accepts the statuses from {} to {}, which are none", range.first, range.last));
    }
    let body = body.map(Into::into);
    if cache.is_some() && (head.method != Method::GET || body.is_some()) {
        return Err("has a cache policy, though it is not a GET without a body".into());
    }
    let deadline = written.deadline.map(Duration::from_millis);
    Ok(Call {
        name,
        destination,
        head,
        body,
        deadline,
        required,
        max_body,
        accept,
        retries,
        body_use,
        cache,
        same_as: index,
        shared: false,
    })
}

/// Finds the calls whose response another one's can stand for. A body that streams can only be used once, and calls with a
/// cache policy share by the cache, where each has a stand-in at its own deadline.
fn find_same(calls: &mut [Call]) {
    let sharing = |call: &Call| call.is_plain_get() && !call.splices() && call.cache.is_none();
    for index in 1..calls.len() {
        let (before, [call, ..]) = calls.split_at_mut(index) else { return };
        if !sharing(call) {
            continue;
        }
        if let Some(first) = before.iter_mut().find(|first| sharing(first) && first.asks_the_same(call)) {
            (call.same_as, call.shared, first.shared) = (first.same_as, true, true);
        }
    }
}

fn check_groups(written: Vec<types::CallGroup>, calls: &[Call]) -> Result<Vec<Group>, String> {
    if written.is_empty() {
        return Ok(Vec::new());
    }
    let mut places: HashMap<&str, u64> =
        calls.iter().zip(0..).map(|(call, place)| (call.name.as_str(), 1 << place)).collect();
    let mut groups = Vec::with_capacity(written.len());
    for group in written {
        let mut members = 0;
        for name in &group.calls {
            let known = calls.iter().any(|call| call.name == *name);
            let Some(place) = places.remove(name.as_str()) else {
                return Err(if known {
                    format!("its call {name:?} is in a group twice")
                } else {
                    format!("a group names the call {name:?}, which its plan does not have")
                });
            };
            members |= place;
        }
        groups.push(check_group(&group, members)?);
    }
    Ok(groups)
}

fn check_group(written: &types::CallGroup, calls: u64) -> Result<Group, String> {
    let count = calls.count_ones();
    if count == 0 {
        return Err("one of its groups has no calls".into());
    }
    if written.concurrency == Some(0) {
        return Err("one of its groups lets no call run".into());
    }
    if let Some(enough) = written.enough.filter(|enough| *enough == 0 || *enough > count) {
        return Err(format!("one of its groups has {count} calls, of which {enough} cannot be enough"));
    }
    let concurrency = written.concurrency.unwrap_or(count).min(count);
    Ok(Group { calls, concurrency, enough: written.enough, required: written.required })
}

fn head(call: &types::Call, request: &HeaderMap) -> Result<Parts, String> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method(&call.method)?;
    parts.uri = Uri::from(path(&call.path)?);
    // Room for what every call inherits.
    let too_many = |_| "has more headers than a message can have".to_owned();
    parts.headers.try_reserve(call.headers.len() + 8).map_err(too_many)?;
    parts.headers.insert(HOST, host(&call.destination)?);
    for line in &call.headers {
        let (name, value) = header(line)?;
        parts.headers.try_append(name, value).map_err(too_many)?;
    }
    inherit(&call.inherits, request, &mut parts.headers)?;
    Ok(parts)
}

fn method(written: &str) -> Result<Method, String> {
    let method = Method::from_bytes(written.as_bytes()).ok().filter(|method| *method != Method::CONNECT);
    method.ok_or_else(|| format!("has method {written:?}, which cannot be sent"))
}

fn path(written: &str) -> Result<PathAndQuery, String> {
    let path = PathAndQuery::try_from(written).ok();
    let path = path.filter(|_| written.starts_with('/') && target::check(b"GET", written.as_bytes()).is_ok());
    // The query may hold what a client sent.
    let shown = written.split('?').next().unwrap_or_default();
    path.ok_or_else(|| format!("has path {shown:?}, which with its query is none that a request can have"))
}

fn host(destination: &types::Destination) -> Result<HeaderValue, String> {
    let name = &destination.host;
    let wrong = || format!("goes to {name:?}, which is not a host name");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*[]:".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(wrong());
    }
    let value = match destination.port {
        Some(port) if port != 80 => HeaderValue::try_from(format!("{name}:{port}")),
        _ => HeaderValue::from_str(name),
    };
    value.map_err(|_| wrong())
}

fn header(header: &Header) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::try_from(header.name.as_str());
    let name = name.map_err(|_| format!("has header {:?}, which is not a header name", header.name))?;
    if belongs_to_the_host(&name) {
        return Err(format!("has header {name:?}, which belongs to the host"));
    }
    let value = HeaderValue::from_bytes(&header.value);
    let value = value.map_err(|_| format!("has control characters in the value of header {name:?}"))?;
    Ok((name, value))
}

#[cfg(test)]
mod tests;
