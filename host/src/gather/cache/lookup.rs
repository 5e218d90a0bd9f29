//! A call whose responses may be kept: from the cache, by asking whether what is there is still good, or anew.

use super::collapse::{Asking, Flight, join};
use super::directives::Directives;
use super::entry::{Entry, Use};
use super::exchange::{Answered, Exchange, Landed};
use super::{Cache, Key};
use crate::drain::Drain;
use crate::gather::budget::Budget;
use crate::gather::fetch::{Common, Fetched, Response, ResponseBody, Sending};
use crate::gather::held::Held;
use crate::gather::outcome::of_error;
use crate::gather::plan::Call;
use crate::json;
use crate::telemetry::call::Origin;
use crate::telemetry::metrics::{CacheResult, GatherMetrics};
use crate::upstream::Tries;
use crate::upstream::registry::Cluster;
use crate::wasm::types::{CachePolicy, CallError};
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, response};
use std::sync::Arc;
use tokio::time::timeout_at;

/// Headers that ask for something else than the whole response.
const CONDITIONS: [HeaderName; 6] = [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];

/// The cache, and who waits for what is fetched after an answer was given from it.
#[derive(Debug, Clone, Copy)]
pub struct Cached<'a> {
    /// The responses.
    pub cache: &'a Cache,
    /// Runs what goes on after the request.
    pub drain: &'a Drain,
}

impl<'a> Cached<'a> {
    /// What to do once a request that changes something has succeeded (RFC 9111, section 4.4).
    pub(in crate::gather) fn forget_after(self, cluster: &Cluster, head: &Parts) -> impl FnOnce() + use<'a> {
        let key = Key::of(cluster, head);
        move || self.cache.forget(&key)
    }
}

/// Whether a call asks for a whole response without conditions of its own.
pub(in crate::gather) fn is_plain(headers: &HeaderMap) -> bool {
    !CONDITIONS.iter().any(|name| headers.contains_key(name)) && !Directives::of(headers).no_store
}

/// Makes a call that has a cache policy. Dropping the future ends its exchange unless other calls wait for it.
pub(in crate::gather) async fn fetch(
    common: Common<'_>,
    cached: Cached<'_>,
    call: &Call,
    policy: CachePolicy,
    sending: Sending,
    deadline: tokio::time::Instant,
) -> Fetched {
    let cluster = match common.registry.resolve(&call.destination) {
        Ok(cluster) => cluster,
        Err(error) => return Fetched::failed(of_error(&error)),
    };
    let cache = cached.cache;
    let headers = sending.headers().clone();
    let Sending { head, retries, trace, .. } = sending.complete(common.inherited);
    let key = Key::of(&cluster, &head);
    let known = cache.find(&key, &head.headers);
    let (usable, known) = match known {
        Some(known) => (usable(&known, &policy, &headers), Some(known)),
        None => (Use::Stale { if_error: false }, None),
    };
    if let Some(known) = known.as_ref().filter(|_| usable == Use::Fresh) {
        cache.metrics.cache(CacheResult::Hit);
        return kept(common.budget, call, known, Origin::Hit);
    }
    let most = call.most();
    let asking = Asking { key: key.clone(), cluster: cluster.clone(), headers, most };
    let exchange = Exchange {
        cache: cache.clone(),
        key,
        cluster,
        head,
        retries,
        source: common.source,
        load: common.load,
        policy,
        known: known.clone(),
        most,
        budget: common.budget.for_exchange(),
        trace,
    };
    let mut exchange = Some(exchange);
    let (flight, shared) = join(asking, || match exchange.take() {
        Some(exchange) => exchange.land().boxed(),
        None => std::future::pending().boxed(),
    });
    if let Some(known) = known.as_ref().filter(|_| usable == Use::WhileRevalidating) {
        cached.cache.metrics.cache(CacheResult::Stale);
        if !shared {
            cached.drain.spawn(flight.map(drop));
        }
        return kept(common.budget, call, known, Origin::Stale);
    }
    let landed = timeout_at(deadline, land(flight, exchange)).await.ok();
    let stand_in = known.filter(|_| usable == Use::Stale { if_error: true });
    if let Some(known) = stand_in.filter(|_| landed.as_ref().is_none_or(|(landed, _)| landed.failed(call))) {
        cached.cache.metrics.cache(CacheResult::Stale);
        return kept(common.budget, call, &known, Origin::Stale);
    }
    let Some((landed, shared)) = landed else { return Fetched::failed(CallError::Deadline) };
    settle(common.budget, call, &landed, shared, &cached.cache.metrics)
}

/// Waits for an exchange. One that other calls began may give a response that is for their request alone, or for those that
/// agree with it in what the response varies by: then `own` is made. Whether it is that of others.
async fn land(flight: Flight, own: Option<Exchange>) -> (Arc<Landed>, bool) {
    let landed = flight.await;
    match own {
        Some(own) if !landed.serves(&own.head.headers) => (own.land().await, false),
        own => (landed, own.is_some()),
    }
}

/// What a call gets of what has landed.
fn settle(budget: &Budget, call: &Call, landed: &Landed, shared: bool, metrics: &GatherMetrics) -> Fetched {
    let (tries, origin) = match (landed.renewed, shared) {
        (_, true) => (Tries::default(), Origin::Shared),
        (true, false) => (landed.tries, Origin::Revalidated),
        (false, false) => (landed.tries, Origin::Service),
    };
    metrics.cache(match origin {
        Origin::Shared => CacheResult::Shared,
        Origin::Revalidated => CacheResult::Revalidated,
        _ => CacheResult::Miss,
    });
    let result = match &landed.result {
        Ok(Answered { head, body }) => as_asked(Some(budget), call, head.clone(), body.clone()),
        Err(error) => Err(error.clone()),
    };
    Fetched { result, tries, origin }
}

/// What a kept response gives. One that is spliced takes no memory but the cache's.
fn kept(budget: &Budget, call: &Call, known: &Entry, origin: Origin) -> Fetched {
    let (head, body) = known.response();
    let budget = Some(budget).filter(|_| !call.splices());
    Fetched { result: as_asked(budget, call, head, Ok(body)), tries: Tries::default(), origin }
}

/// The response with its body as the call uses it, which is counted where there is a budget.
fn as_asked(
    budget: Option<&Budget>,
    call: &Call,
    head: response::Parts,
    body: Result<Bytes, CallError>,
) -> Result<Response, CallError> {
    let fits = |body: &Bytes, most: u64| {
        let small = u64::try_from(body.len()).is_ok_and(|size| size <= most);
        small && budget.is_none_or(|budget| budget.take(body.len()))
    };
    if !call.accepts(head.status) {
        let body = body.ok().filter(|body| fits(body, call.refused_most()));
        return Ok(Response { head, body: ResponseBody::Whole(body.unwrap_or_default()) });
    }
    let body = body?;
    if !fits(&body, call.most()) {
        return Err(CallError::TooLarge);
    }
    let has_to_be_json = call.has_to_be_json(head.status);
    if call.splices() {
        return Ok(Response { head, body: ResponseBody::Held(Held::whole(body, has_to_be_json)?) });
    }
    if has_to_be_json {
        json::check(&body).map_err(|_| CallError::NotJson)?;
    }
    Ok(Response { head, body: ResponseBody::Whole(body) })
}

/// What a response may be used for by a request with these headers (RFC 9111, section 5.2.1).
fn usable(known: &Entry, policy: &CachePolicy, request: &HeaderMap) -> Use {
    let said = Directives::of(request);
    let too_old = said.max_age.is_some_and(|most| known.current_age() > most);
    if said.no_cache || too_old { Use::Stale { if_error: false } } else { known.usable(policy) }
}

impl Key {
    /// What a request to a service asks for.
    fn of(cluster: &Cluster, head: &Parts) -> Self {
        let key = cluster.key();
        let host = head.headers.get(http::header::HOST).map_or(&b""[..], http::HeaderValue::as_bytes);
        let host = String::from_utf8_lossy(host);
        let (port, subset) = (key.port.unwrap_or(0), key.subset.as_deref().unwrap_or_default());
        Self(format!("{} {port} {subset} {host} {}", key.service, head.uri).into())
    }
}
