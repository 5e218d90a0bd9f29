//! Host names: which are valid, and which of the known ones an authority means.

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

/// The host of an authority: no port, no final dot, lower case.
pub fn of_authority(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// A host and every wildcard that covers it, the narrowest first. A wildcard covers itself.
pub fn covering(host: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let dots = host.bytes().enumerate().filter(|&(at, byte)| byte == b'.' && at > 0);
    let wildcards = dots.map(|(at, _)| Cow::Owned(format!("*{}", host.get(at..).unwrap_or_default())));
    let itself = (!host.starts_with('*')).then_some(Cow::Borrowed(host));
    itself.into_iter().chain(wildcards).chain(std::iter::once(Cow::Borrowed("*")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_means_its_host_and_each_wildcard_above_it() {
        assert_eq!(of_authority("Shop.Example.:8080"), "shop.example");
        assert_eq!(covering("a.b").collect::<Vec<_>>(), ["a.b", "*.b", "*"]);
        assert_eq!(covering("*.b.c").collect::<Vec<_>>(), ["*.b.c", "*.c", "*"]);
        assert_eq!(covering("*").collect::<Vec<_>>(), ["*"]);
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
