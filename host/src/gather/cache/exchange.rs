//! One exchange with a service on behalf of calls that have a cache policy, and what it gives to those that wait for it.

use super::entry::{Asked, Entry, is_failure};
use super::{Cache, Key};
use crate::body::ProxyBody;
use crate::config::limits;
use crate::gather::budget::Budget;
use crate::gather::fetch::{whole, within};
use crate::gather::outcome::of_error;
use crate::gather::plan::Call;
use crate::telemetry::trace::Parent;
use crate::upstream::adaptive::Load;
use crate::upstream::registry::Cluster;
use crate::upstream::{ForwardPolicy, Tries, forward_noting};
use crate::wasm::types::{CachePolicy, CallError, RetryPolicy};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode, response};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// What an exchange gave to those that wait for it.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) result: Result<Answered, CallError>,
    pub(super) tries: Tries,
    /// Whether it was said to be still good.
    pub(super) renewed: bool,
    /// The response as it is kept; none when it is for the one request that began the exchange.
    kept: Option<Arc<Entry>>,
}

/// A response: its head, and its body unless that was too large, late or broken.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) head: response::Parts,
    pub(super) body: Result<Bytes, CallError>,
}

/// What is sent to the service, and what is done with its response.
pub(super) struct Exchange {
    pub(super) cache: Cache,
    pub(super) key: Key,
    pub(super) cluster: Cluster,
    pub(super) head: Parts,
    pub(super) retries: Option<RetryPolicy>,
    pub(super) source: Option<IpAddr>,
    pub(super) load: Load,
    pub(super) policy: CachePolicy,
    pub(super) known: Option<Arc<Entry>>,
    pub(super) most: u64,
    /// That of the plan whose call begins it.
    pub(super) budget: Budget,
    /// The call that begins it.
    pub(super) trace: Parent,
}

impl Landed {
    /// Whether a call is better served by an older response.
    pub(super) fn failed(&self, call: &Call) -> bool {
        self.result.as_ref().map_or(true, |Answered { head, body }| {
            is_failure(head.status) || (body.is_err() && call.accepts(head.status))
        })
    }

    /// Whether a call may have it that did not begin the exchange, and sends these headers (RFC 9111, section 4.1). Failures
    /// are for all that waited, but for a body that had no room in the plan that asked for it.
    pub(super) fn serves(&self, request: &HeaderMap) -> bool {
        match self.result.as_ref().map(|answered| &answered.body) {
            Ok(Ok(_)) => self.kept.as_ref().is_some_and(|kept| kept.answers(request)),
            Ok(Err(CallError::TooLarge)) => false,
            Ok(Err(_)) | Err(_) => true,
        }
    }
}

impl Exchange {
    pub(super) async fn land(self) -> Arc<Landed> {
        let mut tries = Tries::default();
        let landed = self.try_land(&mut tries).await;
        let (result, renewed, kept) = match landed {
            Ok((answered, renewed, kept)) => (Ok(answered), renewed, kept),
            Err(error) => (Err(error), false, None),
        };
        Arc::new(Landed { result, tries, renewed, kept })
    }

    /// The response, whether its body was there already, and what is kept of it.
    async fn try_land(mut self, tries: &mut Tries) -> Result<(Answered, bool, Option<Arc<Entry>>), CallError> {
        let asked = Asked { at: Instant::now(), came: SystemTime::now() };
        let request = self.head.headers.clone();
        let conditional = self.known.take().filter(|known| known.condition(&mut self.head.headers));
        let timeout = Some(limits::UPSTREAM_TOTAL);
        let deadline = tokio::time::Instant::now() + limits::UPSTREAM_TOTAL;
        let policy = ForwardPolicy {
            timeout,
            retries: self.retries.take(),
            source: self.source,
            load: self.load,
            trace: self.trace,
            ..ForwardPolicy::default()
        };
        let sent = forward_noting(&self.cluster, self.head, ProxyBody::empty(), &policy, tries).await;
        let (head, body) = sent.map_err(|error| of_error(&error))?.response.into_parts();
        if let Some(known) = conditional.filter(|_| head.status == StatusCode::NOT_MODIFIED) {
            let (head, entry) = known.renewed(&request, &head, &self.policy, asked);
            let kept = keep(&self.cache, &self.key, &request, entry);
            return Ok((Answered { head, body: Ok(known.body()) }, true, kept));
        }
        let body = within(deadline, whole(body, self.most, &self.budget)).await;
        // Each call that gets it takes it from the budget of its own plan.
        self.budget.give_back(body.as_ref().map_or(0, Bytes::len));
        let entry = body.as_ref().ok().and_then(|body| Entry::of(&request, &head, body, &self.policy, asked));
        let kept = keep(&self.cache, &self.key, &request, entry);
        Ok((Answered { head, body }, false, kept))
    }
}

fn keep(cache: &Cache, key: &Key, request: &HeaderMap, entry: Option<Entry>) -> Option<Arc<Entry>> {
    let entry = Arc::new(entry?);
    cache.keep(key, request, Arc::clone(&entry));
    Some(entry)
}
