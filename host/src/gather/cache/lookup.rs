//! A call whose responses may be kept: from the cache, by asking whether what is there is still good, or anew.

use super::collapse::{Asking, Flight, join};
use super::directives::Directives;
use super::entry::{Entry, Use};
use super::exchange::{Exchange, Landed};
use super::{Cache, Key};
use crate::config::limits;
use crate::drain::Drain;
use crate::gather::fetch::{Common, Fetched, Response, ResponseBody, Sending};
use crate::gather::held::Held;
use crate::gather::outcome::of_error;
use crate::gather::plan::Call;
use crate::json;
use crate::telemetry::call::Origin;
use crate::telemetry::metrics::CacheResult;
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
        return kept(call, known, Origin::Hit);
    }
    let most = call.max_body.unwrap_or(limits::CALL_BODY).min(limits::CALL_BODY_MAX);
    let asking = Asking { key: key.clone(), cluster: cluster.clone(), headers, most };
    let (cache, source, load) = (cache.clone(), common.source, common.load);
    let exchange =
        Exchange { cache, key, cluster, head, retries, source, load, policy, known: known.clone(), most, trace };
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
        return kept(call, known, Origin::Stale);
    }
    let landed = timeout_at(deadline, land(flight, exchange)).await.ok();
    let stand_in = known.filter(|_| usable == Use::Stale { if_error: true });
    settle(cached, call, landed, shared, stand_in)
}

/// Waits for an exchange. One that other calls began may give a response that is for their request alone, or for those that
/// agree with it in what the response varies by: then `own` is made.
async fn land(flight: Flight, own: Option<Exchange>) -> Arc<Landed> {
    let landed = flight.await;
    match own {
        Some(own) if !landed.serves(&own.head.headers) => own.land().await,
        _ => landed,
    }
}

/// What a call gets of what has landed; none has when its own deadline passed before.
fn settle(
    cached: Cached<'_>,
    call: &Call,
    landed: Option<Arc<Landed>>,
    shared: bool,
    stand_in: Option<Arc<Entry>>,
) -> Fetched {
    let metrics = &cached.cache.metrics;
    if let Some(known) = stand_in.filter(|_| landed.as_ref().is_none_or(|landed| landed.failed())) {
        metrics.cache(CacheResult::Stale);
        return kept(call, &known, Origin::Stale);
    }
    let Some(landed) = landed else { return Fetched::failed(CallError::Deadline) };
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
        Ok((head, body)) => as_asked(call, head.clone(), body.clone()),
        Err(error) => Err(error.clone()),
    };
    Fetched { result, tries, origin }
}

/// What a kept response gives.
fn kept(call: &Call, known: &Entry, origin: Origin) -> Fetched {
    let (head, body) = known.response();
    Fetched { result: as_asked(call, head, body), tries: Tries::default(), origin }
}

/// The response with its body as the call uses it.
fn as_asked(call: &Call, head: response::Parts, body: Bytes) -> Result<Response, CallError> {
    let (accepted, has_to_be_json) = (call.accepts(head.status), call.has_to_be_json(head.status));
    let body = if accepted && call.splices() {
        ResponseBody::Held(Held::whole(body, has_to_be_json)?)
    } else {
        if accepted && has_to_be_json {
            json::check(&body).map_err(|_| CallError::NotJson)?;
        }
        ResponseBody::Whole(body)
    };
    Ok(Response { head, body })
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
