//! What a filter may import from the host beside the request, each only when the operator grants it.

use crate::bindings::imports::sluicegate::filter as wit;

pub mod metrics;
pub mod store;

/// Capability `log`: messages go to the host's log under the filter's name. Granted by default.
pub mod log {
    /// How much a message matters.
    pub use super::wit::log::Level;

    /// Logs a message. Natively it goes to standard error.
    pub fn log(level: Level, message: &str) {
        if cfg!(target_family = "wasm") {
            super::wit::log::log(level, message);
        } else {
            eprintln!("{level:?}: {message}");
        }
    }

    /// Something failed.
    pub fn error(message: &str) {
        log(Level::Error, message);
    }

    /// Something is off.
    pub fn warn(message: &str) {
        log(Level::Warn, message);
    }

    /// Something worth knowing.
    pub fn info(message: &str) {
        log(Level::Info, message);
    }

    /// Something for whoever looks closer.
    pub fn debug(message: &str) {
        log(Level::Debug, message);
    }
}

/// Capability `clock`.
pub mod clock {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn now() -> u64 {
        if cfg!(target_family = "wasm") {
            return super::wit::clock::now();
        }
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Capability `random`.
pub mod random {
    use std::hash::{BuildHasher, RandomState};

    /// Up to 4096 bytes from a cryptographic generator. Natively it is not cryptographic and meant for tests.
    pub fn bytes(length: u32) -> Vec<u8> {
        if cfg!(target_family = "wasm") {
            return super::wit::random::bytes(length);
        }
        (0..length).map(|index| RandomState::new().hash_one(index).to_le_bytes()[0]).collect()
    }
}
