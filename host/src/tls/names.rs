//! Host names that servers take, and which server a name belongs to: the exact name, then the longest wildcard, then
//! the server that takes any.

use std::borrow::Cow;
use std::collections::HashMap;

/// Host names that a server takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// All, and connections without a name.
    Any,
    /// This one; lower case.
    Exact(String),
    /// All below this one, at any depth, but not itself: `*.example.org` is kept as `example.org`.
    Below(String),
}

impl HostPattern {
    /// Reads `*`, a DNS name, or `*.` and a DNS name; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        if lower == "*" {
            return Some(Self::Any);
        }
        match lower.strip_prefix("*.") {
            Some(parent) => is_name(parent).then(|| Self::Below(parent.to_owned())),
            None => is_name(&lower).then_some(Self::Exact(lower)),
        }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => formatter.write_str("*"),
            Self::Exact(name) => formatter.write_str(name),
            Self::Below(parent) => write!(formatter, "*.{parent}"),
        }
    }
}

/// Labels of letters, digits, `-` and `_`, separated by dots (RFC 1123, section 2.1; underscores are in use).
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        !label.is_empty() && label.len() <= 63 && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Which of several servers, by number, a host name belongs to.
#[derive(Debug, Default)]
pub struct HostIndex {
    exact: HashMap<String, usize>,
    below: HashMap<String, usize>,
    any: Option<usize>,
}

impl HostIndex {
    /// Gives a pattern to a server. When another has it already that one keeps it, and is returned.
    pub fn insert(&mut self, pattern: &HostPattern, server: usize) -> Option<usize> {
        let known = match pattern {
            HostPattern::Any => *self.any.get_or_insert(server),
            HostPattern::Exact(name) => *self.exact.entry(name.clone()).or_insert(server),
            HostPattern::Below(parent) => *self.below.entry(parent.clone()).or_insert(server),
        };
        (known != server).then_some(known)
    }

    /// The server of a name; of no name when there is none.
    pub fn find(&self, host: Option<&str>) -> Option<usize> {
        let Some(host) = host else { return self.any };
        let host = host.strip_suffix('.').unwrap_or(host);
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        };
        if let Some(server) = self.exact.get(&*host) {
            return Some(*server);
        }
        if !self.below.is_empty() {
            let mut rest = &*host;
            while let Some((_, parent)) = rest.split_once('.') {
                if let Some(server) = self.below.get(parent) {
                    return Some(*server);
                }
                rest = parent;
            }
        }
        self.any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(patterns: &[&str]) -> HostIndex {
        let mut index = HostIndex::default();
        for (server, pattern) in patterns.iter().enumerate() {
            assert_eq!(index.insert(&HostPattern::parse(pattern).unwrap(), server), None);
        }
        index
    }

    #[test]
    fn the_exact_name_wins_then_the_longest_wildcard_then_the_server_for_all() {
        let index = index(&["*", "*.example.org", "*.eu.example.org", "shop.example.org"]);
        let table = [
            (Some("shop.example.org"), 3),
            (Some("SHOP.example.org."), 3),
            (Some("a.example.org"), 1),
            (Some("a.b.example.org"), 1),
            (Some("a.eu.example.org"), 2),
            (Some("eu.example.org"), 1),
            (Some("example.org"), 0),
            (Some("badexample.org"), 0),
            (None, 0),
        ];
        for (host, expected) in table {
            assert_eq!(index.find(host), Some(expected), "{host:?}");
        }
    }

    #[test]
    fn without_a_server_for_all_an_unknown_name_has_none() {
        let index = index(&["*.example.org"]);
        assert_eq!((index.find(Some("example.org")), index.find(Some("")), index.find(None)), (None, None, None));
    }

    #[test]
    fn the_first_server_keeps_a_pattern() {
        let mut index = index(&["a.example"]);
        assert_eq!(index.insert(&HostPattern::parse("A.example").unwrap(), 1), Some(0));
        assert_eq!(index.find(Some("a.example")), Some(0));
    }

    #[test]
    fn patterns_are_names_with_at_most_one_wildcard_in_front() {
        for good in ["*", "a", "a.example", "*.example", "1.example", "_a.example"] {
            assert_eq!(HostPattern::parse(good).map(|pattern| pattern.to_string()).as_deref(), Some(good));
        }
        for bad in ["", "*a.example", "a.*.example", "a..b", "a.", "-a", "a b", "*.", "*.*.a", "a/b", "a:1"] {
            assert_eq!(HostPattern::parse(bad), None, "{bad}");
        }
    }
}
