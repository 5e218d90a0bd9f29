//! Configured instances that no version of a filter uses any more.
//!
//! A request keeps the version that it began with, so an instance in use cannot be changed. But when the last request of a
//! version has ended, its instances are free, and they differ from the next version by no more than what has changed since.
//! Where a filter takes updates and has much to be configured with, they are kept and brought up to date instead of
//! configuring new ones: two sets of instances take turns.

use super::instance::Instance;
use std::sync::{Mutex, PoisonError};

/// The spares of all versions of one filter.
#[derive(Default)]
pub(super) struct Spares(Mutex<Vec<Instance>>);

impl std::fmt::Debug for Spares {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Spares").field(&self.len()).finish()
    }
}

impl Spares {
    /// Takes a spare, if there is one.
    pub(super) fn take(&self) -> Option<Instance> {
        self.lock().pop()
    }

    /// Keeps an instance, but no more than `most`.
    pub(super) fn give(&self, instance: Instance, most: usize) {
        let mut spares = self.lock();
        if spares.len() < most {
            spares.push(instance);
        } else {
            // Taking an instance down gives its memory back to the system: not under the lock.
            drop(spares);
            drop(instance);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Instance>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
