//! Makes the calls of a plan, in parallel, and collects every outcome.
//!
//! What the outcomes mean is the filter's business; a status of 500 is an answer like any other here.

use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use crate::error::RequestError;
use crate::telemetry::trace::{Parent, http as spans, messaging};
use crate::upstream::registry::Registry;
use crate::upstream::{ForwardPolicy, forward};
use crate::wasm::types::{BodyUse, Call, CallError, CallResponse, Header, Outcome, Plan, StatusRange};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Headers that a call may not set, because the host writes them.
const HOST_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Whether the plan can be carried out: names, methods, paths and headers are well formed and there are not too many
/// calls. The error says what is wrong with it, as in "the filter failed: ...".
pub fn check(plan: &Plan) -> Result<(), String> {
    if plan.calls.is_empty() {
        return Err("its plan has no calls".into());
    }
    if plan.calls.len() > limits::PLAN_CALLS {
        return Err(format!("its plan has {} calls, more than {}", plan.calls.len(), limits::PLAN_CALLS));
    }
    let mut names = HashSet::with_capacity(plan.calls.len());
    if !plan.groups.is_empty() {
        return Err("its plan has groups".into());
    }
    for call in &plan.calls {
        if !names.insert(call.name.as_str()) {
            return Err(format!("two of its calls are named {:?}", call.name));
        }
        check_call(call).map_err(|error| format!("its call {:?} {error}", call.name))?;
    }
    Ok(())
}

fn check_call(call: &Call) -> Result<(), String> {
    method(call)?;
    path(call)?;
    host(call)?;
    if call.body_use != BodyUse::Read {
        return Err("splices its body".into());
    }
    call.headers.iter().try_for_each(|header| self::header(header).map(drop))
}

/// Makes the calls of a plan that [`check`] found good. The outcomes stand in the order of the calls.
///
/// Every call gets the `inherited` headers that it does not set itself. Dropping the future cancels all calls, and a
/// required one that fails cancels the others.
pub async fn run(registry: &Registry, plan: Plan, inherited: &HeaderMap, parent: &Parent) -> Vec<Outcome> {
    let started = Instant::now();
    let limit = |milliseconds: Option<u64>, default: Duration| milliseconds.map_or(default, Duration::from_millis);
    let total = limit(plan.deadline, limits::UPSTREAM_TOTAL);
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(plan.calls.len());
    let mut running = FuturesUnordered::new();
    for (index, mut call) in plan.calls.into_iter().enumerate() {
        let name = std::mem::take(&mut call.name);
        let mut span = spans::begin_call(parent, &name, &call.destination.host, call.required);
        outcomes.push(Outcome { name, response: Err(CallError::Cancelled) });
        let limit = total.min(limit(call.deadline, limits::CALL_DEADLINE));
        let deadline = started.checked_add(limit).unwrap_or(started + limits::CALL_DEADLINE);
        running.push(async move {
            let required = call.required;
            let made = make(registry, call, inherited, limit, span.parent());
            let response = timeout_at(deadline, made).await.unwrap_or(Err(CallError::Deadline));
            spans::end_call(&mut span, response.as_ref().map(|response| response.status).map_err(messaging::word));
            (index, required, response)
        });
    }
    while let Some((index, required, response)) = running.next().await {
        let stop = required && response.is_err();
        if let Some(outcome) = outcomes.get_mut(index) {
            outcome.response = response;
        }
        if stop {
            break;
        }
    }
    outcomes
}

async fn make(
    registry: &Registry,
    mut call: Call,
    inherited: &HeaderMap,
    limit: Duration,
    trace: Parent,
) -> Result<CallResponse, CallError> {
    let cluster = registry.resolve(&call.destination).map_err(|error| of_error(&error))?;
    let body = call.body.take().map_or_else(ProxyBody::empty, ProxyBody::full);
    // Only a plan that nobody checked gets no further here.
    let parts = head(&call, inherited).map_err(|_| CallError::NoEndpoint)?;
    let policy =
        ForwardPolicy { timeout: Some(limit), retries: call.retries.take(), trace, ..ForwardPolicy::default() };
    let forwarded = forward(&cluster, parts, body, &policy).await.map_err(|error| of_error(&error))?;
    let (parts, body) = forwarded.response.into_parts();
    let max = call.max_body.unwrap_or(limits::CALL_BODY).min(limits::CALL_BODY_MAX);
    let body = body.collect_up_to(max).await.map_err(|error| match error {
        BodyError::TooLarge { .. } => CallError::TooLarge,
        BodyError::Timeout => CallError::Deadline,
        BodyError::Http(_) => CallError::Reset,
    })?;
    let response = response(&parts, body);
    let accepted = |range: &StatusRange| (range.first..=range.last).contains(&response.status);
    if call.accept.is_empty() || call.accept.iter().any(accepted) {
        Ok(response)
    } else {
        Err(CallError::Status(response))
    }
}

/// A response as the contract has it.
pub fn response(parts: &http::response::Parts, body: Bytes) -> CallResponse {
    let header = |(name, value): (&HeaderName, &HeaderValue)| Header {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_vec(),
    };
    CallResponse {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().map(header).collect(),
        body: body.into(),
    }
}

/// What the contract calls a failure.
pub fn of_error(error: &RequestError) -> CallError {
    match error {
        RequestError::Deadline { .. } => CallError::Deadline,
        RequestError::NoEndpoint { .. } | RequestError::UnknownSubset { .. } => CallError::NoEndpoint,
        RequestError::ConnectFailed { .. }
        | RequestError::HandshakeFailed { .. }
        | RequestError::NoHealthyEndpoint { .. }
        | RequestError::UpstreamOverloaded { .. } => CallError::Refused,
        _ => CallError::Reset,
    }
}

fn head(call: &Call, inherited: &HeaderMap) -> Result<Parts, String> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method(call)?;
    parts.uri = Uri::from(path(call)?);
    parts.headers.reserve(inherited.len() + call.headers.len() + 1);
    for line in &call.headers {
        let (name, value) = header(line)?;
        parts.headers.append(name, value);
    }
    for name in inherited.keys() {
        if !parts.headers.contains_key(name) {
            inherited.get_all(name).iter().for_each(|value| {
                parts.headers.append(name.clone(), value.clone());
            });
        }
    }
    parts.headers.insert(HOST, host(call)?);
    Ok(parts)
}

fn method(call: &Call) -> Result<Method, String> {
    let method = Method::from_bytes(call.method.as_bytes()).ok().filter(|method| *method != Method::CONNECT);
    method.ok_or_else(|| format!("has method {:?}, which cannot be sent", call.method))
}

fn path(call: &Call) -> Result<PathAndQuery, String> {
    let path = PathAndQuery::try_from(call.path.as_str()).ok();
    let path = path.filter(|path| path.as_str().starts_with('/') && !call.path.contains('#'));
    path.ok_or_else(|| format!("has path {:?}, which is not a path and query", call.path))
}

fn host(call: &Call) -> Result<HeaderValue, String> {
    let name = &call.destination.host;
    let wrong = || format!("goes to {name:?}, which is not a host name");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*[]:".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(wrong());
    }
    let value = match call.destination.port {
        Some(port) if port != 80 => HeaderValue::try_from(format!("{name}:{port}")),
        _ => HeaderValue::from_str(name),
    };
    value.map_err(|_| wrong())
}

fn header(header: &Header) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::try_from(header.name.as_str());
    let name = name.map_err(|_| format!("has header {:?}, which is not a header name", header.name))?;
    if HOST_HEADERS.contains(&name.as_str()) {
        return Err(format!("has header {name:?}, which belongs to the host"));
    }
    let value = HeaderValue::from_bytes(&header.value);
    let value = value.map_err(|_| format!("has control characters in the value of header {name:?}"))?;
    Ok((name, value))
}

#[cfg(test)]
mod tests;
