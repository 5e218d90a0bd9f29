//! What the names of services stand for: short ones for services of a namespace, and each service under several names.

use crate::Environment;

impl Environment {
    /// The full name of a service, in lower case, as a document of `namespace` writes it: a name without a dot becomes
    /// `NAME.NAMESPACE.svc.DOMAIN`. A name with a dot is full, and so are an IP address and `*`; a dot at the end, which says
    /// in DNS that a name is full, is left out. Which names may be written is for the filter to say.
    pub fn full_name(&self, name: &str, namespace: &str) -> String {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name.contains('.') || name == "*" || name.parse::<std::net::IpAddr>().is_ok() {
            return name;
        }
        format!("{name}.{namespace}.svc.{}", self.cluster_domain)
    }

    /// The shorter names that mean the same service as a full one: `NAME.NAMESPACE` and `NAME.NAMESPACE.svc` from everywhere,
    /// and `NAME` in the proxy's own namespace. None where it is the name of no service.
    pub fn aliases(&self, full: &str) -> Vec<String> {
        let Some(service) = full.strip_suffix(&format!(".svc.{}", self.cluster_domain)) else { return Vec::new() };
        let Some((name, namespace)) = service.split_once('.') else { return Vec::new() };
        if name == "*" || namespace.contains('.') {
            return Vec::new();
        }
        let mut aliases = vec![service.to_owned(), format!("{service}.svc")];
        if namespace == self.namespace {
            aliases.push(name.to_owned());
        }
        aliases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment { namespace: "default".into(), cluster_domain: "cluster.local".into() }
    }

    #[test]
    fn a_short_name_stands_for_a_service_of_the_namespace() {
        for (written, full) in [
            ("reviews", "reviews.shop.svc.cluster.local"),
            ("Reviews", "reviews.shop.svc.cluster.local"),
            ("reviews.", "reviews.shop.svc.cluster.local"),
            ("reviews.other", "reviews.other"),
            ("Reviews.Example.", "reviews.example"),
            ("*.Example.com", "*.example.com"),
            ("*", "*"),
            ("10.0.0.1", "10.0.0.1"),
            ("::1", "::1"),
        ] {
            assert_eq!(environment().full_name(written, "shop"), full, "{written}");
        }
    }

    #[test]
    fn a_service_answers_to_its_shorter_names() {
        let own = environment().aliases("reviews.default.svc.cluster.local");
        assert_eq!(own, ["reviews.default", "reviews.default.svc", "reviews"]);
        let other = environment().aliases("reviews.shop.svc.cluster.local");
        assert_eq!(other, ["reviews.shop", "reviews.shop.svc"]);
        for no_service in
            ["www.example.com", "*.svc.cluster.local", "*.shop.svc.cluster.local", "a.b.c.svc.cluster.local"]
        {
            assert!(environment().aliases(no_service).is_empty(), "{no_service}");
        }
    }
}
