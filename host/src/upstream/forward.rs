//! Sends a request to a service and hands back its response as it streams in.

use super::pool::Lease;
use super::registry::Cluster;
use super::retry::{self, TryOutcome};
use crate::body::{BodyError, ProxyBody, RequestBodyFailure};
use crate::config::limits;
use crate::error::RequestError;
use crate::wasm::types::RetryPolicy;
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::upgrade::OnUpgrade;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How to send a request.
#[derive(Debug, Clone, Default)]
pub struct ForwardPolicy {
    /// For the whole exchange up to the response's head, all tries included; [`limits::UPSTREAM_TOTAL`] when absent.
    pub timeout: Option<Duration>,
    /// When to try again.
    pub retries: Option<RetryPolicy>,
}

/// A response on its way back.
#[derive(Debug)]
pub struct Forwarded {
    /// The response; its body streams.
    pub response: Response<ProxyBody>,
    /// The connection itself, when the upstream agreed to upgrade it.
    pub upgrade: Option<OnUpgrade>,
    /// Who answered.
    pub endpoint: SocketAddr,
    /// How many tries it took.
    pub attempts: u32,
}

/// Sends the request. Its headers are final but for framing, which is the client connection's own.
pub async fn forward(
    cluster: &Cluster,
    parts: Parts,
    body: ProxyBody,
    policy: &ForwardPolicy,
) -> Result<Forwarded, RequestError> {
    let timeout = policy.timeout.unwrap_or(limits::UPSTREAM_TOTAL);
    let late = || RequestError::Deadline { milliseconds: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX) };
    let started = Instant::now();
    let deadline = started.checked_add(timeout).unwrap_or(started + limits::UPSTREAM_TOTAL);
    timeout_at(deadline, tries(cluster, parts, body, policy.retries.as_ref())).await.unwrap_or_else(|_| Err(late()))
}

async fn tries(
    cluster: &Cluster,
    parts: Parts,
    body: ProxyBody,
    policy: Option<&RetryPolicy>,
) -> Result<Forwarded, RequestError> {
    let body = body.begin().await.map_err(|error| of_body(&error))?;
    let mut request = Request::from_parts(parts, body);
    let mut tried = Vec::new();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let again = policy.filter(|policy| attempts <= policy.attempts);
        let copy = again.filter(|policy| retry::needs_copy(policy, request.headers())).and_then(|_| copy(&request));
        let endpoint = pick(cluster, &tried)?;
        tried.push(endpoint);
        let per_try = policy.and_then(|policy| policy.per_try_timeout);
        let mut sent = attempt(endpoint, request, per_try).await;
        let outcome = match &sent {
            Ok(forwarded) => TryOutcome::Response(forwarded.response.status(), forwarded.response.headers()),
            Err((error, _)) => TryOutcome::Failed(error),
        };
        let fires = again.is_some_and(|policy| retry::fires(policy, outcome));
        let next = sent.as_mut().err().and_then(|(_, unsent)| unsent.take()).map(|unsent| *unsent).or(copy);
        match (next.filter(|_| fires), again) {
            (Some(next), Some(policy)) => {
                drop(sent);
                sleep(retry::backoff(policy.backoff, attempts)).await;
                request = next;
            }
            _ => return sent.map(|forwarded| Forwarded { attempts, ..forwarded }).map_err(|(error, _)| error),
        }
    }
}

/// A failed try, with the request when none of it was sent.
type Failed = (RequestError, Option<Box<Request<ProxyBody>>>);

async fn attempt(endpoint: SocketAddr, request: Request<ProxyBody>, per_try: Option<u64>) -> Result<Forwarded, Failed> {
    let Some(milliseconds) = per_try else { return send(endpoint, request).await };
    let limited = tokio::time::timeout(Duration::from_millis(milliseconds), send(endpoint, request)).await;
    limited.unwrap_or(Err((RequestError::Deadline { milliseconds }, None)))
}

/// One try. A pooled connection that turns out to be closed is replaced without counting as one.
async fn send(endpoint: SocketAddr, mut request: Request<ProxyBody>) -> Result<Forwarded, Failed> {
    let mut lease = match Lease::acquire(endpoint).await {
        Ok(lease) => lease,
        Err(error) => return Err((error, Some(Box::new(request)))),
    };
    loop {
        let blame = request.body().failure();
        // A closed connection may also show only after the request was sent; then it is safe to repeat what is
        // idempotent (RFC 9110, section 9.2.2).
        let spare = if lease.reused && idempotent(request.method()) { copy(&request) } else { None };
        let upgrades = request.headers().contains_key(http::header::UPGRADE);
        match lease.sender.try_send_request(request).await {
            Ok(response) => return Ok(received(response, lease, upgrades)),
            Err(mut error) => {
                let unsent = error.take_message();
                let error = error.into_error();
                let blamed = blame.as_ref().and_then(|blame| blame.get());
                if let Some(failure) = blamed {
                    return Err((of_failure(*failure), None));
                }
                let closed = error.is_canceled() || error.is_closed() || error.is_incomplete_message() || is_io(&error);
                request = match unsent.or(spare.filter(|_| closed)) {
                    Some(again) if lease.reused => again,
                    Some(again) => return Err((of_send(&error, endpoint), Some(Box::new(again)))),
                    None => return Err((of_send(&error, endpoint), None)),
                };
                lease = match Lease::connect(endpoint).await {
                    Ok(lease) => lease,
                    Err(error) => return Err((error, Some(Box::new(request)))),
                };
            }
        }
    }
}

fn received(mut response: Response<hyper::body::Incoming>, lease: Lease, upgrades: bool) -> Forwarded {
    let endpoint = lease.address;
    let switched = upgrades && response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
    let upgrade = switched.then(|| hyper::upgrade::on(&mut response));
    let response = response.map(|incoming| {
        if switched {
            return ProxyBody::empty();
        }
        ProxyBody::response(incoming, lease)
    });
    Forwarded { response, upgrade, endpoint, attempts: 1 }
}

fn copy(request: &Request<ProxyBody>) -> Option<Request<ProxyBody>> {
    let body = request.body().replayable()?;
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn idempotent(method: &Method) -> bool {
    method.is_idempotent()
}

/// An endpoint at random, one that was not tried yet where there is one.
fn pick(cluster: &Cluster, tried: &[SocketAddr]) -> Result<SocketAddr, RequestError> {
    let endpoints = cluster.endpoints();
    if let ([only], []) = (endpoints, tried) {
        return Ok(only.address);
    }
    let fresh: Vec<SocketAddr> =
        endpoints.iter().map(|endpoint| endpoint.address).filter(|address| !tried.contains(address)).collect();
    let known = || endpoints.get(fastrand::usize(..endpoints.len().max(1))).map(|endpoint| endpoint.address);
    let picked = fresh.get(fastrand::usize(..fresh.len().max(1))).copied().or_else(known);
    picked.ok_or_else(|| RequestError::NoEndpoint { destination: cluster.name().to_owned() })
}

fn is_io(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

fn of_send(error: &hyper::Error, endpoint: SocketAddr) -> RequestError {
    let endpoint = endpoint.to_string();
    if error.is_parse() {
        return RequestError::BadResponse { endpoint, reason: error.to_string() };
    }
    RequestError::Reset { endpoint }
}

/// Whose fault a client's broken body is.
pub fn of_body(error: &BodyError) -> RequestError {
    match error {
        BodyError::TooLarge { limit } => RequestError::BodyTooLarge { limit: *limit },
        BodyError::Timeout => RequestError::RequestTimeout,
        BodyError::Http(_) => RequestError::ClientGone,
    }
}

fn of_failure(failure: RequestBodyFailure) -> RequestError {
    match failure {
        RequestBodyFailure::Broken => RequestError::ClientGone,
        RequestBodyFailure::TooLarge(limit) => RequestError::BodyTooLarge { limit },
    }
}
