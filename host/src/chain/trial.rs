//! A newer version of a filter beside the one in force.

use super::shadow::Shadowing;
use super::{Chain, Link};
use crate::request::RequestId;
use crate::rollout::Share;
use crate::wasm::Guard;
use std::sync::Arc;

/// How a newer version is tried.
#[derive(Debug, Clone)]
pub enum Trial {
    /// On copies of requests, without effect.
    Shadow(Arc<Shadowing>),
    /// It decides on this share of requests. Events and connections stay with the version in force.
    Canary(Arc<Link>, Share),
}

impl Chain {
    /// The guards of a filter, one for each version of it that decides.
    pub fn guards(&self, filter: &str) -> impl Iterator<Item = &Arc<Guard>> {
        let mine = self.links().iter().filter(move |link| &*link.filter.name == filter);
        mine.flat_map(|link| {
            let canary = match &link.trial {
                Some(Trial::Canary(canary, _)) => Some(&canary.filter.guard),
                _ => None,
            };
            [&link.filter.guard].into_iter().chain(canary)
        })
    }
}

impl Link {
    /// The version that decides on a request: the same one in all phases, as a request keeps its snapshot and its id.
    pub(super) fn for_request(&self, id: RequestId) -> &Self {
        match &self.trial {
            Some(Trial::Canary(canary, share)) if share.holds(id) => canary,
            _ => self,
        }
    }

    /// The version that runs in its shadow.
    pub(super) fn shadow(&self) -> Option<&Shadowing> {
        match &self.trial {
            Some(Trial::Shadow(shadow)) => Some(shadow),
            _ => None,
        }
    }

    /// Whether the filter, in any of its versions here, is shown responses.
    pub(super) fn has_response(&self) -> bool {
        let newer = match &self.trial {
            Some(Trial::Canary(canary, _)) => canary.filter.code.hooks.has_response(),
            _ => false,
        };
        newer || self.filter.code.hooks.has_response()
    }
}
