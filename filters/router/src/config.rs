//! A `VirtualService` as it is written: field for field what Istio's resource has, nothing resolved yet.
//!
//! The host has checked documents against `virtualservice.schema.json` before, so unknown fields and wrong types do not
//! get here; whatever else can be wrong is found while these types are resolved. A `null` counts as a field left out,
//! and as a condition that every request meets where it stands in a `match` list.

mod answer;
mod change;
mod destination;
mod matching;
mod policy;

pub use answer::{Delegate, DerivePort, DirectBody, DirectResponse, Redirect};
pub use change::{HeaderOperations, Headers, RegexRewrite, Rewrite};
pub use destination::{Destination, Mirror, PortSelector, RouteDestination};
pub use matching::{HttpMatch, StringMatch};
pub use policy::{Abort, CorsPolicy, Delay, Fault, Percent, Retries, UnmatchedPreflights};

use crate::layer4::Layer4Route;
use serde::Deserialize;
use serde_json::Value;
use sluicegate_sdk::Resource;

/// Maps from names to conditions, where a `null` is not a field left out but a condition that says nothing.
const KEEP_NULLS: [&str; 3] = ["headers", "withoutHeaders", "queryParams"];

/// Reads the `spec` of a resource.
///
/// # Errors
/// When it is not that of a VirtualService.
pub fn read(resource: &Resource) -> Result<VirtualService, serde_json::Error> {
    // Read straight from the text where it can be: going by way of values costs several times as much.
    if !resource.json().contains("null")
        && let Ok(read) = resource.read_spec()
    {
        return Ok(read);
    }
    let mut document = resource.value();
    let mut spec = document.get_mut("spec").map(Value::take).unwrap_or_default();
    remove_nulls(&mut spec, false);
    serde_json::from_value(spec)
}

/// Reads one rule.
pub fn read_rule(mut rule: Value) -> Result<HttpRoute, serde_json::Error> {
    remove_nulls(&mut rule, false);
    serde_json::from_value(rule)
}

/// A value without members that are `null`.
pub fn without_nulls(mut value: Value) -> Value {
    remove_nulls(&mut value, false);
    value
}

/// Removes members that are `null`, so that the types below need not allow for it one by one.
fn remove_nulls(value: &mut Value, keep: bool) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| remove_nulls(element, false)),
        Value::Object(members) => {
            members.retain(|_, member| keep || !member.is_null());
            for (name, member) in members {
                remove_nulls(member, KEEP_NULLS.contains(&name.as_str()));
            }
        }
        _ => {}
    }
}

/// The `spec` of a VirtualService.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VirtualService {
    /// Names whose requests the rules take.
    pub hosts: Vec<String>,
    /// The gateways, and `mesh` for sidecars, that the rules are meant for; empty means `mesh`.
    pub gateways: Vec<String>,
    /// The rules for HTTP, of which the first that matches counts.
    pub http: Vec<HttpRoute>,
    /// Rules for TLS that is passed through undecrypted.
    pub tls: Vec<Layer4Route>,
    /// Rules for plain TCP: accepted without effect.
    pub tcp: Vec<Layer4Route>,
    /// Namespaces that see the resource: accepted without effect.
    pub export_to: Vec<String>,
}

/// One rule.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpRoute {
    /// Names the rule in logs.
    pub name: Option<String>,
    /// Blocks of which one must match; none at all, or a null one, matches every request.
    #[serde(rename = "match")]
    pub matches: Vec<Option<HttpMatch>>,
    /// Where requests go.
    pub route: Vec<RouteDestination>,
    /// Sends the client elsewhere.
    pub redirect: Option<Redirect>,
    /// A fixed answer.
    pub direct_response: Option<DirectResponse>,
    /// Hands the rule over to another resource.
    pub delegate: Option<Delegate>,
    /// Changes path and authority before the request is sent.
    pub rewrite: Option<Rewrite>,
    /// For the whole exchange.
    pub timeout: Option<String>,
    /// When to try again.
    pub retries: Option<Retries>,
    /// Faults to inject.
    pub fault: Option<Fault>,
    /// A service that gets a copy.
    pub mirror: Option<Destination>,
    /// Services that get a copy.
    pub mirrors: Vec<Mirror>,
    /// How much is mirrored, in whole percent.
    pub mirror_percent: Option<i64>,
    /// How much is mirrored.
    pub mirror_percentage: Option<Percent>,
    /// Answers to browsers.
    pub cors_policy: Option<CorsPolicy>,
    /// Header operations of the rule.
    pub headers: Option<Headers>,
}
