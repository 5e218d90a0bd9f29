//! The endpoint of one try, and the way to a connection to it.

use super::cluster::Cluster;
use super::connect::{ConnectError, Setup, connect};
use super::limit::Limit;
use super::member::Member;
use super::pool::Lease;
use super::slots::{Entry, Handed, Slot, Way};
use super::streams::{Dial, NoStream, Stream};
use super::wire::Tls;
use crate::config::limits;
use crate::error::RequestError;
use crate::timer::Timer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The endpoint of one try.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) member: &'a Member,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum OpenError {
    /// The endpoint does not take one.
    Failed(ConnectError),
    /// None became free in time.
    TimedOut,
    /// Too many requests wait already.
    Overflow,
}

impl<'a> Target<'a> {
    /// The endpoint for a request with this key, skipping those already tried as long as there is another.
    ///
    /// # Errors
    /// When the cluster has none, or all are out.
    pub(super) fn pick(cluster: &'a Cluster, key: Option<u64>, tried: &[SocketAddr]) -> Result<Self, RequestError> {
        let destination = || cluster.name().to_owned();
        let (members, threshold) = (cluster.members(), cluster.panic_threshold());
        match members {
            [] => return Err(RequestError::NoEndpoint { destination: destination() }),
            [only] if threshold.is_none() => return Ok(Self { cluster, member: only }),
            _ => {}
        }
        let picked = cluster.balancer().pick(members, threshold, tried, key);
        let picked = picked.ok_or_else(|| RequestError::NoHealthyEndpoint { destination: destination() });
        picked.map(|member| Self { cluster, member })
    }

    /// Where to connect.
    pub(super) fn address(&self) -> SocketAddr {
        self.member.endpoint.address
    }

    /// Which of the cluster's endpoints it is.
    pub(super) fn place(&self) -> usize {
        let members = self.cluster.members();
        members.iter().position(|member| std::ptr::eq(member, self.member)).unwrap_or(members.len())
    }

    /// An idle connection that can be used at once.
    pub(super) fn reuse(&self, now: Instant) -> Option<Lease> {
        if self.cluster.policy().pool.rules_connections() {
            return self.cluster.state().slots.reuse(&self.way(), self.cluster.shared_policy());
        }
        let others = self.member.endpoint.alternatives.iter().flat_map(|others| others.addresses());
        let mut all = std::iter::once(self.address()).chain(others.copied());
        all.find_map(|address| match self.tls() {
            None => Lease::reuse(address, now),
            Some(tls) => Lease::reuse_secure(address, tls, now),
        })
    }

    fn tls(&self) -> Option<&'a Arc<Tls>> {
        self.cluster.wire()?.tls.as_ref()
    }

    fn setup(&self, slot: Option<Slot>) -> Setup {
        let (alternatives, keepalive) =
            (self.member.endpoint.alternatives.clone(), self.cluster.policy().pool.keepalive);
        Setup { alternatives, keepalive, tls: self.tls().cloned(), slot, streams: None }
    }

    fn way(&self) -> Way {
        Way { address: self.address(), tls: self.tls().cloned() }
    }

    /// A connection that is made, or one that others are done with, within `limit`.
    pub(super) async fn open(&self, limit: Duration) -> Result<Lease, OpenError> {
        let pool = &self.cluster.policy().pool;
        let connecting = limit.min(pool.connect_timeout.unwrap_or(limits::UPSTREAM_CONNECT));
        if !pool.rules_connections() {
            return Lease::open(self.address(), connecting, self.setup(None)).await.map_err(OpenError::Failed);
        }
        let state = self.cluster.state();
        let Some(_pending) = state.pending.enter(pool.max_pending) else {
            state.overflowed(Limit::Pending);
            return Err(OpenError::Overflow);
        };
        let deadline = Instant::now() + limit;
        let policy = self.cluster.shared_policy();
        let handed = match state.slots.enter(self.way(), policy) {
            Entry::Now(handed) => handed,
            Entry::Wait(receiver) => match timeout_at(deadline, receiver).await {
                Ok(Ok(handed)) => handed,
                Ok(Err(_)) | Err(_) => return Err(OpenError::TimedOut),
            },
        };
        match handed {
            Handed::Connection(lease) => Ok(lease),
            Handed::Slot(slot) => self.make(slot, connecting.min(deadline - Instant::now())).await,
        }
    }

    /// A stream on a connection that is there, or on one that is made, within `limit`.
    pub(super) async fn open_stream(&self, limit: Duration) -> Result<Stream, OpenError> {
        let pool = &self.cluster.policy().pool;
        let connecting = pool.connect_timeout.unwrap_or(limits::UPSTREAM_CONNECT);
        let dial = Dial {
            address: self.address(),
            alternatives: self.member.endpoint.alternatives.clone(),
            tls: self.tls().cloned(),
            limit: connecting,
            pool: pool.clone(),
            slots: pool.rules_connections().then(|| Arc::clone(&self.cluster.state().slots)),
        };
        let state = self.cluster.state();
        let wait = || state.pending.enter(pool.max_pending);
        let opened = self.member.state.streams.open(dial, Instant::now() + limit, wait).await;
        opened.map_err(|error| match error {
            NoStream::Failed(error) => OpenError::Failed(error),
            NoStream::TimedOut => OpenError::TimedOut,
            NoStream::Overflow => {
                state.overflowed(Limit::Pending);
                OpenError::Overflow
            }
        })
    }

    async fn make(&self, slot: Slot, limit: Duration) -> Result<Lease, OpenError> {
        let way = self.way();
        let tls = way.tls.clone();
        let home = self.cluster.state().slots.home(way, self.cluster.shared_policy());
        let made = connect(self.address(), limit, self.setup(Some(slot))).await;
        let (sender, address) = made.map_err(OpenError::Failed)?;
        Ok(Lease { sender, address, tls, idle: None, timer: Timer::default(), home: Some(home) })
    }
}

impl OpenError {
    /// What the request fails with.
    pub(super) fn of(self, target: &Target<'_>, limit: Duration) -> RequestError {
        match self {
            Self::Failed(ConnectError::Handshake(reason)) => {
                RequestError::HandshakeFailed { endpoint: target.address().to_string(), reason: reason.to_string() }
            }
            Self::Failed(error) => {
                RequestError::ConnectFailed { endpoint: target.address().to_string(), reason: error.to_string() }
            }
            Self::TimedOut => {
                RequestError::Deadline { milliseconds: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) }
            }
            Self::Overflow => RequestError::UpstreamOverloaded {
                destination: target.cluster.name().to_owned(),
                limit: "requests wait for a connection",
            },
        }
    }
}
