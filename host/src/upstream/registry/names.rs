//! Names of services.

/// Turns names as written into full names, as Istio does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The namespace of names that give none; `default` unless set.
    pub namespace: String,
    /// `cluster.local` unless set.
    pub cluster_domain: String,
}

impl Default for Names {
    fn default() -> Self {
        Self { namespace: "default".into(), cluster_domain: "cluster.local".into() }
    }
}

impl Names {
    /// The full name of a host as a manifest in `namespace` writes it: a name without a dot becomes
    /// `NAME.NAMESPACE.svc.DOMAIN`, everything else is only lower-cased.
    pub fn expand(&self, host: &str, namespace: &str) -> String {
        let host = host.to_ascii_lowercase();
        if host.contains('.') || host == "*" || host.parse::<std::net::IpAddr>().is_ok() {
            return host;
        }
        format!("{host}.{namespace}.svc.{}", self.cluster_domain)
    }
}
