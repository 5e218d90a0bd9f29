//! Resources of the Gateway API as they are written: field for field, nothing resolved yet.
//!
//! The host has checked documents against the schemas beside this folder before, so unknown fields and wrong types do
//! not get here. Names of types, protocols and the like are texts, so that a wrong one is reported where it stands.

mod filter;
mod gateway;
mod grpc;
mod http;
mod tls;

pub use filter::{
    Cors, ExtensionRef, Filter, Fraction, HeaderModifier, HeaderValue, Mirror, PathModifier, Redirect, Rewrite,
};
pub use gateway::{
    Address, AllowedRoutes, Expression, Gateway, GrantFrom, GrantTo, Listener, ListenerTls, ReferenceGrant, RouteKind,
    RouteNamespaces, Selector,
};
pub use grpc::{GrpcMatch, GrpcMethod, GrpcRoute, GrpcRule};
pub use http::{BackendRef, Comparison, HttpMatch, HttpRoute, HttpRule, ParentRef, PathMatch, Retry, Timeouts};
pub use tls::{TlsRoute, TlsRule};

use crate::config::without_nulls;
use serde::de::DeserializeOwned;
use sluicegate_sdk::Resource;

/// Reads the `spec` of a resource; a `null` counts as a field left out.
pub fn read<T: DeserializeOwned>(resource: &Resource) -> Result<T, serde_json::Error> {
    if !resource.json().contains("null")
        && let Ok(read) = resource.read_spec()
    {
        return Ok(read);
    }
    let spec = resource.value().get("spec").cloned().unwrap_or_else(|| serde_json::json!({}));
    serde_json::from_value(without_nulls(spec))
}
