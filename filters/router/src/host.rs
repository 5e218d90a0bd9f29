//! Host names: which are valid, and which of the known ones an authority means.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

/// RFC 1035, section 2.3.4.
const NAME_LENGTH: usize = 255;
/// RFC 1035, section 2.3.4.
const LABEL_LENGTH: usize = 63;

/// More than any wildcard has characters, so that an exact host goes before all of them.
const EXACT_HOST: u32 = 1 << 16;

/// A map whose hashes need no random seed: its keys come from the operator, never from a request.
type Map<T> = HashMap<String, T, BuildHasherDefault<DefaultHasher>>;

/// Checks a host name as a resource may write it; the reason reads on after the name.
pub fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name == "*" || is_address(name) {
        return Ok(());
    }
    let labels = name.strip_prefix("*.").unwrap_or(name);
    if labels.contains('*') {
        return Err("has a `*` that is not its whole first label");
    }
    if labels.contains(':') {
        return Err("has a port, which a host name must not have");
    }
    let labels = labels.strip_suffix('.').unwrap_or(labels);
    if name.len() > NAME_LENGTH || !labels.split('.').all(is_label) {
        return Err("is not a DNS name");
    }
    Ok(())
}

/// Whether a text is one label of a DNS name.
pub fn is_label(label: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let length = (1..=LABEL_LENGTH).contains(&label.len());
    length && label.bytes().all(valid) && !label.starts_with('-') && !label.ends_with('-')
}

/// Whether a host is an IP address.
pub fn is_address(name: &str) -> bool {
    name.parse::<std::net::IpAddr>().is_ok()
}

/// Whether every name that `narrow` stands for is one of those that `wide` stands for.
pub fn covers(wide: &str, narrow: &str) -> bool {
    if wide == narrow || wide == "*" {
        return true;
    }
    let Some(suffix) = wide.strip_prefix('*') else { return false };
    let narrow = narrow.strip_prefix('*').unwrap_or(narrow);
    narrow.len() > suffix.len() && narrow.ends_with(suffix)
}

/// How specific a host is: an exact one before all wildcards, of which the longer goes first.
pub fn rank(host: &str) -> u32 {
    if host.starts_with('*') {
        u32::try_from(host.len()).unwrap_or(EXACT_HOST - 1).min(EXACT_HOST - 1)
    } else {
        EXACT_HOST
    }
}

/// A host and every wildcard that covers it, the narrowest first.
pub fn covering(host: &str) -> impl Iterator<Item = String> {
    let dots = host.bytes().enumerate().filter(|&(at, byte)| byte == b'.' && at > 0);
    let wildcards = dots.map(|(at, _)| format!("*{}", host.get(at..).unwrap_or_default()));
    std::iter::once(host.to_owned()).chain(wildcards).chain(std::iter::once("*".to_owned()))
}

/// Hosts that were seen, to find those that stand for the same names.
#[derive(Debug, Default)]
pub struct Overlaps {
    exact: Map<usize>,
    /// Every name that a wildcard would have to be to cover one that was seen, with the first such.
    covered: Map<usize>,
}

impl Overlaps {
    /// Adds a host by its full name; the number comes back when it overlaps with another.
    pub fn insert(&mut self, host: &str, number: usize) {
        self.exact.entry(host.to_owned()).or_insert(number);
        for wide in covering(host) {
            self.covered.entry(wide).or_insert(number);
        }
    }

    /// The number of a host that stands for some of the same names.
    pub fn overlapping(&self, host: &str) -> Option<usize> {
        let wider = || covering(host).find_map(|wide| self.exact.get(&wide));
        let narrower = || self.covered.get(host).filter(|_| host.starts_with('*'));
        wider().or_else(narrower).copied()
    }
}

/// The host of an authority: no port, no final dot, lower case.
pub fn of_authority(authority: &str) -> String {
    let host = without_port(authority);
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// An authority without its port; the brackets of an IPv6 address stay.
pub fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !inside_brackets(host) => host,
        _ => authority,
    }
}

fn inside_brackets(host: &str) -> bool {
    host.starts_with('[') && !host.ends_with(']')
}

/// Finds what belongs to a host: its exact name first, then the longest wildcard, then `*`.
#[derive(Debug)]
pub struct HostIndex<T> {
    exact: Map<T>,
    /// Other names of hosts, which count where no host has the name itself.
    aliases: Map<T>,
    /// By what follows the `*.`.
    suffixes: Map<T>,
    any: Option<T>,
}

impl<T> Default for HostIndex<T> {
    /// An empty one.
    fn default() -> Self {
        Self { exact: Map::default(), aliases: Map::default(), suffixes: Map::default(), any: None }
    }
}

impl<T: Clone> HostIndex<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a host by its full name.
    pub fn insert(&mut self, host: &str, value: T) {
        match host.strip_prefix("*.") {
            Some(suffix) => drop(self.suffixes.insert(suffix.to_owned(), value)),
            None if host == "*" => self.any = Some(value),
            // An IPv6 address stands in brackets in an authority.
            None if host.contains(':') => drop(self.exact.insert(format!("[{host}]"), value)),
            None => drop(self.exact.insert(host.to_owned(), value)),
        }
    }

    /// Takes a host out.
    pub fn remove(&mut self, host: &str) {
        match host.strip_prefix("*.") {
            Some(suffix) => drop(self.suffixes.remove(suffix)),
            None if host == "*" => self.any = None,
            None if host.contains(':') => drop(self.exact.remove(&format!("[{host}]"))),
            None => drop(self.exact.remove(host)),
        }
    }

    /// Adds other names of a host. No two hosts have the same; where a host has the name itself, it stays with that.
    pub fn insert_aliases(&mut self, aliases: Vec<String>, value: &T) {
        self.aliases.extend(aliases.into_iter().map(|alias| (alias, value.clone())));
    }

    /// Takes other names of a host out.
    pub fn remove_aliases(&mut self, aliases: &[String]) {
        for alias in aliases {
            self.aliases.remove(alias);
        }
    }

    /// What belongs to the host that [`of_authority`] gives.
    pub fn find(&self, host: &str) -> Option<&T> {
        let named = self.exact.get(host).or_else(|| self.aliases.get(host));
        named.or_else(|| self.find_suffix(host)).or(self.any.as_ref())
    }

    fn find_suffix(&self, host: &str) -> Option<&T> {
        if self.suffixes.is_empty() {
            return None;
        }
        // The first dot leaves the longest suffix; a dot in front of everything leaves no name for the `*`.
        let dots = host.bytes().enumerate().filter(|&(at, byte)| byte == b'.' && at > 0);
        dots.into_iter().find_map(|(at, _)| self.suffixes.get(host.get(at + 1..)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_host_of_an_authority_has_no_port_and_no_case() {
        for (authority, host) in [
            ("Shop:80", "shop"),
            ("shop.", "shop"),
            ("shop.:80", "shop"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(of_authority(authority), host, "{authority}");
        }
    }

    #[test]
    fn names_that_dns_does_not_allow_are_refused() {
        for good in ["a", "*", "*.b.c", "A-1.b", "10.0.0.1", "::1", "a.b."] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long_label = "a".repeat(64);
        for bad in ["", "*a.b", "a.*.b", "a..b", "-a", "a-", "a_b", "a:80", "*.", "a b", long_label.as_str()] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wildcard_covers_what_ends_like_it_but_not_its_own_suffix() {
        for (wide, narrow, expected) in [
            ("*.com", "*.foo.com", true),
            ("*.com", "foo.com", true),
            ("*", "foo", true),
            ("*.foo.com", "foo.com", false),
            ("*.foo.com", "*.com", false),
            ("foo.com", "bar.com", false),
        ] {
            assert_eq!(covers(wide, narrow), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn a_host_is_covered_by_itself_and_by_each_wildcard_above_it() {
        let covering: Vec<String> = covering("a.b.c").collect();
        assert_eq!(covering, ["a.b.c", "*.b.c", "*.c", "*"]);
        assert!(covering.iter().all(|wide| covers(wide, "a.b.c")));
    }

    proptest! {
        #[test]
        fn an_overlap_is_found_where_one_host_covers_the_other(
            hosts in proptest::collection::vec("(\\*|(\\*\\.)?[ab]{1,2}(\\.[ab]{1,2}){0,2})", 0..6),
            host in "(\\*|(\\*\\.)?[ab]{1,2}(\\.[ab]{1,2}){0,2})",
        ) {
            let mut seen = Overlaps::default();
            for (number, known) in hosts.iter().enumerate() {
                seen.insert(known, number);
            }
            let overlaps = |known: &String| covers(known, &host) || covers(&host, known);
            prop_assert_eq!(seen.overlapping(&host).is_some(), hosts.iter().any(overlaps));
            prop_assert!(seen.overlapping(&host).is_none_or(|number| overlaps(&hosts[number])));
        }
    }

    /// What the index must find, by looking at every host.
    fn naive<'a>(hosts: &'a [String], host: &str) -> Option<&'a String> {
        let wildcard = |known: &&String| {
            known
                .strip_prefix('*')
                .is_some_and(|suffix| !suffix.is_empty() && host.len() > suffix.len() && host.ends_with(suffix))
        };
        let exact = hosts.iter().find(|known| *known == host && !known.starts_with('*'));
        let longest = || hosts.iter().filter(wildcard).max_by_key(|known| known.len());
        exact.or_else(longest).or_else(|| hosts.iter().find(|known| *known == "*"))
    }

    proptest! {
        #[test]
        fn the_index_finds_what_looking_at_every_host_finds(
            hosts in proptest::collection::vec("(\\*|(\\*\\.)?[ab]{1,2}(\\.[ab]{1,2}){0,2})", 0..12),
            host in "\\.?[ab]{0,2}(\\.[ab]{1,2}){0,3}",
        ) {
            let mut index = HostIndex::new();
            for known in &hosts {
                index.insert(known, known.clone());
            }
            prop_assert_eq!(index.find(&host), naive(&hosts, &host));
        }
    }
}
