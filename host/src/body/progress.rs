//! How far a body has come, for whoever does not hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the bytes of one body. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Progress(Option<Arc<AtomicU64>>);

impl Progress {
    pub(super) fn begun() -> Self {
        Self(Some(Arc::default()))
    }

    pub(super) fn reached(&self, bytes: u64) {
        if let Some(count) = &self.0 {
            count.store(bytes, Ordering::Relaxed);
        }
    }

    /// The bytes that have come so far; 0 of a message without a body.
    pub fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |count| count.load(Ordering::Relaxed))
    }
}
