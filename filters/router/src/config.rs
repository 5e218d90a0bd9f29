//! A `VirtualService` as it is written: field for field what Istio's resource has, nothing resolved yet.
//!
//! The host has checked documents against `virtualservice.schema.json` before, so unknown fields and wrong types do not
//! get here; whatever else can be wrong is found while these types are resolved. A `null` counts as a field left out,
//! and as a condition that every request meets where it stands in a `match` list.

use crate::layer4::Layer4Route;
use serde::Deserialize;
use serde_json::Value;
use sluicegate_sdk::Resource;
use std::collections::BTreeMap;

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
    /// Rules for TLS that is passed through: accepted without effect.
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

/// Conditions that must all hold.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpMatch {
    /// Names the block in logs.
    pub name: Option<String>,
    /// The path.
    pub uri: Option<StringMatch>,
    /// The scheme.
    pub scheme: Option<StringMatch>,
    /// The method.
    pub method: Option<StringMatch>,
    /// The authority as sent, port included.
    pub authority: Option<StringMatch>,
    /// Headers that must be there; a null one is an error.
    pub headers: BTreeMap<String, Option<StringMatch>>,
    /// The port that the request came in on.
    pub port: Option<i64>,
    /// Labels of the caller's workload.
    pub source_labels: BTreeMap<String, String>,
    /// Gateways that the block is restricted to.
    pub gateways: Vec<String>,
    /// Query parameters that must be there.
    pub query_params: BTreeMap<String, Option<StringMatch>>,
    /// Whether `uri.exact` and `uri.prefix` ignore case.
    pub ignore_uri_case: Option<bool>,
    /// Headers that must not match.
    pub without_headers: BTreeMap<String, Option<StringMatch>>,
    /// Namespace of the caller.
    pub source_namespace: Option<String>,
    /// Names statistics: accepted without effect.
    pub stat_prefix: Option<String>,
}

/// One of three ways to compare a string.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StringMatch {
    /// The whole value.
    pub exact: Option<String>,
    /// How the value starts.
    pub prefix: Option<String>,
    /// An expression that the whole value matches.
    pub regex: Option<String>,
}

/// A destination and its share.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RouteDestination {
    /// The service.
    pub destination: Option<Destination>,
    /// Its share, relative to the others'.
    pub weight: Option<i64>,
    /// Header operations for this destination.
    pub headers: Option<Headers>,
}

/// A service.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Destination {
    /// Its name.
    pub host: String,
    /// A subset of its endpoints.
    pub subset: Option<String>,
    /// Its port.
    pub port: Option<PortSelector>,
}

/// A port by number.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PortSelector {
    /// From 1 to 65535.
    pub number: Option<i64>,
}

/// Header operations both ways.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    /// On the request.
    pub request: Option<HeaderOperations>,
    /// On the response.
    pub response: Option<HeaderOperations>,
}

/// Header operations one way.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderOperations {
    /// Overwrites or creates.
    pub set: BTreeMap<String, String>,
    /// Adds another value.
    pub add: BTreeMap<String, String>,
    /// Removes all values.
    pub remove: Vec<String>,
}

/// Where the client is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Redirect {
    /// The new path.
    pub uri: Option<String>,
    /// Takes the place of the matched prefix.
    pub prefix_rewrite: Option<String>,
    /// The new authority.
    pub authority: Option<String>,
    /// The new port.
    pub port: Option<i64>,
    /// How to come by the new port.
    pub derive_port: Option<DerivePort>,
    /// The new scheme.
    pub scheme: Option<String>,
    /// 301 unless given.
    pub redirect_code: Option<i64>,
}

/// How a redirect comes by its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DerivePort {
    /// The scheme's own.
    FromProtocolDefault,
    /// The one that the request came in on.
    FromRequestPort,
}

/// A fixed answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectResponse {
    /// The status.
    pub status: Option<i64>,
    /// The body.
    pub body: Option<DirectBody>,
}

/// The body of a fixed answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectBody {
    /// As text.
    pub string: Option<String>,
    /// As base64.
    pub bytes: Option<String>,
}

/// Another VirtualService that has the rules.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delegate {
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
}

/// What changes before the request is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rewrite {
    /// The new path, or prefix.
    pub uri: Option<String>,
    /// The new authority.
    pub authority: Option<String>,
    /// The new path by expression.
    pub uri_regex_rewrite: Option<RegexRewrite>,
}

/// An expression and what takes the place of its matches.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegexRewrite {
    /// The expression.
    #[serde(rename = "match")]
    pub pattern: Option<String>,
    /// The replacement, with `\1` for groups.
    pub rewrite: Option<String>,
}

/// When to try again.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retries {
    /// How many times, after the first.
    pub attempts: Option<i64>,
    /// For each try.
    pub per_try_timeout: Option<String>,
    /// Tokens with commas between them.
    pub retry_on: Option<String>,
    /// Whether other localities are tried: accepted without effect.
    pub retry_remote_localities: Option<bool>,
    /// Whether hosts already tried are avoided, as they are unless it says otherwise.
    pub retry_ignore_previous_hosts: Option<bool>,
    /// The base of the wait between tries.
    pub backoff: Option<String>,
}

/// Faults to inject.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// Makes requests wait.
    pub delay: Option<Delay>,
    /// Fails requests.
    pub abort: Option<Abort>,
}

/// A wait.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Delay {
    /// In whole percent, deprecated.
    pub percent: Option<i64>,
    /// How long.
    pub fixed_delay: Option<String>,
    /// Never implemented by Istio.
    pub exponential_delay: Option<String>,
    /// For how many requests.
    pub percentage: Option<Percent>,
}

/// A failure.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Abort {
    /// The status.
    pub http_status: Option<i64>,
    /// The name of a gRPC status.
    pub grpc_status: Option<String>,
    /// Never implemented by Istio.
    pub http2_error: Option<String>,
    /// For how many requests.
    pub percentage: Option<Percent>,
}

/// A share of requests.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Percent {
    /// From 0 to 100.
    pub value: Option<f64>,
}

/// A service that gets a copy.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mirror {
    /// The service.
    pub destination: Option<Destination>,
    /// How many requests.
    pub percentage: Option<Percent>,
}

/// Answers to browsers that ask across origins.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CorsPolicy {
    /// Deprecated form of `allow_origins`.
    pub allow_origin: Vec<String>,
    /// Origins that may ask.
    pub allow_origins: Vec<StringMatch>,
    /// Methods that they may use.
    pub allow_methods: Vec<String>,
    /// Headers that they may send.
    pub allow_headers: Vec<String>,
    /// Headers that they may read.
    pub expose_headers: Vec<String>,
    /// How long a preflight counts.
    pub max_age: Option<String>,
    /// Whether they may send credentials.
    pub allow_credentials: Option<bool>,
    /// What becomes of a preflight of another origin.
    pub unmatched_preflights: Option<UnmatchedPreflights>,
}

/// What becomes of a preflight of an origin that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UnmatchedPreflights {
    /// The same as `Forward`.
    Unspecified,
    /// It goes to the service.
    Forward,
    /// It is answered here, without leave.
    Ignore,
}
