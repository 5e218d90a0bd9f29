//! What a destination leads to: the endpoints of one port of a service, or of one of its subsets, and how they are used.

use super::balance::Balancer;
use super::endpoint::{Endpoint, serving};
use super::limit::ClusterState;
use super::member::Member;
use super::policy::{HealthCheck, Policy, TlsSettings};
use super::state::{ClusterKey, States};
use super::wire::{Protocol, Wire};
use crate::telemetry::metrics::UpstreamMetrics;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// The endpoints that a destination leads to. Cheap to copy.
#[derive(Debug, Clone)]
pub struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key: ClusterKey,
    members: Box<[Member]>,
    policy: Arc<Policy>,
    checks: Vec<Arc<HealthCheck>>,
    /// None speaks plain HTTP/1.1.
    wire: Option<Wire>,
    balancer: Balancer,
    state: Arc<ClusterState>,
    metrics: Option<Arc<UpstreamMetrics>>,
    /// See [`Cluster::is_tracked`].
    tracked: bool,
    /// See [`Cluster::secured`].
    secured: OnceLock<Cluster>,
}

impl Cluster {
    /// A single address that no manifest describes.
    pub fn of(name: &str, address: SocketAddr) -> Self {
        let key = ClusterKey { service: name.into(), port: None, subset: None };
        Self::new(&States::default(), key, &[Endpoint::new(address)], Protocol::Http1, Arc::default(), Vec::new())
    }

    /// Those of the endpoints that serve, used as the policy says.
    pub(super) fn new(
        states: &States,
        key: ClusterKey,
        endpoints: &[Endpoint],
        protocol: Protocol,
        policy: Arc<Policy>,
        checks: Vec<Arc<HealthCheck>>,
    ) -> Self {
        let member =
            |endpoint: &Endpoint| Member { endpoint: endpoint.clone(), state: states.endpoint(&key, endpoint.address) };
        let members: Box<[Member]> = serving(endpoints).map(member).collect();
        let (balancer, wire) = (Balancer::new(&policy, &members), Wire::of(&key.service, protocol, &policy));
        let (state, metrics) = (states.cluster(&key), states.metrics(&key.service));
        let tracked = members.len() > 1 || !checks.is_empty() || *policy != Policy::default();
        let secured = OnceLock::new();
        Self(Arc::new(Inner { key, members, policy, checks, wire, balancer, state, metrics, tracked, secured }))
    }

    /// The same, spoken to over TLS: as its policy says, or by these settings where that says nothing of TLS. The settings
    /// of the first call stay.
    #[must_use]
    pub fn secured(&self, settings: &Arc<TlsSettings>) -> Self {
        let inner = &*self.0;
        if inner.policy.tls.is_some() {
            return self.clone();
        }
        let secured = inner.secured.get_or_init(|| {
            let policy = Arc::new(Policy { tls: Some(Arc::clone(settings)), ..Policy::clone(&inner.policy) });
            let protocol = inner.wire.as_ref().map_or_else(Protocol::default, |wire| wire.protocol);
            Self(Arc::new(Inner {
                key: inner.key.clone(),
                members: inner.members.clone(),
                checks: inner.checks.clone(),
                wire: Wire::of(&inner.key.service, protocol, &policy),
                balancer: Balancer::new(&policy, &inner.members),
                state: Arc::clone(&inner.state),
                metrics: inner.metrics.clone(),
                tracked: true,
                secured: OnceLock::new(),
                policy,
            }))
        });
        secured.clone()
    }

    /// The service's full name.
    pub fn name(&self) -> &str {
        &self.0.key.service
    }

    /// Whether it is the very same, of one snapshot.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Which service, port and subset it is.
    pub fn key(&self) -> &ClusterKey {
        &self.0.key
    }

    /// Where requests may go; may be empty.
    pub fn members(&self) -> &[Member] {
        &self.0.members
    }

    /// How it is used.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The same, to be kept.
    pub(super) fn shared_policy(&self) -> &Arc<Policy> {
        &self.0.policy
    }

    /// How it is spoken to; none means plain HTTP/1.1.
    pub fn wire(&self) -> Option<&Wire> {
        self.0.wire.as_ref()
    }

    /// How its endpoints are asked whether they are well.
    pub fn checks(&self) -> &[Arc<HealthCheck>] {
        &self.0.checks
    }

    /// What is counted for all of its endpoints together.
    pub fn state(&self) -> &ClusterState {
        &self.0.state
    }

    /// Where its tries are counted, if anywhere.
    pub(super) fn metrics(&self) -> Option<&UpstreamMetrics> {
        self.0.metrics.as_deref()
    }

    /// Whether its requests are counted, which costs a little: a single endpoint without any policy needs no counts.
    pub fn is_tracked(&self) -> bool {
        self.0.tracked
    }

    /// If fewer endpoints than this are in, in percent, all are used; none when no endpoint of it is ever out. Where both
    /// ejections and checks give one, the higher counts: each says what has to be left, whoever takes endpoints out.
    pub(super) fn panic_threshold(&self) -> Option<u32> {
        let outlier = self.0.policy.outlier.as_ref().map(|outlier| outlier.min_health_percent);
        outlier.max(self.0.checks.first().map(|check| check.panic_threshold))
    }

    pub(super) fn balancer(&self) -> &Balancer {
        &self.0.balancer
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::{OutlierDetection, Probe};
    use super::*;
    use std::time::Duration;

    fn threshold(outlier: Option<u32>, check: Option<u32>) -> Option<u32> {
        let outlier =
            outlier.map(|min_health_percent| OutlierDetection { min_health_percent, ..OutlierDetection::default() });
        let policy = Arc::new(Policy { outlier, ..Policy::default() });
        let check = check.map(|panic_threshold| HealthCheck {
            port: None,
            probe: Probe::Tcp,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_threshold: 1,
            unhealthy_threshold: 1,
            panic_threshold,
        });
        let key = ClusterKey { service: "shop".into(), port: None, subset: None };
        let checks = check.map(Arc::new).into_iter().collect();
        Cluster::new(&States::default(), key, &[], Protocol::Http1, policy, checks).panic_threshold()
    }

    #[test]
    fn the_higher_threshold_of_ejections_and_checks_counts() {
        assert_eq!((threshold(None, None), threshold(None, Some(50))), (None, Some(50)));
        assert_eq!((threshold(Some(0), None), threshold(Some(0), Some(50))), (Some(0), Some(50)));
        assert_eq!(threshold(Some(60), Some(50)), Some(60));
    }
}
