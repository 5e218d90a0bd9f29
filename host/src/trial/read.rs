//! From the text of a file to its tests, with everything that is wrong at its place.

use super::case::{Case, Expectation, HeaderExpectation, Reply, Suite, Target};
use super::file::{Expect, File, Listener, OneOrMany, Test, Upstream};
use crate::admin::view::{ExplainListener, ExplainRequest};
use crate::config::quantity;
use crate::manifest::node::{Node, step};
use crate::manifest::schema::Schema;
use crate::manifest::{Diagnostic, Diagnostics, Location, Source, codes, yaml};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

/// The shape of a file.
const SCHEMA: &str = include_str!("routes.schema.json");

/// Reads a file of tests. What is wrong goes to `diagnostics`, and then there is no suite.
pub fn read(path: &Path, text: String, diagnostics: &mut Diagnostics) -> Option<Suite> {
    let mut own = Diagnostics::new();
    let suite = read_alone(path, text, &mut own);
    diagnostics.extend(own.iter().cloned());
    suite
}

/// The same, with nothing but its own mistakes in `diagnostics`.
fn read_alone(path: &Path, text: String, diagnostics: &mut Diagnostics) -> Option<Suite> {
    let source = Arc::new(Source::new(path, text));
    let mut documents = yaml::parse(&source, diagnostics).into_iter();
    let Some(root) = documents.next() else {
        if !diagnostics.has_errors() {
            let error = Diagnostic::error(codes::MISSING_FIELD, "the file holds no tests");
            diagnostics.push(error.at(Location::file(path)));
        }
        return None;
    };
    let mut reader = Reader { source: &source, root: &root, diagnostics };
    if let Some(second) = documents.next() {
        let error = Diagnostic::error(codes::WRONG_TYPE, "a file of tests is one document, and this is the second");
        reader.diagnostics.push(error.in_source(&source, second.span).help("put its tests into the first one's list"));
    }
    let file = reader.file()?;
    let cases = file.tests.into_iter().enumerate().map(|(index, test)| reader.case(index, test)).collect();
    let directory = path.parent().unwrap_or(Path::new(""));
    let manifests = file.manifests.iter().map(|manifest| directory.join(manifest)).collect();
    (!diagnostics.has_errors()).then_some(Suite { manifests, cases })
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    root: &'a Node,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// The file as it is written, unless its shape is wrong.
    fn file(&mut self) -> Option<File> {
        let schema = serde_json::from_str(SCHEMA).map_err(|error| error.to_string());
        let schema = schema.and_then(|text| Schema::compile("tests", text).map_err(|error| error.message));
        let value = self.root.to_value();
        match schema {
            Ok(schema) => schema.findings(&value).into_iter().for_each(|finding| {
                let found = self.root.find(&finding.pointer);
                let span = found.key.filter(|_| finding.key).unwrap_or_else(|| found.place());
                self.diagnostics.push(finding.diagnostic().in_source(self.source, span));
            }),
            Err(defect) => self.diagnostics.push(Diagnostic::error(codes::BAD_SCHEMA, defect)),
        }
        if self.diagnostics.has_errors() {
            return None;
        }
        let parsed = serde_json::from_value(value);
        parsed.map_err(|error| self.refuse("", error.to_string(), None)).ok()
    }

    fn case(&mut self, index: usize, test: Test) -> Case {
        let at = format!("/tests/{index}");
        let request = self.request(&at, &test);
        let location = Location::new(self.source, self.root.find(&at).node.span);
        Case {
            name: test.name.unwrap_or_else(|| test.request.clone()),
            location,
            request,
            upstream: test.upstream.map(|upstream| self.reply(&format!("{at}/upstream"), upstream)),
            expect: self.expectation(&format!("{at}/expect"), test.expect),
        }
    }

    fn request(&mut self, at: &str, test: &Test) -> ExplainRequest {
        let line = test.request.trim();
        let (method, url) = line.split_once(' ').map_or(("GET", line), |(method, url)| (method, url.trim()));
        let headers: Vec<(String, String)> = pairs(&test.headers).collect();
        for (name, value) in &headers {
            self.header(&step(&format!("{at}/headers"), name), name, value);
        }
        let line = ExplainRequest { method: method.into(), url: url.into(), ..ExplainRequest::default() };
        if let Err(mistake) = line.to_head() {
            let help = "write method and URL, such as `GET http://shop/orders?page=2`";
            self.refuse(&format!("{at}/request"), mistake, Some(help));
        }
        let listener = test.listener.as_ref().map(listener).unwrap_or_default();
        if let Err(mistake) = listener.check() {
            self.refuse(&format!("{at}/listener/sni"), mistake, None);
        }
        ExplainRequest { headers, body: test.body.clone(), listener, ..line }
    }

    fn reply(&mut self, at: &str, upstream: Upstream) -> Reply {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs(&upstream.headers) {
            if let Some((name, value)) = self.header(&step(&format!("{at}/headers"), &name), &name, &value) {
                headers.append(name, value);
            }
        }
        Reply { status: status(upstream.status).unwrap_or(StatusCode::OK), headers, body: upstream.body.into() }
    }

    fn expectation(&mut self, at: &str, expect: Expect) -> Expectation {
        let destination = expect.destination.map(|destination| match destination {
            OneOrMany::One(text) => vec![self.target(&format!("{at}/destination"), &text)],
            OneOrMany::Many(texts) => self.targets(&format!("{at}/destination"), &texts),
        });
        let found_before = self.diagnostics.len();
        let read = Expectation {
            filter: expect.filter,
            route: expect.route,
            destination: destination.map(|targets| targets.into_iter().flatten().collect()),
            calls: expect
                .calls
                .map(|calls| self.targets(&format!("{at}/calls"), &calls).into_iter().flatten().collect()),
            channels: expect.channels,
            authority: expect.authority,
            path: expect.path,
            headers: self.headers(&format!("{at}/headers"), &expect.headers),
            timeout: expect.timeout.and_then(|timeout| self.duration(&format!("{at}/timeout"), &timeout)),
            retries: expect.retries,
            status: status(expect.status),
            location: expect.location,
            response_headers: self.headers(&format!("{at}/response-headers"), &expect.response_headers),
            body: expect.body,
        };
        // What is written and wrong is not nothing.
        if read == Expectation::default() && self.diagnostics.len() == found_before {
            let help = "say at least one thing, such as `status: 200` or `destination: shop:80`";
            self.refuse(at, "a test that expects nothing cannot fail".into(), Some(help));
        }
        read
    }

    fn targets(&mut self, at: &str, texts: &[String]) -> Vec<Option<Target>> {
        texts.iter().enumerate().map(|(index, text)| self.target(&format!("{at}/{index}"), text)).collect()
    }

    fn target(&mut self, at: &str, text: &str) -> Option<Target> {
        let help = "write the service's name, and a port or subset if they matter: `shop`, `shop:80`, `shop:80/v2`";
        Target::parse(text).map_err(|mistake| self.refuse(at, mistake, Some(help))).ok()
    }

    fn duration(&mut self, at: &str, text: &str) -> Option<std::time::Duration> {
        quantity::duration(text).map_err(|mistake| self.refuse(at, mistake.message, mistake.help.as_deref())).ok()
    }

    fn headers(&mut self, at: &str, headers: &Map<String, Value>) -> Vec<HeaderExpectation> {
        let one = |(name, value): (&String, &Value)| {
            let values = (!value.is_null()).then(|| values(value).collect());
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
                self.refuse(&step(at, name), format!("`{name}` is not a header name"), None);
                return None;
            };
            Some(HeaderExpectation { name, values })
        };
        headers.iter().filter_map(one).collect()
    }

    fn header(&mut self, at: &str, name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header name"));
        let parsed = parsed.and_then(|parsed| match HeaderValue::from_str(value) {
            Ok(value) => Ok((parsed, value)),
            Err(_) => Err(format!("the value of `{name}` has characters that no header value may have")),
        });
        parsed.map_err(|mistake| self.refuse(at, mistake, None)).ok()
    }

    fn refuse(&mut self, pointer: &str, message: String, help: Option<&str>) {
        let error = Diagnostic::error(codes::OUT_OF_BOUNDS, message);
        let error = error.in_source(self.source, self.root.find(pointer).place());
        self.diagnostics.push(match help {
            Some(help) => error.help(help),
            None => error,
        });
    }
}

fn listener(written: &Listener) -> ExplainListener {
    match written {
        Listener::Port(port) => ExplainListener { port: Some(*port), ..ExplainListener::default() },
        Listener::Named { port, sni, mesh } => ExplainListener { port: *port, sni: sni.clone(), mesh: *mesh },
    }
}

fn status(number: Option<u16>) -> Option<StatusCode> {
    number.and_then(|number| StatusCode::from_u16(number).ok())
}

fn pairs(headers: &Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    headers.iter().flat_map(|(name, value)| values(value).map(|value| (name.clone(), value)))
}

/// A text or a list of texts.
fn values(value: &Value) -> impl Iterator<Item = String> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter_map(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Vec<String> {
        let mut diagnostics = Diagnostics::new();
        assert!(read(Path::new("routes.yaml"), text.into(), &mut diagnostics).is_none());
        diagnostics.lines()
    }

    #[test]
    fn a_test_is_a_request_and_what_is_expected_of_it() {
        let text = "
manifests: [manifests]
tests:
- request: http://shop/orders
  headers: {x-user: [ada, bob]}
  expect: {destination: [a, 'b:80'], headers: {x-gone: null}, timeout: 5s}
- {name: moved, request: POST http://shop/old, listener: 8080, expect: {status: 301}}
- {request: https://shop/, listener: {port: 443, sni: a.shop}, expect: {status: 421}}
- {request: http://shop/, listener: {mesh: true}, expect: {status: 200}}
";
        let mut diagnostics = Diagnostics::new();
        let suite = read(Path::new("ci/routes.yaml"), text.into(), &mut diagnostics).expect("it is a file of tests");
        assert_eq!(suite.manifests, [Path::new("ci/manifests")]);
        let [first, second, third, fourth] = suite.cases.as_slice() else { panic!("four tests") };
        assert_eq!((first.name.as_str(), first.request.method.as_str()), ("http://shop/orders", "GET"));
        assert_eq!(first.request.headers.len(), 2);
        assert_eq!(first.location.to_string(), "ci/routes.yaml:4:3");
        assert_eq!(first.expect.destination.as_ref().map(Vec::len), Some(2));
        assert_eq!(first.expect.headers[0].values, None);
        assert_eq!(first.expect.timeout, Some(std::time::Duration::from_secs(5)));
        assert_eq!((second.name.as_str(), second.request.method.as_str()), ("moved", "POST"));
        let listeners = [first, second, third, fourth].map(|case| case.request.listener.clone());
        let named = |port, sni: Option<&str>, mesh| ExplainListener { port, sni: sni.map(str::to_owned), mesh };
        let meant =
            [(None, None, false), (Some(8080), None, false), (Some(443), Some("a.shop"), false), (None, None, true)];
        assert_eq!(listeners, meant.map(|(port, sni, mesh)| named(port, sni, mesh)));
    }

    #[test]
    fn mistakes_have_their_places_and_what_was_likely_meant() {
        let lines = refused("tests:\n- request: GET http://a/\n  expect:\n    statsu: 200\n");
        assert_eq!(lines, ["routes.yaml:4:5: error[SG0110]: unknown field `statsu`"]);
        let lines = refused("tests:\n- request: GET shop\n  expect: {destination: 'a:x', timeout: 5}\n");
        assert!(lines[0].starts_with("routes.yaml:3:"), "{lines:?}");
        let lines = refused("tests:\n- request: GET /orders\n  expect: {destination: 'a:x', timeout: '5'}\n");
        assert_eq!(lines.len(), 3, "{lines:?}");
        let ip = refused("tests:\n- request: https://shop/\n  listener: {sni: 10.0.0.1}\n  expect: {status: 200}\n");
        assert!(ip[0].starts_with("routes.yaml:3:19:") && ip[0].contains("not a server name"), "{ip:?}");
        assert!(lines[0].starts_with("routes.yaml:2:12:") && lines[0].contains("has no scheme"), "{lines:?}");
    }

    #[test]
    fn a_test_that_cannot_fail_is_none() {
        let lines = refused("tests:\n- request: GET http://a/\n  expect: {}\n");
        assert_eq!(lines, ["routes.yaml:3:3: error[SG0115]: a test that expects nothing cannot fail"]);
        let two = refused("tests:\n- {request: GET http://a/, expect: {}}\n- {request: GET http://a/, expect: {}}\n");
        assert_eq!(two.len(), 2, "{two:?}");
        assert!(refused("")[0].contains("holds no tests"));
        assert!(refused("tests: []\n")[0].starts_with("routes.yaml:1:1:"));
    }
}
