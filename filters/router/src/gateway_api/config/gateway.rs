//! `Gateway`, as far as routes attach to it, and `ReferenceGrant`. The proxy itself reads the rest of a Gateway, and
//! refuses fields that it does not have.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The `spec` of a Gateway.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gateway {
    /// What it listens on.
    pub listeners: Vec<Listener>,
    /// The addresses that it asks for: accepted without effect.
    pub addresses: Vec<Address>,
}

/// One listener.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Listener {
    /// Its name, unique in the Gateway.
    pub name: String,
    /// The only host that it serves, or a wildcard; all when absent.
    pub hostname: Option<String>,
    /// The port.
    pub port: i64,
    /// HTTP, HTTPS, TLS, TCP or UDP.
    pub protocol: String,
    /// How TLS is spoken.
    pub tls: Option<ListenerTls>,
    /// Who may attach.
    pub allowed_routes: Option<AllowedRoutes>,
}

/// How a listener speaks TLS, as far as routes are concerned.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListenerTls {
    /// Terminate or Passthrough; Terminate when absent.
    pub mode: Option<String>,
}

/// Who may attach to a listener.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AllowedRoutes {
    /// From which namespaces; the Gateway's own when absent.
    pub namespaces: Option<RouteNamespaces>,
    /// Of which kinds; all that the protocol can serve when empty.
    pub kinds: Vec<RouteKind>,
}

/// Namespaces whose routes may attach.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteNamespaces {
    /// All, Selector or Same; Same when absent.
    pub from: Option<String>,
    /// Which labels a namespace must have.
    pub selector: Option<Selector>,
}

/// Labels that must be there.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    /// With these values.
    pub match_labels: BTreeMap<String, String>,
    /// As these say.
    pub match_expressions: Vec<Expression>,
}

/// What one label must be.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Expression {
    /// The label.
    pub key: String,
    /// In, NotIn, Exists or DoesNotExist.
    pub operator: String,
    /// For the first two.
    pub values: Vec<String>,
}

/// A kind of route.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteKind {
    /// The Gateway API's when absent.
    pub group: Option<String>,
    /// Such as HTTPRoute.
    pub kind: String,
}

/// An address that a Gateway asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Address {
    /// IPAddress when absent.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The address.
    pub value: Option<String>,
}

/// The `spec` of a ReferenceGrant.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReferenceGrant {
    /// Who may refer
    pub from: Vec<GrantFrom>,
    /// to what in the grant's own namespace.
    pub to: Vec<GrantTo>,
}

/// Resources that may refer to others.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GrantFrom {
    /// Their group.
    pub group: String,
    /// Their kind.
    pub kind: String,
    /// Their namespace.
    pub namespace: String,
}

/// Resources that may be referred to.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GrantTo {
    /// Their group.
    pub group: String,
    /// Their kind.
    pub kind: String,
    /// The only one; all when absent.
    pub name: Option<String>,
}
