//! How requests to a service are spread, limited and kept from endpoints that fail: what `DestinationRule` and
//! `HealthCheck` documents come to. Immutable; a snapshot shares one with every cluster that it is for.

use crate::tls::client::{ClientError, ClientTerms};
use http::HeaderName;
use rustls::ClientConfig;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The policy of one port of a service, or of one of its subsets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Which endpoint is next.
    pub balancer: Balancing,
    /// New endpoints get their share step by step. Only for [`Balancing::RoundRobin`] and [`Balancing::LeastRequest`].
    pub warmup: Option<Warmup>,
    /// Limits of connections and requests.
    pub pool: ConnectionPool,
    /// When an endpoint is left out for its failures.
    pub outlier: Option<OutlierDetection>,
    /// How many retries there may be for the requests that are active; takes the place of
    /// [`ConnectionPool::max_retries`].
    pub retry_budget: Option<RetryBudget>,
    /// How TLS is spoken to endpoints; none speaks without.
    pub tls: Option<Arc<TlsSettings>>,
}

/// How TLS is spoken to endpoints, whichever service they are of.
#[derive(Debug)]
pub struct TlsSettings {
    /// Of all that they are made of.
    pub(super) digest: [u8; 32],
    pub(super) config: Arc<ClientConfig>,
    /// The name to ask servers for; none asks for the service.
    pub(super) server_name: Option<String>,
}

impl PartialEq for TlsSettings {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl TlsSettings {
    /// Checks the terms. Their own server name and protocols do not matter: the name given is asked for, or that of the
    /// service, and the protocol is the service's.
    ///
    /// # Errors
    /// When authorities, certificate, key or name cannot be used.
    pub fn new(terms: &ClientTerms, server_name: Option<String>) -> Result<Self, ClientError> {
        // Only to have one: names that are given are checked, and those of services are looked at when they are known.
        let checked = server_name.clone().unwrap_or_else(|| "service".to_owned());
        let connector = ClientTerms { server_name: checked, ..terms.clone() }.connector()?;
        let mut digest = Sha256::new();
        let mut add = |bytes: Option<&[u8]>| {
            digest.update(bytes.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
            digest.update(bytes.unwrap_or_default());
        };
        add(server_name.as_deref().map(str::as_bytes));
        add(Some(format!("{:?} {}", terms.names, terms.insecure).as_bytes()));
        add(terms.authorities.as_deref());
        add(terms.own.as_ref().map(|own| own.chain.as_slice()));
        add(terms.own.as_ref().map(|own| own.key.as_slice()));
        Ok(Self { digest: digest.finalize().into(), config: connector.config, server_name })
    }
}

/// Which endpoint is next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Balancing {
    /// The one with fewer active requests of two drawn by weight.
    #[default]
    LeastRequest,
    /// Each in turn, as often as its weight says.
    RoundRobin,
    /// Drawn by weight.
    Random,
    /// The same one for the same key.
    Hash(HashKey, HashTable),
}

/// What ties a request to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashKey {
    /// The values of a header.
    Header(HeaderName),
    /// A cookie.
    Cookie(Cookie),
    /// The client's address, without its port.
    Source,
    /// The first value of a query parameter.
    Query(String),
}

/// A cookie that ties a client to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// The `Path` of one that is made here.
    pub path: Option<String>,
    /// How long one that is made here is kept; zero ends it with the client's session. None makes none.
    pub ttl: Option<Duration>,
    /// More attributes of one that is made here, such as `SameSite` and `Strict`; the value may be empty.
    pub attributes: Vec<(String, String)>,
}

/// How keys are laid out over endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashTable {
    /// Points on a ring, at least so many in all.
    Ring(usize),
    /// A table of so many slots, a prime (Maglev, section 3.4).
    Maglev(usize),
}

/// How the share of a new endpoint grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warmup {
    /// Until it has its whole share.
    pub duration: Duration,
    /// The share that it begins with, in percent.
    pub minimum_percent: f64,
    /// 1 grows evenly; more grows faster at first.
    pub aggression: f64,
}

/// Limits of a service's connections and requests; what is none is not limited here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionPool {
    /// Open connections, of all workers together.
    pub max_connections: Option<u32>,
    /// For a connection to be made.
    pub connect_timeout: Option<Duration>,
    /// Probes of idle connections by the system.
    pub keepalive: Option<Keepalive>,
    /// After which a connection takes no further request.
    pub max_duration: Option<Duration>,
    /// How long a connection is kept without use; zero keeps it until its other end closes it.
    pub idle_timeout: Option<Duration>,
    /// Requests that wait for a connection.
    pub max_pending: Option<u32>,
    /// Requests whose response has not ended.
    pub max_requests: Option<u32>,
    /// Requests that one connection serves.
    pub max_requests_per_connection: Option<u32>,
    /// Retries at the same time.
    pub max_retries: Option<u32>,
    /// Requests at the same time on one HTTP/2 connection.
    pub max_streams: Option<u32>,
    /// Whether endpoints are spoken to in HTTP/2 whatever their port says.
    pub http2_upgrade: Http2Upgrade,
}

/// Which ports are spoken to in HTTP/2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Http2Upgrade {
    /// Those that say so.
    #[default]
    AsDeclared,
    /// All.
    Always,
}

impl ConnectionPool {
    /// Whether connections have to be counted or kept by rules of their own.
    pub fn rules_connections(&self) -> bool {
        self.max_connections.is_some()
            || self.max_pending.is_some()
            || self.max_duration.is_some()
            || self.idle_timeout.is_some()
            || self.max_requests_per_connection.is_some()
    }
}

/// TCP keep-alive; what is none is the system's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Unanswered probes before the connection is given up.
    pub probes: Option<u32>,
    /// Silence before the first probe.
    pub time: Option<Duration>,
    /// Between probes.
    pub interval: Option<Duration>,
}

/// When an endpoint is left out for its failures, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlierDetection {
    /// 5xx in a row; none does not count them.
    pub server_errors: Option<u32>,
    /// 502, 503 and 504 in a row; none does not count them.
    pub gateway_errors: Option<u32>,
    /// Whether failures of the connection are counted apart. If not they count as 5xx and gateway errors.
    pub split_local: bool,
    /// Failures of the connection in a row, when they are counted apart; none does not count them.
    pub local_failures: Option<u32>,
    /// How much quiet it takes to forget one earlier ejection.
    pub interval: Duration,
    /// How long the first ejection lasts; the n-th lasts n times as long.
    pub base_ejection: Duration,
    /// How many of the endpoints may be out at the same time, in percent. One always may.
    pub max_ejection_percent: u32,
    /// If fewer endpoints than this are in, in percent, all are used. Zero never does that.
    pub min_health_percent: u32,
}

/// The defaults of Istio.
impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            server_errors: Some(5),
            gateway_errors: None,
            split_local: false,
            local_failures: Some(5),
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection_percent: 10,
            min_health_percent: 0,
        }
    }
}

/// How many retries there may be at the same time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudget {
    /// Of active requests.
    pub percent: f64,
    /// That many are always allowed.
    pub minimum: u32,
}

impl RetryBudget {
    /// How many retries there may be when so many requests are active.
    pub fn of(&self, requests: u32) -> u32 {
        let share = f64::from(requests) * self.percent / 100.0;
        // Casting saturates, and a share is never negative.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        self.minimum.max(share as u32)
    }
}

/// How an endpoint is asked whether it is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Only for the service's port of this number.
    pub port: Option<u16>,
    /// What is asked.
    pub probe: Probe,
    /// Between two questions.
    pub interval: Duration,
    /// For an answer.
    pub timeout: Duration,
    /// Good answers in a row that bring an endpoint back.
    pub healthy_threshold: u32,
    /// Bad answers in a row that take it out.
    pub unhealthy_threshold: u32,
    /// If fewer endpoints than this are in, in percent, all are used. Zero never does that.
    pub panic_threshold: u32,
}

/// What an endpoint is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Whether it takes a connection.
    Tcp,
    /// What it answers to a GET.
    Http {
        /// Path and query.
        path: String,
        /// The `host` header; the service's name unless given.
        authority: Option<String>,
        /// Statuses that mean well, first and last of each range.
        expected: Vec<(u16, u16)>,
    },
}

/// Everything that is said of one service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServicePolicy {
    /// For requests that name no subset.
    pub base: PortPolicies,
    /// By name.
    pub subsets: Vec<Subset>,
}

/// Some of a service's endpoints, with a policy of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Subset {
    /// What destinations call it.
    pub name: String,
    /// Labels that its endpoints have; more do no harm.
    pub labels: BTreeMap<String, String>,
    /// How it is used.
    pub policies: PortPolicies,
}

/// A policy for all ports, and others for some.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PortPolicies {
    /// For ports that have none of their own.
    pub all: Arc<Policy>,
    /// By the service's port.
    pub ports: HashMap<u16, Arc<Policy>>,
}

impl PortPolicies {
    /// The policy of a port.
    pub fn of(&self, port: Option<u16>) -> &Arc<Policy> {
        port.and_then(|port| self.ports.get(&port)).unwrap_or(&self.all)
    }
}
