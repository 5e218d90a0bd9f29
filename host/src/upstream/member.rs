//! An endpoint of a cluster.

use super::endpoint::Endpoint;
use super::state::EndpointState;
use std::sync::Arc;

/// An endpoint of a cluster, with what is known of it.
#[derive(Debug, Clone)]
pub struct Member {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What is known of it.
    pub state: Arc<EndpointState>,
}
