//! Host names: what short ones stand for.

use sluicegate_sdk::Environment;
use std::borrow::Cow;

/// RFC 1035, section 2.3.4.
const NAME_LENGTH: usize = 255;
/// RFC 1035, section 2.3.4.
const LABEL_LENGTH: usize = 63;

/// Whether this is a host name: labels, perhaps with a `*` for the first one, or just `*`.
pub fn is_valid(name: &str, wildcards: bool) -> bool {
    if wildcards && name == "*" {
        return true;
    }
    let labels = if wildcards { name.strip_prefix("*.").unwrap_or(name) } else { name };
    let label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=LABEL_LENGTH).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= NAME_LENGTH && labels.split('.').all(label)
}

/// The full name: one without a dot is a service of the namespace.
pub fn expand(name: &str, namespace: &str, environment: &Environment) -> String {
    let name = name.to_ascii_lowercase();
    if name.contains('.') || name == "*" {
        return name;
    }
    format!("{name}.{namespace}.svc.{}", environment.cluster_domain)
}

/// The shorter names that mean the same service.
pub fn aliases(full: &str, environment: &Environment) -> Vec<String> {
    let Some(service) = full.strip_suffix(&format!(".svc.{}", environment.cluster_domain)) else { return Vec::new() };
    let Some((name, namespace)) = service.split_once('.') else { return Vec::new() };
    if name == "*" || namespace.contains('.') {
        return Vec::new();
    }
    let mut aliases = vec![service.to_owned(), format!("{service}.svc")];
    if namespace == environment.namespace {
        aliases.push(name.to_owned());
    }
    aliases
}

/// The host of an authority: no port, no final dot, lower case.
pub fn of_authority(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// A host and every wildcard that covers it, the narrowest first.
pub fn covering(host: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let dots = host.bytes().enumerate().filter(|&(at, byte)| byte == b'.' && at > 0);
    let wildcards = dots.map(|(at, _)| Cow::Owned(format!("*{}", host.get(at..).unwrap_or_default())));
    std::iter::once(Cow::Borrowed(host)).chain(wildcards).chain(std::iter::once(Cow::Borrowed("*")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_a_service_of_the_namespace_and_known_by_each_of_its_names() {
        let environment = Environment { namespace: "default".into(), cluster_domain: "cluster.local".into() };
        let full = expand("Shop", "default", &environment);
        assert_eq!(full, "shop.default.svc.cluster.local");
        assert_eq!(aliases(&full, &environment), ["shop.default", "shop.default.svc", "shop"]);
        assert_eq!(expand("shop.example", "default", &environment), "shop.example");
        assert_eq!(of_authority("Shop.Example.:8080"), "shop.example");
        assert_eq!(covering("a.b").collect::<Vec<_>>(), ["a.b", "*.b", "*"]);
    }

    #[test]
    fn names_that_dns_does_not_allow_are_refused() {
        for good in ["a", "*", "*.b.c", "A-1.b"] {
            assert!(is_valid(good, true), "{good}");
        }
        for bad in ["", "*a.b", "a.*.b", "a..b", "-a", "a_b", "a:80", "*."] {
            assert!(!is_valid(bad, true), "{bad}");
        }
        assert!(!is_valid("*.b", false));
    }
}
