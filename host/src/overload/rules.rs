//! Which priority a request has: the first rule that it matches says so, then, where the operator trusts clients with it,
//! the header `priority`. Nothing else that a client sends counts.

use crate::priority::Priority;
use crate::request::{RequestHead, split_authority};
use http::{HeaderName, HeaderValue};

/// What tells requests apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// In order; the first that matches counts.
    pub rules: Vec<Rule>,
    /// Whether clients' `priority` (RFC 9218) counts for what no rule matches.
    pub header: bool,
}

/// Requests of one priority. What is empty matches everything.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Theirs.
    pub priority: Priority,
    /// Ports of listeners, as declared; one of them.
    pub ports: Vec<u16>,
    /// Hosts in lower case, without a port; one of them. `*.example` is every host below.
    pub hosts: Vec<String>,
    /// One of them, in whole segments.
    pub paths: Vec<String>,
    /// All of them; none as the value is content with the header.
    pub headers: Vec<(HeaderName, Option<HeaderValue>)>,
}

impl Rules {
    /// Whether there can be requests of different priorities.
    pub fn tell_apart(&self) -> bool {
        self.header || !self.rules.is_empty()
    }

    /// The priority of a request.
    pub fn of(&self, head: &RequestHead) -> Priority {
        if !self.tell_apart() {
            return Priority::default();
        }
        let rule = self.rules.iter().find(|rule| rule.matches(head));
        let asked = || self.header.then(|| Priority::of_header(&head.headers)).flatten();
        rule.map(|rule| rule.priority).or_else(asked).unwrap_or_default()
    }
}

impl Rule {
    /// Matches everything.
    pub fn new(priority: Priority) -> Self {
        Self { priority, ports: Vec::new(), hosts: Vec::new(), paths: Vec::new(), headers: Vec::new() }
    }

    fn matches(&self, head: &RequestHead) -> bool {
        (self.ports.is_empty() || self.ports.contains(&head.arrival.port))
            && (self.hosts.is_empty() || self.matches_host(&head.authority))
            && (self.paths.is_empty() || self.paths.iter().any(|path| is_below(head.path_and_query.path(), path)))
            && self.headers.iter().all(|(name, value)| match value {
                Some(value) => head.headers.get_all(name).iter().any(|sent| sent == value),
                None => head.headers.contains_key(name),
            })
    }

    fn matches_host(&self, authority: &str) -> bool {
        let (host, _) = split_authority(authority);
        self.hosts.iter().any(|wanted| match wanted.strip_prefix('*') {
            Some(suffix) => {
                let at = host.len().checked_sub(suffix.len()).filter(|at| *at > 0);
                at.and_then(|at| host.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
            }
            None => host.eq_ignore_ascii_case(wanted),
        })
    }
}

/// Whether a path is `above` or goes on below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| above.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(authority: &str, path: &'static str, headers: &[(&'static str, &'static str)]) -> RequestHead {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        RequestHead {
            authority: authority.to_owned(),
            path_and_query: http::uri::PathAndQuery::from_static(path),
            headers: headers.iter().map(pair).collect(),
            ..RequestHead::default()
        }
    }

    fn low() -> Rule {
        Rule::new(Priority::Low)
    }

    #[test]
    fn hosts_are_whole_names_or_all_below_one() {
        let rule = Rule { hosts: vec!["shop".into(), "*.example".into()], ..low() };
        for (authority, expected) in [
            ("shop", true),
            ("SHOP:8080", true),
            ("a.shop", false),
            ("a.Example:80", true),
            ("b.a.example", true),
            (".example", false),
            ("example", false),
            ("anexample", false),
            ("", false),
        ] {
            assert_eq!(rule.matches(&head(authority, "/", &[])), expected, "{authority}");
        }
    }

    #[test]
    fn paths_are_whole_segments() {
        let rule = Rule { paths: vec!["/batch".into(), "/v1/".into()], ..low() };
        for (path, expected) in [
            ("/batch", true),
            ("/batch?x", true),
            ("/batch/1", true),
            ("/batches", false),
            ("/v1/a", true),
            ("/v1", false),
        ] {
            assert_eq!(rule.matches(&head("a", path, &[])), expected, "{path}");
        }
    }

    #[test]
    fn everything_that_a_rule_names_has_to_match_and_the_first_rule_counts() {
        let tenant = (HeaderName::from_static("x-tenant"), Some(HeaderValue::from_static("gold")));
        let crawler = (HeaderName::from_static("x-crawler"), None);
        let rules = vec![
            Rule { headers: vec![tenant], paths: vec!["/a".into()], ..Rule::new(Priority::High) },
            Rule { headers: vec![crawler], ..low() },
            Rule { ports: vec![9], ..Rule::new(Priority::Critical) },
        ];
        let mut rules = Rules { rules, header: false };
        let gold = [("x-tenant", "gold"), ("x-crawler", "yes")];
        assert_eq!(rules.of(&head("a", "/a", &gold)), Priority::High);
        assert_eq!(rules.of(&head("a", "/b", &gold)), Priority::Low);
        assert_eq!(rules.of(&head("a", "/a", &[("x-tenant", "silver")])), Priority::Normal);
        let mut inner = head("a", "/", &[]);
        inner.arrival.port = 9;
        assert_eq!(rules.of(&inner), Priority::Critical);
        let asks = head("a", "/", &[("priority", "u=0")]);
        assert_eq!(rules.of(&asks), Priority::Normal, "what clients say does not count");
        rules.header = true;
        assert_eq!(rules.of(&asks), Priority::High);
        assert_eq!(rules.of(&head("a", "/", &[("priority", "u=0"), ("x-crawler", "")])), Priority::Low);
    }
}
