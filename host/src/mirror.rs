//! Copies of requests, for services that are to see traffic without answering it.
//!
//! A copy goes over the same machinery as the request, on a task of its own with its own deadline. Its response is
//! dropped, and nothing that becomes of it delays or fails the request. The drain waits for copies, and ends them with
//! the rest. A body that streams is copied frame by frame ([`tee`]).

mod tee;

use crate::body::ProxyBody;
use crate::config::limits;
use crate::decision;
use crate::drain::Drain;
use crate::telemetry::metrics::{MirrorMetrics, MirrorResult};
use crate::telemetry::trace::Parent;
use crate::upstream::registry::{Cluster, Registry};
use crate::upstream::{ForwardPolicy, forward};
use crate::wasm::{Failure, types};
use http::HeaderValue;
use http::header::HOST;
use http::request::Parts;
use http_body_util::BodyExt;
use tee::{Copied, Lag, Tee};
use tokio::sync::oneshot;
use tokio::time::sleep;

/// A service that gets a copy.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirror {
    /// The service.
    pub destination: types::Destination,
    /// The authority of the copy; the request's own when absent.
    pub authority: Option<HeaderValue>,
}

/// What copies are sent with.
#[derive(Debug, Clone, Copy)]
pub struct Mirroring<'a> {
    /// The services.
    pub registry: &'a Registry,
    /// Waits for the copies, or ends them.
    pub drain: &'a Drain,
    /// Bounds how many there are, and counts them.
    pub metrics: &'a MirrorMetrics,
    /// What the spans of copies begin from.
    pub trace: &'a Parent,
}

/// Checks a filter's mirrors.
pub fn check(mirrors: Vec<types::Mirror>) -> Result<Vec<Mirror>, Failure> {
    if mirrors.len() > limits::MIRRORS {
        return Err(Failure::invalid(format!("it has {} mirrors, more than {}", mirrors.len(), limits::MIRRORS)));
    }
    mirrors.into_iter().map(checked).collect()
}

fn checked(mirror: types::Mirror) -> Result<Mirror, Failure> {
    let authority = mirror.authority.map(decision::checked_authority).transpose()?;
    let authority = authority.map(HeaderValue::try_from).transpose();
    let authority = authority.map_err(|_| Failure::invalid("a mirror's authority is not a header value"))?;
    Ok(Mirror { destination: mirror.destination, authority })
}

impl Mirroring<'_> {
    /// Sends copies of a request on their way. What comes back is the request's own body, which fills the copies' as it
    /// is read.
    pub fn send(self, mirrors: Vec<Mirror>, parts: &Parts, body: ProxyBody) -> ProxyBody {
        let mut tee = Tee::new(body);
        for mirror in mirrors {
            match self.registry.resolve(&mirror.destination) {
                Ok(cluster) => self.start(cluster, with_authority(parts, mirror.authority), &mut tee),
                Err(_) => self.metrics.ended(MirrorResult::NoService),
            }
        }
        tee.into_body()
    }

    fn start(self, cluster: Cluster, parts: Parts, tee: &mut Tee) {
        let Some(in_flight) = self.metrics.enter(limits::MIRRORS_IN_FLIGHT) else {
            self.metrics.ended(MirrorResult::TooMany);
            return;
        };
        let copied = tee.copy();
        let (metrics, trace) = (self.metrics.clone(), self.trace.clone());
        self.drain.spawn(async move {
            let result = deliver(&cluster, parts, copied, trace).await;
            metrics.ended(result);
            drop(in_flight);
        });
    }
}

fn with_authority(parts: &Parts, authority: Option<HeaderValue>) -> Parts {
    let mut parts = parts.clone();
    if let Some(authority) = authority {
        parts.headers.insert(HOST, authority);
    }
    parts
}

/// Ends the copy when it is given up or its time is over, wherever it is: a service that takes nothing more must not
/// keep it.
async fn deliver(cluster: &Cluster, parts: Parts, copied: Copied, trace: Parent) -> MirrorResult {
    let Copied { body, lag } = copied;
    tokio::select! {
        biased;
        result = given_up(lag) => result,
        result = exchange(cluster, parts, body, trace) => result,
    }
}

async fn given_up(lag: oneshot::Receiver<Lag>) -> MirrorResult {
    match lag.await {
        Ok(Lag::TooSlow) => MirrorResult::TooSlow,
        Ok(Lag::BrokenOff) => MirrorResult::BrokenOff,
        // All of the request is written.
        Err(_) => {
            sleep(limits::MIRROR_DEADLINE).await;
            MirrorResult::Failed
        }
    }
}

async fn exchange(cluster: &Cluster, parts: Parts, body: ProxyBody, trace: Parent) -> MirrorResult {
    let policy = ForwardPolicy { timeout: Some(limits::MIRROR_DEADLINE), trace, ..ForwardPolicy::default() };
    match forward(cluster, parts, body, &policy).await {
        Ok(forwarded) => {
            discard(forwarded.response.into_body()).await;
            MirrorResult::Answered
        }
        Err(error) => {
            tracing::debug!(service = cluster.name(), %error, "a copy of a request failed");
            MirrorResult::Failed
        }
    }
}

/// Reads a body to its end, so that its connection can be used again; one that is too long is dropped, which ends it.
async fn discard(mut body: ProxyBody) {
    let mut left = limits::MIRROR_RESPONSE;
    while let Some(Ok(frame)) = body.frame().await {
        let size = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;
