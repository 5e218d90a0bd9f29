//! Sends a request to a service and hands back its response as it streams in.

use super::adaptive::{Held, Load};
use super::attempt::{Answered, Failure, copy};
use super::balance::affinity::Affinity;
use super::clock::Clock;
use super::cluster::Cluster;
use super::framing;
use super::limit::{Counted, Limit};
use super::retry::{self, TryOutcome};
use super::streams::Stream;
use super::target::Target;
use super::tries::{Tries, Try, Trying};
use super::watch::Watch;
use crate::body::ProxyBody;
use crate::config::limits;
use crate::error::RequestError;
use crate::telemetry::metrics::UpstreamResult;
use crate::telemetry::trace::{Parent, http as spans};
use crate::wasm::types::RetryPolicy;
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::{sleep, timeout};

pub use super::attempt::of_body;

/// How to send a request.
#[derive(Debug, Clone, Default)]
pub struct ForwardPolicy {
    /// For the whole exchange up to the response's head, all tries included, from the last byte of the request. When
    /// absent, [`limits::UPSTREAM_TOTAL`] for all and [`limits::UPSTREAM_FIRST_BYTE`] for each try.
    pub timeout: Option<Duration>,
    /// Whether `timeout` is the client's own wish, and shorter than what endpoints get from its route or by default: one
    /// that does not answer within it has not failed.
    pub hurried: bool,
    /// When to try again.
    pub retries: Option<RetryPolicy>,
    /// Whether both sides may speak in any order, as in gRPC: nothing waits for the request's body, and `timeout` runs
    /// from the request's head.
    pub conversation: bool,
    /// How it is held against the adaptive limit of the service.
    pub load: Load,
    /// Who asks, for a policy that ties clients to endpoints.
    pub source: Option<IpAddr>,
    /// What the spans of its tries begin from.
    pub trace: Parent,
}

/// A response on its way back.
#[derive(Debug)]
pub struct Forwarded {
    /// The response; its body streams.
    pub response: Response<ProxyBody>,
    /// The connection itself, when the upstream agreed to upgrade it: the request had an `upgrade` header and the
    /// response's status is 101.
    pub upgrade: Option<Upgrade>,
    /// Who answered.
    pub endpoint: SocketAddr,
    /// How many tries it took; 1 when the first one did.
    pub attempts: u32,
}

/// An upgraded connection to an upstream. Its endpoint counts as busy for as long as this lives.
#[derive(Debug)]
pub struct Upgrade {
    pub(super) connection: OnUpgrade,
    pub(super) watch: Option<Watch>,
    /// The stream that it is, in HTTP/2.
    pub(super) stream: Option<Stream>,
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
    forward_noting(cluster, parts, body, policy, &mut Tries::default()).await
}

/// The same, and keeps `tries` as they are made.
pub async fn forward_noting(
    cluster: &Cluster,
    parts: Parts,
    body: ProxyBody,
    policy: &ForwardPolicy,
    tries: &mut Tries,
) -> Result<Forwarded, RequestError> {
    let body = if body.is_known() || policy.conversation { body } else { Box::pin(begin(body)).await? };
    let clock = Clock::start(policy);
    let mut request = match cluster.wire() {
        Some(wire) if wire.is_multiplexed() => framing::frame_http2(parts, body, wire)?,
        _ => framing::frame(parts, body)?,
    };
    let affinity = Affinity::of(&cluster.policy().balancer, request.headers(), request.uri(), policy.source);
    let admitted = admit(cluster)?;
    let held = Held::enter(&cluster.state().adaptive, policy.load, request.body_mut());
    let held = held.inspect_err(|_| cluster.state().overflowed(Limit::Adaptive))?;
    let retries = policy.retries.as_ref().filter(|retries| retries.attempts > 0);
    let mut trying = Trying { tries, trace: &policy.trace };
    let mut last = match retries {
        // In a box, so that requests without retries do not carry the room for both.
        Some(retries) => Box::pin(try_again(cluster, affinity.key, request, clock, retries, &mut trying)).await?,
        None => Try::at(first(cluster, affinity.key)?, request, clock, &mut trying).await,
    };
    if let Some(held) = held.filter(|_| last.tells_latency()) {
        held.answered();
    }
    last.admitted = admitted;
    let mut forwarded = last.finish(trying.tries.count)?;
    if let Some(cookie) = affinity.cookie {
        forwarded.response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(forwarded)
}

/// Makes the first try and the retries that the policies allow. Returns the last try.
async fn try_again<'a>(
    cluster: &'a Cluster,
    key: Option<u64>,
    mut request: Request<ProxyBody>,
    clock: Clock,
    policy: &RetryPolicy,
    trying: &mut Trying<'_>,
) -> Result<Try<'a>, RequestError> {
    let mut addresses = Vec::new();
    let mut retrying = None;
    let mut target = first(cluster, key)?;
    for attempts in 1..=policy.attempts.min(limits::RETRIES) {
        let spare = if retry::needs_copy(policy, request.headers()) { copy(&request) } else { None };
        let mut last = Try::at(target, request, clock, trying).await;
        last.retry = retrying.take();
        let fires = retry::fires(policy, outcome(&last.result));
        let unsent = last.result.as_mut().err().and_then(|failure| failure.unsent.take()).map(|unsent| *unsent);
        let wait = retry::backoff(policy.backoff, attempts);
        let Some(again) = unsent.or(spare).filter(|_| fires && wait < clock.remaining()) else {
            return Ok(last);
        };
        addresses.push(target.address());
        let (Ok(next), Ok(counted)) = (Target::pick(cluster, key, avoided(policy, &addresses)), may_retry(cluster))
        else {
            return Ok(last);
        };
        (retrying, request) = (counted, again);
        spans::tried_again(&mut last.span, wait);
        // Closes what is left of the failed try before the next one begins.
        drop(last);
        sleep(wait).await;
        // Who was in before the wait may be out after it.
        target = Target::pick(cluster, key, avoided(policy, &addresses)).unwrap_or(next);
    }
    let mut last = Try::at(target, request, clock, trying).await;
    last.retry = retrying;
    Ok(last)
}

/// The endpoint of the first try.
fn first(cluster: &Cluster, key: Option<u64>) -> Result<Target<'_>, RequestError> {
    Target::pick(cluster, key, &[]).inspect_err(|_| {
        if let Some(metrics) = cluster.metrics() {
            metrics.request(UpstreamResult::NoEndpoint);
        }
    })
}

/// Counts a request, where its cluster's are counted.
fn admit(cluster: &Cluster) -> Result<Option<Counted>, RequestError> {
    if !cluster.is_tracked() {
        return Ok(None);
    }
    let state = cluster.state();
    state.requests.enter(cluster.policy().pool.max_requests).map(Some).ok_or_else(|| {
        state.overflowed(Limit::Requests);
        RequestError::UpstreamOverloaded { destination: cluster.name().to_owned(), limit: "requests are active" }
    })
}

/// Counts a retry, and holds it against the limit where its cluster's are counted.
fn may_retry(cluster: &Cluster) -> Result<Option<Counted>, Limit> {
    let retrying = retry_of(cluster)?;
    if let Some(metrics) = cluster.metrics() {
        metrics.retry();
    }
    Ok(retrying)
}

fn retry_of(cluster: &Cluster) -> Result<Option<Counted>, Limit> {
    if !cluster.is_tracked() {
        return Ok(None);
    }
    let (state, policy) = (cluster.state(), cluster.policy());
    let limit = match policy.retry_budget {
        Some(budget) => Some(budget.of(state.requests())),
        None => policy.pool.max_retries,
    };
    state.retries.enter(limit).map(Some).ok_or_else(|| {
        state.overflowed(Limit::Retries);
        Limit::Retries
    })
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

fn outcome(result: &Result<Answered, Failure>) -> TryOutcome<'_> {
    match result {
        Ok(answered) => TryOutcome::Response(answered.response.status(), answered.response.headers()),
        Err(failure) => TryOutcome::Failed(failure.fault),
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
            let pick = || Target::pick(&cluster, None, avoided(policy, &[port(1)])).unwrap().address();
            let mut picked: Vec<_> = (0..40).map(|_| pick()).collect();
            picked.sort();
            picked.dedup();
            picked
        };
        assert_eq!(picked(&policy), [port(2)]);
        policy.ignore_previous_hosts = false;
        assert_eq!(picked(&policy), [port(1), port(2)]);
    }
}
