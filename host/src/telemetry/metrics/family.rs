//! Series that live as long as somebody can count in them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Handles by their labels. Taking one locks; counting with it does not come here.
#[derive(Debug)]
pub(super) struct Live<K, V>(Mutex<BTreeMap<K, Weak<V>>>);

impl<K, V> Default for Live<K, V> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord + Clone, V: Default> Live<K, V> {
    /// The handle with these labels: one that is in use, or a new one.
    pub(super) fn handle(&self, key: K) -> Arc<V> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = known.get(&key).and_then(Weak::upgrade) {
            return live;
        }
        known.retain(|_, handle| handle.strong_count() > 0);
        let new = Arc::new(V::default());
        known.insert(key, Arc::downgrade(&new));
        new
    }

    /// All handles in use, in the order of their labels.
    pub(super) fn all(&self) -> Vec<(K, Arc<V>)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter_map(|(key, handle)| Some((key.clone(), handle.upgrade()?))).collect()
    }
}
