//! The life of one request: sanitise, ask the chain, carry its decision out, run the answer back, record it.

use crate::body::{BodyEnd, ProxyBody};
use crate::chain::{Course, Forward, Step};
use crate::config::limits;
use crate::connection::{ConnectionInfo, Handler};
use crate::error::RequestError;
use crate::event::Channels;
use crate::request::RequestHead;
use crate::sanitize;
use crate::snapshot::Snapshot;
use crate::telemetry::{AccessRecord, Telemetry};
use crate::upstream::forward::{self, ForwardPolicy};
use crate::wasm::types;
use crate::{body, gather, respond};
use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Serves requests with whatever snapshot is current.
pub struct Exchange {
    /// Replaced on reload.
    pub snapshot: ArcSwap<Snapshot>,
    /// Outlive every snapshot.
    pub channels: Arc<Channels>,
    /// Where every request ends.
    pub telemetry: Arc<Telemetry>,
    /// Requests being served.
    pub in_flight: AtomicUsize,
}
