//! What is known of services and endpoints while they are used: shared by all workers, and kept when a snapshot is
//! replaced by another that has the same ones. Nothing here is locked on the way of a request.

use super::limit::ClusterState;
use super::record::Record;
use super::streams::Streams;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::UpstreamMetrics;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Instant;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time as states have it: milliseconds since the process began, and never zero.
pub fn now() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// All states that some snapshot holds. They end with the last one that does.
#[derive(Debug, Default)]
pub struct States {
    endpoints: Mutex<HashMap<(ClusterKey, SocketAddr), Weak<EndpointState>>>,
    clusters: Mutex<HashMap<ClusterKey, Weak<ClusterState>>>,
    /// Where tries are counted, by service.
    metrics: Option<Metrics>,
}

/// A port of a service, or of one of its subsets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterKey {
    /// The service's full name.
    pub service: Arc<str>,
    /// Its port; none takes any.
    pub port: Option<u16>,
    /// The subset; none means all endpoints.
    pub subset: Option<Arc<str>>,
}

/// One endpoint of a port. Subsets share it.
#[derive(Debug)]
pub struct EndpointState {
    /// Requests whose response has not ended.
    active: AtomicU32,
    /// Its failures and ejections.
    pub(super) record: Record,
    /// What health checks say.
    health: AtomicU8,
    /// Since when it serves, without having been out, as [`now`] has it.
    since: AtomicU64,
    /// Why it was out last. Written when it goes out, read by operators.
    reason: Mutex<String>,
    /// The HTTP/2 connections to it.
    pub(super) streams: Arc<Streams>,
}

/// What health checks say of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nobody asks it.
    Unchecked = 0,
    /// It answers well, or has not been asked often enough to be judged.
    Healthy = 1,
    /// It does not.
    Unhealthy = 2,
}

/// Why an endpoint gets no requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Out {
    /// For its failures, until then, as [`now`] has it.
    Ejected(u64),
    /// Health checks find it unwell.
    Unhealthy,
}

impl EndpointState {
    fn new() -> Self {
        Self {
            active: AtomicU32::new(0),
            record: Record::default(),
            health: AtomicU8::new(Health::Unchecked as u8),
            since: AtomicU64::new(now()),
            reason: Mutex::default(),
            streams: Arc::default(),
        }
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> Active {
        self.active.fetch_add(1, Ordering::Relaxed);
        Active(Arc::clone(self))
    }

    /// Says what health checks found.
    pub(super) fn set_health(&self, health: Health) {
        let before = self.health.swap(health as u8, Ordering::Relaxed);
        if before == Health::Unhealthy as u8 && health != Health::Unhealthy {
            self.since.store(now(), Ordering::Relaxed);
        }
    }

    /// Says why it goes out.
    pub(super) fn set_reason(&self, reason: &str) {
        reason.clone_into(&mut self.reason.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Why it was out last; empty when it never was.
    pub fn reason(&self) -> String {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that it serves again from `at` on, after an ejection.
    pub(super) fn returns(&self, at: u64) {
        self.since.store(at, Ordering::Relaxed);
    }

    /// How many requests it works on. Only counted where it can matter: see [`super::cluster::Cluster::is_tracked`].
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::Relaxed)
    }

    /// What health checks say.
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            1 => Health::Healthy,
            2 => Health::Unhealthy,
            _ => Health::Unchecked,
        }
    }

    /// Why it gets no requests; none when it does.
    pub fn out(&self) -> Option<Out> {
        if self.health() == Health::Unhealthy {
            return Some(Out::Unhealthy);
        }
        self.record.ejected_until().filter(|until| *until > now()).map(Out::Ejected)
    }

    /// How often it has been ejected.
    pub fn ejections(&self) -> u64 {
        self.record.total()
    }

    /// For how many milliseconds it has served without a break.
    pub(super) fn age(&self) -> u64 {
        now().saturating_sub(self.since.load(Ordering::Relaxed))
    }
}

/// A request that an endpoint works on.
#[derive(Debug)]
pub(super) struct Active(Arc<EndpointState>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl States {
    /// None yet; tries are counted there.
    pub fn counted_in(metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..Self::default() }
    }

    /// Where the tries of a service are counted, if anywhere.
    pub(super) fn metrics(&self, service: &str) -> Option<Arc<UpstreamMetrics>> {
        self.metrics.as_ref().map(|metrics| metrics.upstream(service))
    }

    /// The state of an endpoint: the one in use, or a new one.
    pub(super) fn endpoint(&self, key: &ClusterKey, address: SocketAddr) -> Arc<EndpointState> {
        let key = (ClusterKey { subset: None, ..key.clone() }, address);
        live(&self.endpoints, key, EndpointState::new)
    }

    /// The state of a cluster: the one in use, or a new one.
    pub(super) fn cluster(&self, key: &ClusterKey) -> Arc<ClusterState> {
        live(&self.clusters, key.clone(), ClusterState::default)
    }

    /// All endpoints in use, in order.
    pub fn endpoints(&self) -> Vec<(ClusterKey, SocketAddr, Arc<EndpointState>)> {
        let known = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let all = known.iter().filter_map(|(key, state)| Some((key.0.clone(), key.1, state.upgrade()?)));
        let mut all: Vec<_> = all.collect();
        all.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        all
    }

    /// All clusters in use, in order.
    pub fn clusters(&self) -> Vec<(ClusterKey, Arc<ClusterState>)> {
        let known = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = known.iter().filter_map(|(key, state)| Some((key.clone(), state.upgrade()?))).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }
}

/// The state of a key that is in use, or a new one. Those that ended are forgotten whenever the table would grow.
fn live<K: std::hash::Hash + Eq, V>(table: &Mutex<HashMap<K, Weak<V>>>, key: K, make: impl FnOnce() -> V) -> Arc<V> {
    let mut known = table.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(live) = known.get(&key).and_then(Weak::upgrade) {
        return live;
    }
    if known.len() == known.capacity() {
        known.retain(|_, state| state.strong_count() > 0);
    }
    let new = Arc::new(make());
    known.insert(key, Arc::downgrade(&new));
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::harness::port;

    fn key(subset: Option<&str>) -> ClusterKey {
        ClusterKey { service: "shop".into(), port: Some(80), subset: subset.map(Arc::from) }
    }

    #[test]
    fn a_state_lives_as_long_as_somebody_holds_it_and_subsets_share_it() {
        let states = States::default();
        let all = states.endpoint(&key(None), port(1));
        let active = all.enter();
        assert_eq!(states.endpoint(&key(Some("v1")), port(1)).active(), 1);
        assert_eq!(states.endpoint(&key(None), port(2)).active(), 0);
        drop((active, all));
        assert!(states.endpoints().is_empty());
    }

    #[test]
    fn an_endpoint_that_comes_back_is_new_again() {
        let state = States::default().endpoint(&key(None), port(1));
        state.since.store(0, Ordering::Relaxed);
        state.set_health(Health::Healthy);
        assert!(state.age() > 0 && state.out().is_none());
        state.set_health(Health::Unhealthy);
        assert_eq!(state.out(), Some(Out::Unhealthy));
        state.set_health(Health::Healthy);
        assert!(state.since.load(Ordering::Relaxed) > 0 && state.out().is_none());
    }
}
