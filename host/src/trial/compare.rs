//! What became of a request, held against what was expected.

use super::calls::same;
use super::case::{Expectation, HeaderExpectation, Target};
use super::outcome::Outcome;
use crate::upstream::registry::Names;
use http::{HeaderMap, HeaderValue};
use serde::Serialize;

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// What, as the file of tests calls it: `path`, `headers.x-user`.
    pub what: String,
    /// As it should be.
    pub expected: String,
    /// As it is.
    pub found: String,
}

/// Everything that is not as expected, in the order in which a request goes. `names` expands short names.
pub fn compare(expect: &Expectation, outcome: &Outcome, names: &Names) -> Vec<Mismatch> {
    let mut comparison = Comparison { outcome, mismatches: Vec::new() };
    comparison.decision(expect);
    comparison.destinations(expect, names);
    comparison.request(expect);
    comparison.reply(expect);
    comparison.mismatches
}

struct Comparison<'a> {
    outcome: &'a Outcome,
    mismatches: Vec<Mismatch>,
}

impl Comparison<'_> {
    fn decision(&mut self, expect: &Expectation) {
        if let Some(filter) = &expect.filter {
            self.text("filter", filter, self.outcome.filter.as_deref(), "none");
        }
        if let Some(route) = &expect.route {
            let found = self.outcome.route.as_ref();
            if !found.is_some_and(|found| names_part(&found.name, route)) {
                self.differs("route", route, found.map_or("none", |found| &found.name));
            }
        }
    }

    fn destinations(&mut self, expect: &Expectation, names: &Names) {
        let outcome = self.outcome;
        if let Some(wanted) = &expect.destination {
            let found = outcome.destination.as_ref();
            if !found.is_some_and(|found| wanted.iter().any(|wanted| wanted.accepts(found, names))) {
                let found = found.map_or_else(|| self.instead(), ToString::to_string);
                self.differs("destination", &join(wanted, " or "), &found);
            }
        }
        if let Some(wanted) = &expect.calls
            && !same(wanted, &outcome.calls, names)
        {
            let found = if outcome.calls.is_empty() { self.instead() } else { join(&outcome.calls, ", ") };
            self.differs("calls", &join(wanted, ", "), &found);
        }
        if let Some(wanted) = &expect.channels {
            let sorted = |channels: &[String]| {
                let mut channels = channels.to_vec();
                channels.sort();
                channels
            };
            if sorted(wanted) != sorted(&outcome.channels) {
                let found = if outcome.channels.is_empty() { self.instead() } else { outcome.channels.join(", ") };
                self.differs("channels", &wanted.join(", "), &found);
            }
        }
    }

    fn request(&mut self, expect: &Expectation) {
        let sent = self.outcome.sent.as_ref();
        let instead = self.instead();
        if let Some(authority) = &expect.authority {
            self.text("authority", authority, sent.map(|sent| sent.authority.as_str()), &instead);
        }
        if let Some(path) = &expect.path {
            self.text("path", path, sent.map(|sent| sent.path.as_str()), &instead);
        }
        self.headers("headers", &expect.headers, sent.map(|sent| &sent.headers));
        if let Some(timeout) = expect.timeout
            && self.outcome.timeout != Some(timeout)
        {
            let found = self.outcome.timeout.map_or_else(|| "none".to_owned(), |found| format!("{found:?}"));
            self.differs("timeout", &format!("{timeout:?}"), &found);
        }
        if let Some(retries) = expect.retries
            && self.outcome.retries != retries
        {
            self.differs("retries", &retries.to_string(), &self.outcome.retries.to_string());
        }
    }

    fn reply(&mut self, expect: &Expectation) {
        let reply = self.outcome.reply.as_ref();
        let instead = format!("{}, whose answer the test does not give (`upstream`)", self.outcome.summary());
        if let Some(status) = expect.status {
            let found = reply.map(|reply| reply.status.as_str().to_owned());
            self.text("status", status.as_str(), found.as_deref(), &instead);
        }
        if let Some(location) = &expect.location {
            let found = reply.and_then(|reply| reply.headers.get(http::header::LOCATION)).map(lossy);
            self.text("location", location, found.as_deref(), if reply.is_some() { "absent" } else { &instead });
        }
        match reply {
            None if !expect.response_headers.is_empty() => {
                self.differs("response-headers", "to be known", &instead);
            }
            reply => self.headers("response-headers", &expect.response_headers, reply.map(|reply| &reply.headers)),
        }
        if let Some(body) = &expect.body {
            let found = reply.map(|reply| String::from_utf8_lossy(&reply.body).into_owned());
            self.text("body", body, found.as_deref(), &instead);
        }
    }

    fn headers(&mut self, what: &str, expected: &[HeaderExpectation], found: Option<&HeaderMap>) {
        for HeaderExpectation { name, values } in expected {
            let Some(found) = found else {
                let wanted = values.as_ref().map_or_else(|| "absent".to_owned(), |values| values.join(", "));
                let instead = self.instead();
                self.differs(&format!("{what}.{name}"), &wanted, &instead);
                continue;
            };
            let found: Vec<String> = found.get_all(name).iter().map(lossy).collect();
            let wanted = values.clone().unwrap_or_default();
            if found != wanted {
                let shown = |values: &[String]| if values.is_empty() { "absent".to_owned() } else { values.join(", ") };
                self.differs(&format!("{what}.{name}"), &shown(&wanted), &shown(&found));
            }
        }
    }

    fn text(&mut self, what: &str, expected: &str, found: Option<&str>, otherwise: &str) {
        if found != Some(expected) {
            self.differs(what, expected, found.unwrap_or(otherwise));
        }
    }

    fn differs(&mut self, what: &str, expected: &str, found: &str) {
        let (what, expected, found) = (what.to_owned(), expected.to_owned(), found.to_owned());
        self.mismatches.push(Mismatch { what, expected, found });
    }

    fn instead(&self) -> String {
        format!("none: it was {}", self.outcome.summary())
    }
}

/// Whether a name is, or has as a part between boundaries of words, what was expected. What names of documents are made of
/// is no boundary: `default/order` is another one than `default/order-service`. The namespace may be left out.
fn names_part(name: &str, part: &str) -> bool {
    let in_word = |character: char| character.is_alphanumeric() || "-_.".contains(character);
    name.match_indices(part).any(|(at, _)| {
        let before = name.get(..at).and_then(|text| text.chars().next_back());
        let after = name.get(at + part.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(in_word) && !after.is_some_and(|after| in_word(after) || after == '/')
    })
}

fn join(targets: &[Target], between: &str) -> String {
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Reply, Sent};
    use bytes::Bytes;
    use http::StatusCode;

    fn target(text: &str) -> Target {
        Target::parse(text).unwrap()
    }

    fn sent_on() -> Outcome {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static("2"));
        Outcome {
            destination: Some(target("stock:80")),
            sent: Some(Sent { authority: "shop".into(), path: "/a?b".into(), headers }),
            ..Outcome::default()
        }
    }

    fn header(name: &'static str, values: Option<&[&str]>) -> HeaderExpectation {
        let values = values.map(|values| values.iter().map(ToString::to_string).collect());
        HeaderExpectation { name: http::HeaderName::from_static(name), values }
    }

    fn differences(expect: &Expectation, outcome: &Outcome) -> Vec<String> {
        let mismatches = compare(expect, outcome, &Names::default());
        mismatches.into_iter().map(|one| format!("{}: {} but {}", one.what, one.expected, one.found)).collect()
    }

    #[test]
    fn what_is_as_expected_differs_in_nothing() {
        let expect = Expectation {
            destination: Some(vec![target("other"), target("stock")]),
            path: Some("/a?b".into()),
            headers: vec![header("x-a", Some(&["1", "2"])), header("x-b", None)],
            ..Expectation::default()
        };
        assert_eq!(differences(&expect, &sent_on()), Vec::<String>::new());
    }

    #[test]
    fn each_difference_names_what_it_is_about() {
        let expect = Expectation {
            filter: Some("router".into()),
            destination: Some(vec![target("other:80")]),
            path: Some("/a".into()),
            headers: vec![header("x-a", None)],
            retries: Some(2),
            ..Expectation::default()
        };
        let expected = [
            "filter: router but none",
            "destination: other:80 but stock:80",
            "path: /a but /a?b",
            "headers.x-a: absent but 1, 2",
            "retries: 2 but 0",
        ];
        assert_eq!(differences(&expect, &sent_on()), expected);
    }

    #[test]
    fn an_answer_that_only_the_upstream_knows_is_not_guessed() {
        let expect = Expectation { status: Some(StatusCode::OK), ..Expectation::default() };
        let found = differences(&expect, &sent_on()).concat();
        assert!(found.starts_with("status: 200 but sent on to stock:80"), "{found}");
    }

    #[test]
    fn an_answer_of_the_proxy_is_no_destination() {
        let reply = Reply { status: StatusCode::NOT_FOUND, headers: HeaderMap::new(), body: Bytes::new() };
        let outcome = Outcome { reply: Some(reply), ..Outcome::default() };
        let expect = Expectation { destination: Some(vec![target("a")]), ..Expectation::default() };
        assert_eq!(differences(&expect, &outcome), ["destination: a but none: it was answered 404"]);
    }

    #[test]
    fn a_route_is_named_by_a_whole_part_of_its_name() {
        let name = "VirtualService default/shop, rule 12, match 1";
        for part in [name, "default/shop", "rule 12", "shop, rule 12"] {
            assert!(names_part(name, part), "{part}");
        }
        for part in ["rule 1", "default/sho", "hop"] {
            assert!(!names_part(name, part), "{part}");
        }
        let name = "VirtualService default/order-service_v1.0, rule 1";
        assert!(names_part(name, "default/order-service_v1.0"));
        for part in ["default/order", "service", "order-service", "default", "default/order-service", "v1", "0"] {
            assert!(!names_part(name, part), "{part}");
        }
    }
}
