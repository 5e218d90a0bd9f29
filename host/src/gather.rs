//! Makes the calls of a plan, in parallel, and collects every outcome.

use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use crate::error::RequestError;
use crate::upstream::forward::{ForwardPolicy, forward};
use crate::upstream::registry::Registry;
use crate::wasm::types::{Call, CallError, CallResponse, Header, Outcome, Plan};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Whether the plan can be carried out: names, methods, paths and headers are well formed and there are not too many
/// calls. The error says what is wrong.
pub fn check(plan: &Plan) -> Result<(), String> {
    if plan.calls.is_empty() {
        return Err("its plan has no calls".into());
    }
    if plan.calls.len() > limits::PLAN_CALLS {
        return Err(format!("its plan has {} calls, more than {}", plan.calls.len(), limits::PLAN_CALLS));
    }
    for (index, call) in plan.calls.iter().enumerate() {
        if plan.calls.iter().take(index).any(|earlier| earlier.name == call.name) {
            return Err(format!("two of its calls are named {:?}", call.name));
        }
        head(call, &HeaderMap::new()).map_err(|error| format!("its call {:?} {error}", call.name))?;
    }
    Ok(())
}

/// Makes the calls. The outcomes stand in the order of the calls. Dropping the future cancels them all; so does a
/// required call that fails.
pub async fn run(registry: &Registry, plan: Plan, inherited: &HeaderMap) -> Vec<Outcome> {
    let started = Instant::now();
    let limit = |milliseconds: Option<u64>| milliseconds.map_or(limits::CALL_DEADLINE, Duration::from_millis);
    let total = started + plan.deadline.map_or(limits::UPSTREAM_TOTAL, Duration::from_millis);
    let names: Vec<String> = plan.calls.iter().map(|call| call.name.clone()).collect();
    let mut outcomes: Vec<Option<Result<CallResponse, CallError>>> = names.iter().map(|_| None).collect();
    let mut running: FuturesUnordered<_> = plan
        .calls
        .into_iter()
        .enumerate()
        .map(|(index, call)| {
            let deadline = total.min(started + limit(call.deadline));
            async move {
                let required = call.required;
                let outcome = timeout_at(deadline, make(registry, call, inherited, deadline)).await;
                (index, required, outcome.unwrap_or(Err(CallError::Deadline)))
            }
        })
        .collect();
    while let Some((index, required, outcome)) = running.next().await {
        let stop = required && outcome.is_err();
        if let Some(slot) = outcomes.get_mut(index) {
            *slot = Some(outcome);
        }
        if stop {
            break;
        }
    }
    drop(running);
    let outcome = |(name, response): (String, Option<_>)| Outcome {
        name,
        response: response.unwrap_or(Err(CallError::Cancelled)),
    };
    names.into_iter().zip(outcomes).map(outcome).collect()
}

async fn make(
    registry: &Registry,
    call: Call,
    inherited: &HeaderMap,
    deadline: Instant,
) -> Result<CallResponse, CallError> {
    let cluster = registry.find(&call.destination.host, call.destination.port).ok_or(CallError::NoEndpoint)?;
    // The plan was checked before it was taken.
    let parts = head(&call, inherited).map_err(|_| CallError::NoEndpoint)?;
    let body = call.body.map_or_else(ProxyBody::empty, ProxyBody::full);
    let policy = ForwardPolicy { timeout: Some(deadline - Instant::now()), retries: None };
    let forwarded = forward(&cluster, parts, body, &policy).await.map_err(|error| of_error(&error))?;
    let (parts, body) = forwarded.response.into_parts();
    let max = call.max_body.unwrap_or(limits::CALL_BODY);
    let body = body.collect_up_to(max).await.map_err(|error| match error {
        BodyError::TooLarge { .. } => CallError::TooLarge,
        BodyError::Timeout => CallError::Deadline,
        BodyError::Http(_) => CallError::Reset,
    })?;
    Ok(response(&parts, body))
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
        RequestError::NoEndpoint { .. } => CallError::NoEndpoint,
        RequestError::ConnectFailed { .. } => CallError::Refused,
        _ => CallError::Reset,
    }
}

fn head(call: &Call, inherited: &HeaderMap) -> Result<Parts, String> {
    let method = Method::from_bytes(call.method.as_bytes()).map_err(|_| format!("has method {:?}", call.method))?;
    if method == Method::CONNECT {
        return Err("has method \"CONNECT\"".into());
    }
    let path = PathAndQuery::try_from(call.path.as_str()).ok().filter(|path| path.as_str().starts_with('/'));
    let path = path.ok_or_else(|| format!("has path {:?}, which is not a path and query", call.path))?;
    let mut headers = inherited.clone();
    for header in &call.headers {
        let name = HeaderName::try_from(header.name.as_str());
        let name = name.map_err(|_| format!("has header {:?}, which is not a header name", header.name))?;
        let own = matches!(
            name.as_str(),
            "connection"
                | "content-length"
                | "host"
                | "keep-alive"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
        );
        if own {
            return Err(format!("has header {name:?}, which belongs to the host"));
        }
        let value = HeaderValue::from_bytes(&header.value);
        headers.append(name, value.map_err(|_| format!("has control characters in header {:?}", header.name))?);
    }
    let authority = match call.destination.port {
        Some(port) if port != 80 => format!("{}:{port}", call.destination.host),
        _ => call.destination.host.clone(),
    };
    let host = HeaderValue::try_from(authority).map_err(|_| format!("goes to {:?}", call.destination.host))?;
    headers.insert(http::header::HOST, host);
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method;
    parts.uri = http::Uri::from(path);
    parts.headers = headers;
    Ok(parts)
}
