//! Responses that are kept, as RFC 9111 lets a shared cache keep them.
//!
//! There is one for the process, bounded in bytes, so that a response is held once however many workers use it; what was
//! not used for longest goes first. It outlives snapshots: what a service said is as true after a reload. [`directives`]
//! reads what a message says of caching, [`entry`] knows how old a response is and what it may be used for, [`lookup`]
//! makes a call with it, [`exchange`] asks the service, and [`collapse`] lets calls of several requests share that.
//!
//! Stricter than the RFC: a response that sets a cookie is never kept, and neither is one to a request for a part
//! (`range`) or with conditions of its own.

mod collapse;
mod directives;
mod entry;
mod exchange;
mod lookup;

use crate::config::limits;
use crate::telemetry::metrics::GatherMetrics;
use entry::Entry;
use http::HeaderMap;
use std::sync::Arc;

pub use lookup::Cached;
pub(super) use lookup::{fetch, is_plain};

/// The responses. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cache {
    responses: moka::sync::Cache<Key, Arc<Variants>>,
    metrics: GatherMetrics,
}

/// What a response was asked for: service, port, subset, host and path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(Arc<str>);

/// Responses to requests that differ in headers which the responses vary by (RFC 9111, section 4.1), the latest first.
#[derive(Debug, Default)]
struct Variants(Vec<Arc<Entry>>);

impl Cache {
    /// An empty one of so many bytes; 0 keeps nothing.
    pub fn new(bytes: u64, metrics: GatherMetrics) -> Self {
        let weigh = |key: &Key, variants: &Arc<Variants>| {
            let sizes = variants.0.iter().map(|entry| entry.size());
            u32::try_from(sizes.sum::<usize>().saturating_add(key.0.len())).unwrap_or(u32::MAX)
        };
        Self { responses: moka::sync::Cache::builder().max_capacity(bytes).weigher(weigh).build(), metrics }
    }

    /// The response to a request with these headers.
    fn find(&self, key: &Key, request: &HeaderMap) -> Option<Arc<Entry>> {
        self.responses.get(key)?.0.iter().find(|entry| entry.answers(request)).cloned()
    }

    /// Keeps a response in place of the one that answers the same request.
    fn keep(&self, key: &Key, request: &HeaderMap, entry: Arc<Entry>) {
        self.responses.entry(key.clone()).and_upsert_with(|known| {
            let known = known.map(moka::Entry::into_value);
            let others = known.iter().flat_map(|known| known.0.iter()).filter(|other| !other.answers(request)).cloned();
            Arc::new(Variants(std::iter::once(entry).chain(others).take(limits::CACHED_VARIANTS).collect()))
        });
    }

    /// Forgets what was kept for a place that a request has changed (RFC 9111, section 4.4).
    fn forget(&self, key: &Key) {
        self.responses.invalidate(key);
    }
}
