//! Answers to browsers that ask across origins (Fetch, section "CORS protocol"), as Istio has Envoy give them.

use crate::code;
use crate::config::{CorsPolicy, StringMatch, UnmatchedPreflights};
use crate::duration;
use crate::header::is_token;
use crate::report::{Place, Report};
use crate::text::{Allowed, Pattern};
use crate::view::View;
use sluicegate_sdk::{Answer, Header, HeaderEdit, respond, set_header};

const METHODS: [&str; 10] = ["*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"];
const MILLISECONDS_PER_SECOND: u64 = 1000;

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";
const ALLOW_METHODS: &str = "access-control-allow-methods";
const ALLOW_HEADERS: &str = "access-control-allow-headers";
const EXPOSE_HEADERS: &str = "access-control-expose-headers";
const MAX_AGE: &str = "access-control-max-age";
const REQUEST_METHOD: &str = "access-control-request-method";
const REQUEST_HEADERS: &str = "access-control-request-headers";

/// A resolved policy.
#[derive(Debug)]
pub struct Cors {
    origins: Vec<Pattern>,
    methods: String,
    headers: String,
    exposed: String,
    /// In seconds.
    max_age: Option<u64>,
    credentials: bool,
    /// Whether a preflight of another origin is answered, too.
    answers_others: bool,
    /// Whether a preflight is told already what may be read of the response.
    exposes_early: bool,
}

/// What a policy of the Gateway API consists of.
#[derive(Debug, Default)]
pub struct Policy {
    /// Origins that may ask.
    pub origins: Vec<Pattern>,
    /// Methods that they may use.
    pub methods: Vec<String>,
    /// Headers that they may send.
    pub headers: Vec<String>,
    /// Headers that they may read.
    pub exposed: Vec<String>,
    /// How long a preflight counts, in seconds.
    pub max_age: u64,
    /// Whether they may send credentials.
    pub credentials: bool,
}

impl Cors {
    /// A policy of the Gateway API: every preflight is answered here.
    pub fn answering(policy: Policy) -> Self {
        Self {
            origins: policy.origins,
            methods: policy.methods.join(","),
            headers: policy.headers.join(","),
            exposed: policy.exposed.join(","),
            max_age: Some(policy.max_age),
            credentials: policy.credentials,
            answers_others: true,
            exposes_early: true,
        }
    }

    /// Resolves a policy as written at `place`.
    pub fn resolve(written: &CorsPolicy, place: &Place, report: &mut Report<'_>) -> Self {
        check_names(written, place, report);
        Self {
            origins: origins(written, place, report),
            methods: written.allow_methods.join(","),
            headers: written.allow_headers.join(","),
            exposed: written.expose_headers.join(","),
            max_age: max_age(written.max_age.as_ref(), &place.key("maxAge"), report),
            credentials: written.allow_credentials == Some(true),
            answers_others: written.unmatched_preflights == Some(UnmatchedPreflights::Ignore),
            exposes_early: false,
        }
    }

    /// The answer to a preflight; none when the request is not one, or is for the service to answer.
    pub fn preflight(&self, view: &View<'_>) -> Option<Answer> {
        if view.method() != "OPTIONS" {
            return None;
        }
        let origin = header(view, "origin")?;
        let method = header(view, REQUEST_METHOD)?;
        let allowed = self.allows(&origin);
        if !allowed && !self.answers_others {
            return None;
        }
        let mut answer = respond(200);
        if allowed {
            answer = answer.header(ALLOW_ORIGIN, origin);
        }
        if self.credentials {
            answer = answer.header(ALLOW_CREDENTIALS, "true");
        }
        if allowed && self.exposes_early && !self.exposed.is_empty() {
            answer = answer.header(EXPOSE_HEADERS, self.exposed.as_bytes());
        }
        let listed = [
            (ALLOW_METHODS, &self.methods, Some(method)),
            (ALLOW_HEADERS, &self.headers, header(view, REQUEST_HEADERS)),
        ];
        for (name, list, asked) in listed {
            // Alone, a star is what was asked for.
            let value = if list == "*" { asked } else { Some(list.clone().into_bytes()) };
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                answer = answer.header(name, value);
            }
        }
        if let Some(seconds) = self.max_age {
            answer = answer.header(MAX_AGE, seconds.to_string());
        }
        Some(answer)
    }

    /// What the response to any other request is told, in place of what the service says. Nothing when the origin is
    /// absent or not allowed.
    pub fn edits(&self, view: &View<'_>) -> Vec<HeaderEdit> {
        let Some(origin) = header(view, "origin").filter(|origin| self.allows(origin)) else { return Vec::new() };
        let mut edits = vec![set_header(ALLOW_ORIGIN, origin)];
        if self.credentials {
            edits.push(set_header(ALLOW_CREDENTIALS, "true"));
        }
        if !self.exposed.is_empty() {
            edits.push(set_header(EXPOSE_HEADERS, self.exposed.as_bytes()));
        }
        edits
    }

    /// The same on headers of the filter's own.
    pub fn apply(&self, headers: &mut Vec<Header>, view: &View<'_>) {
        for edit in self.edits(view) {
            if let HeaderEdit::Set(header) = edit {
                headers.retain(|known| known.name != header.name);
                headers.push(header);
            }
        }
    }

    /// A policy that matches `*` takes every origin, however it says so.
    fn allows(&self, origin: &[u8]) -> bool {
        self.origins.iter().any(|pattern| pattern.matches(b"*") || pattern.matches(origin))
    }
}

fn header(view: &View<'_>, name: &str) -> Option<Vec<u8>> {
    view.first_value(name).filter(|value| !value.is_empty())
}

fn origins(written: &CorsPolicy, place: &Place, report: &mut Report<'_>) -> Vec<Pattern> {
    if !written.allow_origin.is_empty() {
        let help = "use `allowOrigins` with `exact`";
        report.warning(&place.key("allowOrigin"), code::DEPRECATED, "`allowOrigin` is deprecated", help);
    }
    let mut origins = Vec::new();
    for (index, origin) in written.allow_origins.iter().enumerate() {
        let place = place.key("allowOrigins").index(index);
        origins.extend(Pattern::resolve(origin, Allowed::Value, &place, report));
    }
    for (index, origin) in written.allow_origin.iter().enumerate() {
        let exact = StringMatch { exact: Some(origin.clone()), ..StringMatch::default() };
        let place = place.key("allowOrigin").index(index);
        origins.extend(Pattern::resolve(&exact, Allowed::Value, &place, report));
    }
    origins
}

fn check_names(written: &CorsPolicy, place: &Place, report: &mut Report<'_>) {
    for (index, method) in written.allow_methods.iter().enumerate() {
        if !METHODS.contains(&method.as_str()) {
            let place = place.key("allowMethods").index(index);
            let help = "use a method of HTTP in capitals, or `*`";
            report.error(&place, code::POLICY_VALUE, format!("`{method}` is not a method"), help);
        }
    }
    for (list, member) in [(&written.allow_headers, "allowHeaders"), (&written.expose_headers, "exposeHeaders")] {
        for (index, name) in list.iter().enumerate().filter(|(_, name)| !is_token(name)) {
            let place = place.key(member).index(index);
            let message = format!("`{name}` is not the name of a header");
            report.error(&place, code::HEADER_NAME, message, "use letters, digits and hyphens, or `*`");
        }
    }
}

fn max_age(written: Option<&String>, place: &Place, report: &mut Report<'_>) -> Option<u64> {
    let milliseconds = duration::resolve(written, place, report)?;
    if milliseconds % MILLISECONDS_PER_SECOND != 0 {
        let message = "browsers count `maxAge` in whole seconds";
        report.error(place, code::DURATION, message, "write whole seconds, such as 24h or 90s");
    }
    Some(milliseconds / MILLISECONDS_PER_SECOND)
}
