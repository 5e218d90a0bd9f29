//! Sends a request to a service and hands back its response as it streams in.

use super::attempt::{Answered, Clock, Failure, attempt, copy};
use super::registry::Cluster;
use super::retry::{self, TryOutcome};
use super::{balance, framing};
use crate::body::ProxyBody;
use crate::config::limits;
use crate::error::RequestError;
use crate::wasm::types::RetryPolicy;
use http::request::Parts;
use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

pub use super::attempt::of_body;

/// How to send a request.
#[derive(Debug, Clone, Default)]
pub struct ForwardPolicy {
    /// For the whole exchange up to the response's head, all tries included, from the last byte of the request. When
    /// absent, [`limits::UPSTREAM_TOTAL`] for all and [`limits::UPSTREAM_FIRST_BYTE`] for each try.
    pub timeout: Option<Duration>,
    /// When to try again.
    pub retries: Option<RetryPolicy>,
}

/// A response on its way back.
#[derive(Debug)]
pub struct Forwarded {
    /// The response; its body streams.
    pub response: Response<ProxyBody>,
    /// The connection itself, when the upstream agreed to upgrade it: the request had an `upgrade` header and the
    /// response's status is 101.
    pub upgrade: Option<OnUpgrade>,
    /// Who answered.
    pub endpoint: SocketAddr,
    /// How many tries it took; 1 when the first one did.
    pub attempts: u32,
}

/// Sends the request. Its headers are final but for framing, which is the upstream connection's own.
///
/// Nothing is sent before the first bytes of the request's body are here, so that a body broken from its start reaches
/// no upstream; one that breaks later ends the upstream's connection, and its request is never completed. Dropping the
/// future does the same.
pub async fn forward(
    cluster: &Cluster,
    parts: Parts,
    body: ProxyBody,
    policy: &ForwardPolicy,
) -> Result<Forwarded, RequestError> {
    let body = if body.is_known() { body } else { Box::pin(begin(body)).await? };
    let request = framing::frame(parts, body)?;
    let clock = Clock::start(policy);
    match &policy.retries {
        // In a box, so that requests without retries do not carry the room for both.
        Some(retries) if retries.attempts > 0 => Box::pin(try_again(cluster, request, clock, retries)).await,
        _ => {
            let endpoint = pick(cluster, &[])?;
            attempt(endpoint, request, clock).await.map(|answered| answered.from(endpoint, 1)).map_err(Failure::into)
        }
    }
}

/// Makes the first try and the retries that the policy allows.
async fn try_again(
    cluster: &Cluster,
    mut request: Request<ProxyBody>,
    clock: Clock,
    policy: &RetryPolicy,
) -> Result<Forwarded, RequestError> {
    let mut tried = Vec::new();
    for attempts in 1..=policy.attempts.min(limits::RETRIES) {
        let spare = if retry::needs_copy(policy, request.headers()) { copy(&request) } else { None };
        let endpoint = pick(cluster, avoided(policy, &tried))?;
        let mut result = attempt(endpoint, request, clock).await;
        let fires = retry::fires(policy, outcome(&result));
        let unsent = result.as_mut().err().and_then(|failure| failure.unsent.take()).map(|unsent| *unsent);
        let wait = retry::backoff(policy.backoff, attempts);
        match unsent.or(spare).filter(|_| fires && wait < clock.remaining()) {
            Some(again) => request = again,
            None => return result.map(|answered| answered.from(endpoint, attempts)).map_err(Failure::into),
        }
        // Closes what is left of the failed try before the next one begins.
        drop(result);
        tried.push(endpoint);
        sleep(wait).await;
    }
    let endpoint = pick(cluster, avoided(policy, &tried))?;
    let attempts = u32::try_from(tried.len()).unwrap_or(u32::MAX).saturating_add(1);
    attempt(endpoint, request, clock).await.map(|answered| answered.from(endpoint, attempts)).map_err(Failure::into)
}

/// The endpoints that a retry goes to only when there are no others.
fn avoided<'a>(policy: &RetryPolicy, tried: &'a [SocketAddr]) -> &'a [SocketAddr] {
    if policy.ignore_previous_hosts { tried } else { &[] }
}

/// Waits for the first frame of a body that streams; its connection keeps the later ones moving.
async fn begin(body: ProxyBody) -> Result<ProxyBody, RequestError> {
    match timeout(limits::BODY_IDLE, body.begin()).await {
        Ok(begun) => begun.map_err(|error| of_body(&error)),
        Err(_) => Err(RequestError::RequestTimeout),
    }
}

fn pick(cluster: &Cluster, tried: &[SocketAddr]) -> Result<SocketAddr, RequestError> {
    let picked = balance::pick(cluster, tried);
    picked.ok_or_else(|| RequestError::NoEndpoint { destination: cluster.name().to_owned() })
}

fn outcome(result: &Result<Answered, Failure>) -> TryOutcome<'_> {
    match result {
        Ok(answered) => TryOutcome::Response(answered.response.status(), answered.response.headers()),
        Err(failure) => TryOutcome::Failed(failure.fault),
    }
}

impl Clock {
    fn start(policy: &ForwardPolicy) -> Self {
        let total = policy.timeout.unwrap_or(limits::UPSTREAM_TOTAL);
        let first_byte = if policy.timeout.is_some() { total } else { limits::UPSTREAM_FIRST_BYTE };
        let asked = policy.retries.as_ref().and_then(|retries| retries.per_try_timeout);
        let per_try = asked.map_or(first_byte, Duration::from_millis);
        let now = Instant::now();
        // Only a timeout of centuries overflows.
        let deadline = now.checked_add(total).unwrap_or(now + limits::UPSTREAM_TOTAL);
        Self { total, per_try, started: now, deadline }
    }
}

impl Answered {
    fn from(self, endpoint: SocketAddr, attempts: u32) -> Forwarded {
        Forwarded { response: self.response, upgrade: self.upgrade, endpoint, attempts }
    }
}

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::harness::{cluster, port, retrying};
    use super::*;

    #[test]
    fn a_retry_avoids_endpoints_that_were_tried_only_if_its_policy_says_so() {
        let cluster = cluster([port(1), port(2)]);
        let mut policy = retrying(1, []).retries.unwrap();
        let picked = |policy: &RetryPolicy| {
            let mut picked: Vec<_> = (0..4).map(|_| pick(&cluster, avoided(policy, &[port(1)])).unwrap()).collect();
            picked.sort();
            picked.dedup();
            picked
        };
        assert_eq!(picked(&policy), [port(2)]);
        policy.ignore_previous_hosts = false;
        assert_eq!(picked(&policy), [port(1), port(2)]);
    }
}
