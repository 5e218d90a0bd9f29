//! The order of rules is that of the Gateway API, whatever the routes are: held to a comparison of all matches in words of
//! the specification.

mod support;

use proptest::prelude::*;
use std::cmp::Reverse;
use support::gateway::{asked, open, route, rule};
use support::{outcome, router};

/// One match.
#[derive(Debug, Clone)]
struct Drawn {
    /// Exact or PathPrefix, and the path.
    path: Option<(bool, &'static str)>,
    method: Option<&'static str>,
    headers: Vec<(&'static str, &'static str)>,
    query: Vec<(&'static str, &'static str)>,
}

/// A request.
#[derive(Debug, Clone)]
struct Request {
    path: &'static str,
    method: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    query: Vec<(&'static str, &'static str)>,
}

const PATHS: [&str; 5] = ["/", "/a", "/a/b", "/a/bc", "/d"];
const METHODS: [&str; 2] = ["GET", "POST"];

fn pairs() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let pair =
        |name| proptest::option::of(proptest::sample::select(vec!["1", "2"])).prop_map(move |value| (name, value));
    (pair("one"), pair("two"))
        .prop_map(|(one, two)| [one, two].into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let path = proptest::option::of((any::<bool>(), proptest::sample::select(&PATHS[..])));
    let method = proptest::option::of(proptest::sample::select(&METHODS[..]));
    (path, method, pairs(), pairs()).prop_map(|(path, method, headers, query)| Drawn { path, method, headers, query })
}

fn request() -> impl Strategy<Value = Request> {
    (proptest::sample::select(&PATHS[..]), proptest::sample::select(&METHODS[..]), pairs(), pairs())
        .prop_map(|(path, method, headers, query)| Request { path, method, headers, query })
}

impl Drawn {
    fn yaml(&self) -> String {
        let kind = |exact| if exact { "Exact" } else { "PathPrefix" };
        let path = self.path.map(|(exact, path)| format!("path: {{type: {}, value: {path}}}", kind(exact)));
        let method = self.method.map(|method| format!("method: {method}"));
        let list = |field: &str, pairs: &[(&str, &str)]| {
            let pairs: Vec<String> =
                pairs.iter().map(|(name, value)| format!("{{name: {name}, value: '{value}'}}")).collect();
            (!pairs.is_empty()).then(|| format!("{field}: [{}]", pairs.join(", ")))
        };
        let parts = [path, method, list("headers", &self.headers), list("queryParams", &self.query)];
        format!("{{{}}}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }

    fn takes(&self, request: &Request) -> bool {
        let below =
            |prefix: &str| prefix == "/" || request.path == prefix || request.path.starts_with(&format!("{prefix}/"));
        let path = self.path.is_none_or(|(exact, path)| if exact { request.path == path } else { below(path) });
        path && self.method.is_none_or(|method| method == request.method)
            && self.headers.iter().all(|pair| request.headers.contains(pair))
            && self.query.iter().all(|pair| request.query.contains(pair))
    }

    /// The larger goes first: exact paths, long prefixes, a method, many headers, many query parameters.
    fn precedence(&self) -> (bool, usize, bool, usize, usize) {
        let (exact, path) = self.path.unwrap_or((false, "/"));
        (exact, path.len(), self.method.is_some(), self.headers.len(), self.query.len())
    }
}

impl Request {
    fn words(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let headers: Vec<String> = self.headers.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        format!("{} {}{query}{}", self.method, self.path, headers.concat())
    }
}

proptest! {
    #[test]
    fn the_first_rule_by_precedence_takes_a_request(
        routes in proptest::collection::vec(proptest::collection::vec(proptest::collection::vec(drawn(), 1..3), 1..4), 1..4),
        request in request(),
    ) {
        let mut yaml = open();
        let mut taking = Vec::new();
        for (number, rules) in routes.iter().enumerate() {
            let mut text = String::new();
            for (index, matches) in rules.iter().enumerate() {
                let service = format!("s{number}-{index}");
                let blocks: Vec<String> = matches.iter().map(Drawn::yaml).collect();
                text += &rule(&blocks.join(", "), &service);
                let holding = matches.iter().enumerate().filter(|(_, drawn)| drawn.takes(&request));
                taking.extend(holding.map(|(block, drawn)| {
                    (drawn.precedence(), Reverse((number, index, block)), service.clone())
                }));
            }
            yaml += &route(&format!("r{number}"), &text);
        }
        let expected = taking.into_iter().max().map_or_else(|| "404".to_owned(), |(.., service)| service);
        prop_assert_eq!(outcome(&router(&yaml), &asked(&request.words())), expected);
    }
}
