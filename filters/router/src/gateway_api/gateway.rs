//! `Gateway`, as far as routes attach to it. The host reads the same documents: it opens the ports and ends TLS.

use super::config::{self, AllowedRoutes, Listener as Written, RouteKind, Selector};
use super::{GROUP, listener_check};
use crate::code;
use crate::document::Kind;
use crate::report::{Place, Report};
use sluicegate_sdk::Resource;

/// A resolved Gateway.
#[derive(Debug)]
pub struct Gateway {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it listens on, those too that serve no routes of HTTP.
    pub listeners: Vec<Listener>,
}

/// One listener.
#[derive(Debug)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// The port as declared.
    pub port: u16,
    /// The host in lower case, a wildcard, or `*`.
    pub hostname: String,
    /// What it speaks.
    pub protocol: Protocol,
    allowed: From,
    /// None allows all that the protocol can serve.
    kinds: Option<Vec<Kind>>,
}

/// What a listener speaks, as far as routes are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP without TLS.
    Http,
    /// HTTP with TLS that ends here.
    Https,
    /// TLS that is passed on.
    Passing,
    /// Something else, which no route here is for.
    Other,
}

/// Namespaces whose routes may attach.
#[derive(Debug)]
enum From {
    Same,
    All,
    Selector(Selector),
    None,
}

impl Gateway {
    /// Resolves a document; nothing comes of one that cannot be read.
    pub fn resolve(resource: &Resource, report: &mut Report<'_>) -> Option<Self> {
        let written: config::Gateway = match config::read(resource) {
            Ok(written) => written,
            Err(error) => {
                let help = "compare the resource with the Gateway API's reference of Gateway";
                report.error(&Place::spec(), code::UNREADABLE, error.to_string(), help);
                return None;
            }
        };
        listener_check::check(&written, report);
        let place = Place::spec().key("listeners");
        let listeners = written.listeners.into_iter().enumerate();
        let listeners =
            listeners.filter_map(|(index, listener)| Listener::resolve(listener, &place.index(index), report));
        let listeners = listeners.collect();
        Some(Self { namespace: resource.namespace.clone(), name: resource.name.clone(), listeners })
    }
}

impl Listener {
    fn resolve(written: Written, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let passes = written.tls.as_ref().is_some_and(|tls| tls.mode.as_deref() == Some("Passthrough"));
        let protocol = match written.protocol.as_str() {
            "HTTP" => Protocol::Http,
            "HTTPS" => Protocol::Https,
            "TLS" if passes => Protocol::Passing,
            _ => Protocol::Other,
        };
        let place = place.key("allowedRoutes");
        let allowed = written.allowed_routes.unwrap_or_default();
        let kinds = kinds(&allowed.kinds, protocol, &place.key("kinds"), report);
        let hostname = written.hostname.filter(|name| !name.is_empty());
        let hostname = hostname.map_or_else(|| "*".to_owned(), |name| name.to_ascii_lowercase());
        // A wrong port has been reported.
        let port = u16::try_from(written.port).ok()?;
        let allowed = from(allowed, &place.key("namespaces"), report);
        Some(Self { name: written.name, port, hostname, protocol, allowed, kinds })
    }

    /// Whether routes of a namespace may attach; `own` is the Gateway's.
    pub fn allows_namespace(&self, own: &str, namespace: &str, namespaces: &super::Namespaces) -> bool {
        match &self.allowed {
            From::Same => own == namespace,
            From::All => true,
            From::None => false,
            From::Selector(selector) => namespaces.selected(selector, namespace),
        }
    }

    /// Whether routes of a kind may attach.
    pub fn allows_kind(&self, kind: Kind) -> bool {
        self.protocol.serves(kind) && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }
}

impl Protocol {
    fn serves(self, kind: Kind) -> bool {
        match self {
            Self::Http | Self::Https => matches!(kind, Kind::HttpRoute | Kind::GrpcRoute),
            Self::Passing => kind == Kind::TlsRoute,
            Self::Other => false,
        }
    }
}

fn from(written: AllowedRoutes, place: &Place, report: &mut Report<'_>) -> From {
    let Some(namespaces) = written.namespaces else { return From::Same };
    match (namespaces.from.as_deref(), namespaces.selector) {
        (None | Some("Same"), _) => From::Same,
        (Some("All"), _) => From::All,
        (Some("Selector"), Some(selector)) => {
            super::namespace::check_selector(&selector, &place.key("selector"), report);
            From::Selector(selector)
        }
        (Some("Selector"), None) => {
            let help = "add `selector`, or choose All or Same";
            report.error(place, code::LISTENER, "namespaces are to be selected, but there is no `selector`", help);
            From::Same
        }
        (Some("None"), _) => From::None,
        (Some(other), _) => {
            let message = format!("`{other}` does not say from which namespaces routes may come");
            report.error(&place.key("from"), code::LISTENER, message, "use Same, All or Selector");
            From::Same
        }
    }
}

fn kinds(written: &[RouteKind], protocol: Protocol, place: &Place, report: &mut Report<'_>) -> Option<Vec<Kind>> {
    if written.is_empty() {
        return None;
    }
    let mut kinds = Vec::new();
    for (index, kind) in written.iter().enumerate() {
        let known = match (kind.group.as_deref().unwrap_or(GROUP), kind.kind.as_str()) {
            (GROUP, "HTTPRoute") => Some(Kind::HttpRoute),
            (GROUP, "GRPCRoute") => Some(Kind::GrpcRoute),
            (GROUP, "TLSRoute") => Some(Kind::TlsRoute),
            _ => None,
        };
        if protocol != Protocol::Other && !known.is_some_and(|known| protocol.serves(known)) {
            let (what, help) = match protocol {
                Protocol::Passing => ("that passes TLS on", "allow TLSRoute"),
                _ => ("for HTTP", "allow HTTPRoute or GRPCRoute"),
            };
            let message = format!("a listener {what} serves no {}", kind.kind);
            report.warning(&place.index(index), code::LISTENER, message, help);
        }
        kinds.extend(known);
    }
    Some(kinds)
}
