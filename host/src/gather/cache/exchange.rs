//! One exchange with a service on behalf of calls that have a cache policy, and what it gives to those that wait for it.

use super::entry::{Asked, Entry, is_failure};
use super::{Cache, Key};
use crate::body::ProxyBody;
use crate::config::limits;
use crate::gather::budget::Budget;
use crate::gather::fetch::{whole, within};
use crate::gather::outcome::of_error;
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
    pub(super) result: Result<(response::Parts, Bytes), CallError>,
    pub(super) tries: Tries,
    /// Whether it was said to be still good.
    pub(super) renewed: bool,
    /// The response as it is kept; none when it is for the one request that began the exchange.
    kept: Option<Arc<Entry>>,
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
    /// The call that begins it.
    pub(super) trace: Parent,
}

impl Landed {
    pub(super) fn failed(&self) -> bool {
        self.result.as_ref().map_or(true, |(head, _)| is_failure(head.status))
    }

    /// Whether a call may have it that did not begin the exchange, and sends these headers (RFC 9111, section 4.1). Failures
    /// are for all that waited.
    pub(super) fn serves(&self, request: &HeaderMap) -> bool {
        self.result.is_err() || self.kept.as_ref().is_some_and(|kept| kept.answers(request))
    }
}

impl Exchange {
    pub(super) async fn land(self) -> Arc<Landed> {
        let mut tries = Tries::default();
        let landed = self.try_land(&mut tries).await;
        let (result, renewed, kept) = match landed {
            Ok((head, body, renewed, kept)) => (Ok((head, body)), renewed, kept),
            Err(error) => (Err(error), false, None),
        };
        Arc::new(Landed { result, tries, renewed, kept })
    }

    /// Head and body, whether they were there already, and what is kept of them.
    async fn try_land(
        mut self,
        tries: &mut Tries,
    ) -> Result<(response::Parts, Bytes, bool, Option<Arc<Entry>>), CallError> {
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
            return Ok((head, known.body(), true, keep(&self.cache, &self.key, &request, entry)));
        }
        let body = within(deadline, whole(body, self.most, &Budget::of(self.most))).await?;
        let entry = Entry::of(&request, &head, &body, &self.policy, asked);
        Ok((head, body, false, keep(&self.cache, &self.key, &request, entry)))
    }
}

fn keep(cache: &Cache, key: &Key, request: &HeaderMap, entry: Option<Entry>) -> Option<Arc<Entry>> {
    let entry = Arc::new(entry?);
    cache.keep(key, request, Arc::clone(&entry));
    Some(entry)
}
