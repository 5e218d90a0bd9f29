//! The Kubernetes Gateway API: `HTTPRoute`, `GRPCRoute`, and `Gateway`, `ReferenceGrant` and `Namespace` as far as they say
//! what routes attach to.
//!
//! Routes become the same documents, rules and blocks that Istio's VirtualService becomes, so that one matcher, one
//! decision and one explanation serve both. What differs is settled when documents are loaded:
//!
//! | subject | where |
//! |---|---|
//! | rules go by precedence | [`mod@matches`] ranks each block, [`attachment`] the host that it stands under |
//! | routes attach to listeners | [`parent`] reads what a route asks for, [`gateway`] what a listener allows, [`attachment`] brings both together |
//! | a host belongs to one listener of a port | [`isolation`] |
//! | filters | [`filter`] |
//! | backends that cannot be used, and their share of errors | [`backend`], [`grant`] |

pub mod attachment;
pub mod backend;
pub mod config;
pub mod cors;
pub mod filter;
pub mod gateway;
pub mod grant;
pub mod isolation;
pub mod listener_check;
pub mod matches;
pub mod mirror;
pub mod namespace;
pub mod parent;
pub mod path;
pub mod route;
pub mod shape;
pub mod timing;
pub mod tls_route;

pub use attachment::Parents;
pub use gateway::Gateway;
pub use grant::Grants;
pub use isolation::{Choice, Isolated, ListenerShares};
pub use namespace::Namespaces;
pub use parent::Parent;

/// The group of all its resources.
pub const GROUP: &str = "gateway.networking.k8s.io";
/// The group in which `Service` and `Namespace` are.
pub const CORE: &str = "";

/// Whether a resource is of the Gateway API.
pub fn is_of_group(resource: &sluicegate_sdk::Resource) -> bool {
    resource.api_version.split('/').next() == Some(GROUP)
}
