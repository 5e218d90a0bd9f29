//! What a rule does beside sending requests: tries, faults, answers to browsers.

use super::StringMatch;
use serde::Deserialize;

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
