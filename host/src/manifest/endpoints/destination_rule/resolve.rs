//! Turns a traffic policy as it is written into one that is used, and says what is wrong with it.

use super::super::{Scope, codes, duration, item};
use super::written::{self, Parts, TrafficPolicy};
use super::{balancing, tls};
use crate::manifest::document::Document;
use crate::upstream::policy::{
    Balancing, ConnectionPool, Http2Upgrade, Keepalive, OutlierDetection, Policy, RetryBudget, TlsSettings, Warmup,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The parts of a policy that are given.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolved {
    pub(super) balancing: Option<(Balancing, Option<Warmup>)>,
    pub(super) pool: Option<ConnectionPool>,
    pub(super) outlier: Option<OutlierDetection>,
    pub(super) retry_budget: Option<RetryBudget>,
    pub(super) tls: Option<Encryption>,
}

/// Whether TLS is spoken.
#[derive(Debug, Clone)]
pub(super) enum Encryption {
    Off,
    On(Arc<TlsSettings>),
}

/// A traffic policy with those for single ports.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic {
    pub(super) all: Resolved,
    pub(super) ports: HashMap<u16, Resolved>,
}

/// Where something is written, and where findings go.
pub(super) struct Place<'a, 'b> {
    pub(super) document: &'a Document,
    pub(super) scope: &'a mut Scope<'b>,
    pub(super) pointer: String,
}

impl<'b> Place<'_, 'b> {
    /// A field below.
    pub(super) fn field(&mut self, name: &str) -> Place<'_, 'b> {
        Place { document: self.document, scope: &mut *self.scope, pointer: format!("{}/{name}", self.pointer) }
    }

    pub(super) fn error(&mut self, code: &str, message: &str, help: &str) {
        self.scope.error(self.document, code, &self.pointer, message.to_owned(), Some(help));
    }

    pub(super) fn warn(&mut self, code: &str, message: &str, help: &str) {
        self.scope.warn(self.document, code, &self.pointer, message.to_owned(), Some(help));
    }

    /// A duration in a field below, at least this long.
    pub(super) fn duration(&mut self, name: &str, text: Option<&String>, least: Duration) -> Option<Duration> {
        let text = text?;
        let found = duration::parse(text).filter(|duration| *duration >= least);
        if found.is_none() {
            let message = format!("`{text}` is not a duration of at least {least:?}");
            self.field(name).error(
                codes::POLICY_VALUE,
                &message,
                "write a number and a unit, such as 500ms, 10s or 5m",
            );
        }
        found
    }
}

impl Resolved {
    /// These parts, and others where there is none.
    pub(super) fn over(&self, base: &Self) -> Self {
        Self {
            balancing: self.balancing.clone().or_else(|| base.balancing.clone()),
            pool: self.pool.clone().or_else(|| base.pool.clone()),
            outlier: self.outlier.clone().or_else(|| base.outlier.clone()),
            retry_budget: self.retry_budget.or(base.retry_budget),
            tls: self.tls.clone().or_else(|| base.tls.clone()),
        }
    }

    /// With defaults for what is not given.
    pub(super) fn policy(&self) -> Policy {
        let (balancer, warmup) = self.balancing.clone().unwrap_or_default();
        let (pool, outlier) = (self.pool.clone().unwrap_or_default(), self.outlier.clone());
        let tls = match &self.tls {
            Some(Encryption::On(settings)) => Some(Arc::clone(settings)),
            Some(Encryption::Off) | None => None,
        };
        Policy { balancer, warmup, pool, outlier, retry_budget: self.retry_budget, tls }
    }
}

/// Resolves a traffic policy.
pub(super) fn traffic(written: &TrafficPolicy, mut place: Place<'_, '_>) -> Traffic {
    let ports = written.port_level_settings.as_deref().unwrap_or_default();
    if written.parts.is_empty() && ports.is_empty() {
        let help = "remove it, or give it a loadBalancer, a connectionPool or an outlierDetection";
        place.error(codes::POLICY_EMPTY, "the traffic policy says nothing", help);
    }
    let mut traffic = Traffic { all: parts(&written.parts, &mut place), ports: HashMap::new() };
    for (index, port) in ports.iter().enumerate() {
        let mut place = place.field(&item("portLevelSettings", index));
        if port.parts.is_empty() {
            let help = "remove it, or say what is different for the port; what it leaves out has its default";
            place.error(codes::POLICY_EMPTY, "the policy of the port says nothing", help);
        }
        let resolved = parts(&port.parts, &mut place);
        if traffic.ports.insert(port.port.number, resolved).is_some() {
            let message = format!("port {} has a policy before", port.port.number);
            place.field("port").error(codes::POLICY_FIELDS, &message, "remove one of the two");
        }
    }
    traffic
}

fn parts(written: &Parts, place: &mut Place<'_, '_>) -> Resolved {
    refuse_unsupported(written, place);
    let balancer = written.load_balancer.as_ref();
    Resolved {
        balancing: balancer.map(|written| balancing::resolve(written, &mut place.field("loadBalancer"))),
        pool: written.connection_pool.as_ref().map(|written| pool(written, &mut place.field("connectionPool"))),
        outlier: written
            .outlier_detection
            .as_ref()
            .map(|written| outlier(written, &mut place.field("outlierDetection"))),
        retry_budget: written.retry_budget.as_ref().map(|written| RetryBudget {
            percent: written.percent.unwrap_or(20.0),
            minimum: written.min_retry_concurrency.unwrap_or(3),
        }),
        tls: written
            .tls
            .as_ref()
            .map(|written| tls::resolve(written, &mut place.field("tls")).map_or(Encryption::Off, Encryption::On)),
    }
}

/// What would change how bytes are sent cannot be left out silently.
fn refuse_unsupported(written: &Parts, place: &mut Place<'_, '_>) {
    if written.tls.as_ref().is_some_and(|tls| tls.ca_crl.is_some()) {
        let message = "`caCrl` is not supported: revocation lists of servers are not looked at";
        place.field("tls").field("caCrl").error(codes::POLICY_UNSUPPORTED, message, "remove it");
    }
    for (name, given) in [("tunnel", &written.tunnel), ("proxyProtocol", &written.proxy_protocol)] {
        if given.is_some() {
            let message = format!("`{name}` is not supported");
            place.field(name).error(codes::POLICY_UNSUPPORTED, &message, "remove it");
        }
    }
}

fn pool(written: &written::ConnectionPool, place: &mut Place<'_, '_>) -> ConnectionPool {
    // Zero is how the format leaves a limit out.
    let limit = |limit: Option<u32>| limit.filter(|limit| *limit > 0);
    let millisecond = Duration::from_millis(1);
    let mut pool = ConnectionPool::default();
    if let Some(tcp) = &written.tcp {
        let mut place = place.field("tcp");
        pool.max_connections = limit(tcp.max_connections);
        pool.connect_timeout = place.duration("connectTimeout", tcp.connect_timeout.as_ref(), millisecond);
        pool.max_duration = place.duration("maxConnectionDuration", tcp.max_connection_duration.as_ref(), millisecond);
        pool.idle_timeout = place.duration("idleTimeout", tcp.idle_timeout.as_ref(), Duration::ZERO);
        pool.keepalive = tcp.tcp_keepalive.as_ref().map(|keepalive| {
            let mut place = place.field("tcpKeepalive");
            let second = Duration::from_secs(1);
            Keepalive {
                probes: keepalive.probes,
                time: place.duration("time", keepalive.time.as_ref(), second),
                interval: place.duration("interval", keepalive.interval.as_ref(), second),
            }
        });
    }
    let Some(http) = &written.http else { return pool };
    let mut place = place.field("http");
    pool.max_pending = limit(http.http1_max_pending_requests);
    pool.max_requests = limit(http.http2_max_requests);
    pool.max_requests_per_connection = limit(http.max_requests_per_connection);
    pool.max_retries = limit(http.max_retries);
    pool.idle_timeout = place.duration("idleTimeout", http.idle_timeout.as_ref(), Duration::ZERO).or(pool.idle_timeout);
    pool.max_streams = limit(http.max_concurrent_streams);
    if http.h2_upgrade_policy.as_deref() == Some("UPGRADE") {
        pool.http2_upgrade = Http2Upgrade::Always;
    }
    if http.use_client_protocol == Some(true) {
        let help = "upstreams are spoken to as their port and `h2UpgradePolicy` say, whatever the client speaks";
        let message = "`useClientProtocol` has no effect";
        place.field("useClientProtocol").warn(codes::POLICY_WITHOUT_EFFECT, message, help);
    }
    if let Some(pings) = &http.http2_keep_alive {
        let mut place = place.field("http2KeepAlive");
        for (name, written) in [("interval", &pings.interval), ("timeout", &pings.timeout)] {
            if written.is_some() && place.duration(name, written.as_ref(), Duration::from_millis(1)).is_none() {
                return pool;
            }
        }
        let help = "connections to services are not pinged; `tcp.tcpKeepalive` finds those that are dead";
        place.warn(codes::POLICY_WITHOUT_EFFECT, "`http2KeepAlive` has no effect", help);
    }
    pool
}

fn outlier(written: &written::OutlierDetection, place: &mut Place<'_, '_>) -> OutlierDetection {
    let default = OutlierDetection::default();
    let or = |given: Option<u32>, default: Option<u32>| given.or(default).filter(|count| *count > 0);
    let millisecond = Duration::from_millis(1);
    let interval = place.duration("interval", written.interval.as_ref(), millisecond);
    let base = place.duration("baseEjectionTime", written.base_ejection_time.as_ref(), millisecond);
    OutlierDetection {
        server_errors: or(written.consecutive_5xx_errors.or(written.consecutive_errors), default.server_errors),
        gateway_errors: or(written.consecutive_gateway_errors, default.gateway_errors),
        split_local: written.split_external_local_origin_errors.unwrap_or(default.split_local),
        local_failures: or(written.consecutive_local_origin_failures, default.local_failures),
        interval: interval.unwrap_or(default.interval),
        base_ejection: base.unwrap_or(default.base_ejection),
        max_ejection_percent: written
            .max_ejection_percent
            .filter(|percent| *percent > 0)
            .unwrap_or(default.max_ejection_percent),
        min_health_percent: written.min_health_percent.unwrap_or(default.min_health_percent),
    }
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.load_balancer.is_none()
            && self.connection_pool.is_none()
            && self.outlier_detection.is_none()
            && self.tls.is_none()
            && self.retry_budget.is_none()
            && self.tunnel.is_none()
            && self.proxy_protocol.is_none()
    }
}
