//! How an operator wants a filter to be treated that fails, and how long its instances live.

use crate::config::limits;
use crate::error::FailureAnswer;
use std::sync::Arc;
use std::time::Duration;

/// When a filter is not called any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantine {
    /// After so many failures in a row, of one hook.
    pub failures: usize,
    /// That come within this time.
    pub within: Duration,
    /// How long it is left out at first; then one call tries it.
    pub pause: Duration,
    /// How long at most: each trial that fails doubles the pause.
    pub longest: Duration,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self {
            failures: limits::QUARANTINE_FAILURES,
            within: limits::QUARANTINE_WITHIN,
            pause: limits::QUARANTINE_PAUSE,
            longest: limits::QUARANTINE_LONGEST,
        }
    }
}

/// When an instance is replaced although it is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recycle {
    /// After so many calls; unless it is said, after [`limits::INSTANCE_CALLS`], but for instances of a large configuration
    /// (see [`limits::SPARES_FROM`]), which stay.
    pub calls: Option<u32>,
    /// After this time, or a moment later.
    pub age: Option<Duration>,
    /// Once its memories are larger than this, in bytes; unless it is said, once three quarters are used of what they may have
    /// beyond what they began with (see [`limits::INSTANCE_ROOM_LEFT`]).
    pub memory: Option<usize>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resilience {
    /// In place of 503.
    pub answer: Option<Arc<FailureAnswer>>,
    /// When the filter is left out; none: never.
    pub quarantine: Option<Quarantine>,
    /// When instances are replaced.
    pub recycle: Recycle,
}

impl Default for Resilience {
    fn default() -> Self {
        Self { answer: None, quarantine: Some(Quarantine::default()), recycle: Recycle::default() }
    }
}
