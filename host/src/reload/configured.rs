//! A version of a filter that is ready to serve: a component with its settings and documents.

use super::filters::Component;
use super::policy::FilterPolicy;
use crate::chain::{Link, Trial};
use crate::telemetry::FilterMetrics;
use crate::wasm::types::ResourceDocument;
use crate::wasm::{Documents, Filter};
use std::sync::Arc;

/// A filter, and what it was made of.
#[derive(Debug, Clone)]
pub(super) struct Configured {
    pub(super) component: Component,
    pub(super) filter: Arc<Filter>,
    pub(super) metrics: Arc<FilterMetrics>,
    pub(super) policy: FilterPolicy,
    /// What it is configured with.
    pub(super) given: Documents,
    /// Its second place in the chain, if it has one now.
    pub(super) early: Option<i32>,
}

impl Configured {
    /// Whether it would be the same version that is made of these.
    pub(super) fn is_made_of(
        &self,
        component: &Component,
        policy: &FilterPolicy,
        given: &[Arc<ResourceDocument>],
    ) -> bool {
        self.component.code.hash == component.code.hash
            && self.component.granted == component.granted
            && self.is_configured_with(policy, given)
    }

    /// Whether it has these settings and documents.
    pub(super) fn is_configured_with(&self, policy: &FilterPolicy, given: &[Arc<ResourceDocument>]) -> bool {
        let same = |(one, other): (&Arc<ResourceDocument>, &Arc<ResourceDocument>)| Arc::ptr_eq(one, other);
        self.policy.settings == policy.settings
            && self.given.len() == given.len()
            && self.given.iter().zip(given).all(same)
    }

    /// The same version, switched on or off and placed as its newest document says.
    pub(super) fn placed_as(self, newest: &FilterPolicy) -> Self {
        let policy = FilterPolicy { settings: self.policy.settings, ..newest.clone() };
        Self { policy, ..self }
    }

    /// Whether it is the same version, however it is placed.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.filter, &other.filter)
    }

    /// Its places in the chain, with a newer version that is tried there. None while it is switched off.
    pub(super) fn links(&self, trial: Option<&Trial>) -> Vec<Link> {
        if !self.policy.enabled {
            return Vec::new();
        }
        let link = |priority, early| Link {
            filter: Arc::clone(&self.filter),
            metrics: Arc::clone(&self.metrics),
            priority,
            early,
            path: self.component.path.clone(),
            trial: trial.cloned(),
        };
        let place = self.policy.priority.unwrap_or(self.component.code.manifest.priority);
        let early = self.early.map(|priority| link(priority, true));
        early.into_iter().chain([link(place, false)]).collect()
    }
}
