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

    /// The shorter names that mean the service `NAME.NAMESPACE.svc.DOMAIN`; none for any other name.
    pub(super) fn shorter<'a>(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let without_domain = name.strip_suffix(&self.cluster_domain).and_then(|name| name.strip_suffix('.'));
        let qualified = without_domain.and_then(|name| name.strip_suffix(".svc"));
        let bare = qualified.and_then(|name| name.strip_suffix(&self.namespace)?.strip_suffix('.'));
        [without_domain.filter(|_| qualified.is_some()), qualified, bare.filter(|name| !name.contains('.'))]
            .into_iter()
            .flatten()
    }
}
