//! What the admin endpoint shows, as JSON has it. The composition root implements [`AdminView`].
//!
//! Nothing here holds header values, bodies or settings of filters: they may be secrets.

mod plan;

pub use plan::{ExplainCache, ExplainCall, ExplainGroup, ExplainPlan};

use super::endpoints::EndpointStatus;
use super::events::ChannelFiguresStatus;
use super::overload::OverloadStatus;
use super::reload::ReloadStatus;
use super::rollout::{FilterActed, FilterAction, FilterHistory, FilterTraps, QuarantineStatus, StageStatus};
use crate::chain::{TraceCandidate, TraceStep};
use crate::event::Channels;
use crate::manifest::Diagnostic;
use crate::request::{Arrival, RequestHead, RequestId};
use crate::telemetry::tap::Look;
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use rustls::pki_types::DnsName;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Where explained requests come from and go to, as no connection says it.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What the admin endpoint may see of the proxy.
pub trait AdminView: Send + Sync + 'static {
    /// Whether it takes requests.
    fn readiness(&self) -> Readiness;
    /// All filters, in the order of the chain, refused ones included.
    fn filters(&self) -> Vec<FilterStatus>;
    /// The failures of a filter, or of all, by version.
    fn traps(&self, _filter: Option<&str>) -> Vec<FilterTraps> {
        Vec::new()
    }
    /// What became of the versions of a filter, or of all.
    fn history(&self, _filter: Option<&str>) -> Vec<FilterHistory> {
        Vec::new()
    }
    /// Does something with a filter. Runs on a thread that may be blocked.
    ///
    /// # Errors
    /// With why that cannot be done.
    fn act(&self, action: FilterAction, filter: &str) -> Result<FilterActed, String> {
        let _ = action;
        Err(format!("there is no filter `{filter}`"))
    }
    /// Reads the directories anew. Runs on a thread that may be blocked.
    ///
    /// # Errors
    /// With why nothing is known of it.
    fn reload(&self) -> Result<ReloadStatus, String> {
        Err("nothing is reloaded here".to_owned())
    }
    /// What is in force.
    fn config(&self) -> ConfigStatus;
    /// All endpoints of all services, those that are out included.
    fn endpoints(&self) -> Vec<EndpointStatus>;
    /// Limits of overload, and what was refused.
    fn overload(&self) -> OverloadStatus {
        OverloadStatus::default()
    }
    /// All channels, and how far their subscriptions are.
    fn events(&self) -> Vec<ChannelFiguresStatus>;
    /// The channels themselves, for what operators do with their events.
    fn channels(&self) -> Arc<Channels>;
    /// Requests that have ended since the look that gave this number, or from now on.
    fn tap(&self, _after: Option<u64>) -> Look {
        Look::default()
    }
    /// What would become of a request. Runs on a thread that may be blocked.
    ///
    /// # Errors
    /// With what is wrong with the request.
    fn explain(&self, request: ExplainRequest) -> Result<ExplainAnswer, String>;
}

/// Requests that have ended.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Tapped {
    /// Where the next look goes on.
    pub next: u64,
    /// How many were not seen.
    pub missed: u64,
    /// Their access records.
    pub records: Vec<serde_json::Value>,
}

/// Whether the proxy takes requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// A snapshot is in force.
    pub snapshot: bool,
    /// It ends and takes nothing new.
    pub draining: bool,
}

impl Readiness {
    /// Whether requests should be sent here.
    pub fn is_ready(&self) -> bool {
        self.snapshot && !self.draining
    }
}

/// What has become of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterState {
    /// It is in force.
    Active,
    /// It is in force, and a newer file was refused.
    Outdated,
    /// It was refused and no earlier version is there.
    Refused,
    /// It is in force, but not called for now, as it failed again and again.
    Quarantined,
}

/// One filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterStatus {
    /// As its manifest says.
    pub name: String,
    /// As its manifest says.
    pub version: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// The file it comes from.
    pub origin: String,
    /// Kinds of resources that it implements.
    pub claims: Vec<String>,
    /// Hooks that it exports.
    pub hooks: Vec<String>,
    /// Request headers that it gets with every call.
    #[serde(default)]
    pub reads: Vec<String>,
    /// Capabilities that it imports and has.
    pub capabilities: Vec<String>,
    /// Where its decisions may reach.
    #[serde(default)]
    pub grants: GrantStatus,
    /// Its place in the chain: higher comes first.
    pub priority: i32,
    /// `closed`: requests fail with it; `open`: they go on without it.
    pub failure: String,
    /// What has become of it.
    pub state: FilterState,
    /// Since when, as RFC 3339 has it.
    pub since: String,
    /// Why a newer file was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<ReloadFailure>,
    /// Why it is not called for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<QuarantineStatus>,
    /// A version of it that is tried or watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<StageStatus>,
}

/// Where a filter's decisions may reach; `*` is everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantStatus {
    /// Services that requests may be sent to.
    pub forward: Vec<String>,
    /// Services that plans may call.
    pub call: Vec<String>,
    /// Channels that events may be published to.
    pub publish: Vec<String>,
}

/// A change that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadFailure {
    /// When, as RFC 3339 has it.
    pub at: String,
    /// Why.
    pub diagnostics: Vec<DiagnosticStatus>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosticStatus {
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// Such as `SG0203`.
    pub code: String,
    /// `file:line:column`; empty when it is about no file.
    pub origin: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl From<&Diagnostic> for DiagnosticStatus {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            severity: diagnostic.severity.as_str().into(),
            code: diagnostic.code.clone(),
            origin: diagnostic.location.as_ref().map(ToString::to_string).unwrap_or_default(),
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
        }
    }
}

/// What is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    /// Goes up with every change that is put in force.
    pub generation: u64,
    /// Manifests.
    pub documents: Vec<DocumentStatus>,
    /// Services and their endpoints.
    pub services: Vec<ServiceStatus>,
    /// Channels and their subscriptions.
    pub channels: Vec<ChannelStatus>,
    /// Listeners of Gateway documents and of `--listen-tls`.
    #[serde(default)]
    pub listeners: Vec<ListenerStatus>,
    /// When a change was last put in force, as RFC 3339 has it.
    pub last_reload_success: Option<String>,
    /// The last change that was refused, unless one after it was taken.
    pub last_reload_failure: Option<ReloadFailure>,
}

/// One manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentStatus {
    /// Such as `networking.istio.io/v1`.
    pub api_version: String,
    /// Such as `VirtualService`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `file:line`.
    pub origin: String,
    /// The filter that implements it, or `host`; none when nobody does.
    pub claimed_by: Option<String>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The full name.
    pub name: String,
    /// Its ports.
    pub ports: Vec<PortStatus>,
}

/// One port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStatus {
    /// None takes any port.
    pub number: Option<u16>,
    /// Where it has one.
    pub name: Option<String>,
    /// Where requests go.
    pub endpoints: Vec<SocketAddr>,
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelStatus {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// `NAMESPACE/NAME` of each.
    pub subscriptions: Vec<String>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// `gateway`, or `mesh` for the command line's.
    pub name: String,
    /// The port as declared.
    pub port: u16,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// A request to be explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// Such as `GET`.
    #[serde(default = "get")]
    pub method: String,
    /// With scheme and authority: `http://shop/orders?page=2`.
    pub url: String,
    /// Name and value, in order. A `host` takes the place of the URL's authority.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// By which listener it comes in.
    #[serde(default, skip_serializing_if = "ExplainListener::is_unnamed")]
    pub listener: ExplainListener,
}

/// The listener by which an explained request comes in. What is left open is chosen as
/// [`crate::explain::arrive`] says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainListener {
    /// The port, as a Gateway document declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The server name of the TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// It is the proxy's own listener, whatever Gateway documents declare.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mesh: bool,
}

impl ExplainListener {
    /// Whether a client could name the server so.
    ///
    /// # Errors
    /// With what is wrong with the name, for people.
    pub fn check(&self) -> Result<(), String> {
        let Some(name) = &self.sni else { return Ok(()) };
        let checked = DnsName::try_from(name.as_str());
        checked.map(drop).map_err(|_| format!("`{name}` is not a server name: TLS takes DNS names alone"))
    }

    /// Whether nothing is said of it.
    pub fn is_unnamed(&self) -> bool {
        *self == Self::default()
    }
}

fn get() -> String {
    "GET".into()
}

impl Default for ExplainRequest {
    /// A `GET` of nothing yet.
    fn default() -> Self {
        Self {
            method: get(),
            url: String::new(),
            headers: Vec::new(),
            body: None,
            listener: ExplainListener::default(),
        }
    }
}

impl ExplainRequest {
    /// The request as the chain sees it.
    ///
    /// # Errors
    /// With what is wrong with it, for people.
    pub fn to_head(&self) -> Result<RequestHead, String> {
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| format!("`{}` is not a method: it has characters other than a token's", self.method))?;
        let (scheme, mut authority, path_and_query) = self.target()?;
        self.listener.check()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let parsed =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header name"))?;
            if parsed == http::header::HOST {
                authority.clone_from(value);
                continue;
            }
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("the value of `{name}` has characters that no header value may have"))?;
            headers.append(parsed, value);
        }
        Ok(RequestHead {
            id: RequestId::random(),
            method,
            scheme,
            authority,
            path_and_query,
            headers,
            attributes: Vec::new(),
            body: None,
            peer: NOWHERE,
            local: NOWHERE,
            arrival: Arrival::default(),
            version: Version::HTTP_11,
            received: std::time::SystemTime::now(),
            rehearsed: true,
        })
    }

    /// Host and port of the URL, which is where a client connects to whatever `host` says.
    pub fn place(&self) -> Option<(String, Option<u16>)> {
        let uri: Uri = self.url.parse().ok()?;
        Some((uri.host()?.to_owned(), uri.port_u16()))
    }

    fn target(&self) -> Result<(Scheme, String, http::uri::PathAndQuery), String> {
        let help = "write it with scheme and host, such as `http://shop/orders?page=2`";
        let uri: Uri = self.url.parse().map_err(|error| format!("`{}` is not a URL ({error}); {help}", self.url))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let (Some(scheme), Some(authority)) = (scheme, parts.authority) else {
            return Err(format!("`{}` has no scheme `http` or `https`; {help}", self.url));
        };
        let path = parts.path_and_query.unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
        Ok((scheme, authority.to_string(), path))
    }
}

/// What would become of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainAnswer {
    /// The configuration's generation.
    pub generation: u64,
    /// As it was understood: `GET http://shop/orders`.
    pub request: String,
    /// What each filter decided, in order.
    pub steps: Vec<ExplainStep>,
    /// What comes of it.
    pub outcome: ExplainOutcome,
}

/// What one filter decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainStep {
    /// Its name.
    pub filter: String,
    /// Its version.
    pub version: String,
    /// `next`, `forward`, `respond`, `gather`, `publish`, `inspect-body` or `failed`.
    pub decision: String,
    /// In the filter's words, or the host's when it has none.
    pub summary: String,
    /// Changes of the request and the response, one line each.
    #[serde(default)]
    pub edits: Vec<String>,
    /// What it chose from.
    #[serde(default)]
    pub candidates: Vec<ExplainCandidate>,
}

/// One thing that a filter could have chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainCandidate {
    /// Such as `VirtualService default/shop, rule 2`.
    pub name: String,
    /// `file:line`.
    pub origin: String,
    /// Whether it was chosen.
    pub chosen: bool,
    /// Why, or why not.
    pub reason: String,
}

impl From<TraceStep> for ExplainStep {
    fn from(step: TraceStep) -> Self {
        Self {
            filter: step.filter,
            version: step.version,
            decision: step.decision,
            summary: step.summary.unwrap_or_default(),
            edits: Vec::new(),
            candidates: step.candidates.into_iter().map(ExplainCandidate::from).collect(),
        }
    }
}

impl From<TraceCandidate> for ExplainCandidate {
    fn from(candidate: TraceCandidate) -> Self {
        let TraceCandidate { name, origin, chosen, reason } = candidate;
        Self { name, origin, chosen, reason }
    }
}

/// What comes of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainOutcome {
    /// In a sentence.
    pub summary: String,
    /// The status, where the proxy itself would answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Where it would be sent: one for a forward, one for each call of a composition or channel of a publication.
    #[serde(default)]
    pub destinations: Vec<ExplainDestination>,
    /// The calls of a composition, with what their plan says of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<ExplainPlan>,
}

/// Where a request would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainDestination {
    /// As the filter named it.
    pub name: String,
    /// The service or channel that this is; none when it is not known.
    pub service: Option<String>,
    /// Where it listens.
    pub endpoints: Vec<SocketAddr>,
    /// The endpoint that would be tried first, where that is already sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> ExplainRequest {
        ExplainRequest { url: url.into(), ..ExplainRequest::default() }
    }

    #[test]
    fn a_host_header_takes_the_place_of_the_authority() {
        let mut request = request("http://127.0.0.1:8080/orders?page=2");
        request.headers = vec![("Host".into(), "shop".into()), ("x-user".into(), "ada".into())];
        let head = request.to_head().unwrap();
        assert_eq!((head.authority.as_str(), head.path_and_query.as_str()), ("shop", "/orders?page=2"));
        assert_eq!(head.headers.len(), 1);
        assert_eq!(head.headers["x-user"], "ada");
    }

    #[test]
    fn a_url_without_a_path_means_the_root() {
        assert_eq!(request("http://shop").to_head().unwrap().path_and_query, "/");
    }

    #[test]
    fn says_what_is_wrong_with_a_request() {
        assert!(request("/orders").to_head().unwrap_err().contains("no scheme"));
        assert!(request("ftp://shop/").to_head().unwrap_err().contains("no scheme"));
        assert!(request("http://sh op/").to_head().unwrap_err().contains("not a URL"));
        let odd = ExplainRequest { method: "GET IT".into(), ..request("http://shop/") };
        assert!(odd.to_head().unwrap_err().contains("not a method"));
        let odd = ExplainRequest { headers: vec![("a b".into(), String::new())], ..request("http://shop/") };
        assert!(odd.to_head().unwrap_err().contains("not a header name"));
        let listener = ExplainListener { sni: Some("10.0.0.1".into()), ..ExplainListener::default() };
        let odd = ExplainRequest { listener, ..request("https://shop/") };
        assert!(odd.to_head().unwrap_err().contains("not a server name"));
    }
}
