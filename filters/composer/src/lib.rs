//! Composes one answer of several services' answers.
//!
//! An earlier filter, such as the router, says by the attribute `compose.destinations` that a request has several
//! destinations. This one has the host call all of them in parallel ([`gather`]) and makes one JSON object of what they
//! answer ([`mod@merge`]): the good parts under the services' names, the failed ones in `errors`. It knows nothing of
//! routes and claims no resource kind. The README states the rule in full.

pub mod cache;
pub mod config;
pub mod merge;
pub mod part;
pub mod route;

use config::Settings;
use part::CallLimits;
use route::Named;
use sluicegate_sdk::prelude::*;

/// Request headers that would make a part something else than a whole, plain JSON body, that speak of a body which the
/// calls do not have, or that belong to the client's connection.
const NOT_PASSED_ON: [&str; 18] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Request headers that the host gives to every call by itself: a second one would make them ambiguous, and let a client
/// speak for the proxy.
const GIVEN_BY_THE_HOST: [&str; 7] =
    ["traceparent", "tracestate", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"];

/// What may be composed: the methods that ask for something and change nothing.
const ALLOWED: &str = "GET, HEAD";

/// The filter.
#[derive(Debug)]
pub struct Composer {
    settings: Settings,
}

impl Configure for Composer {
    type Settings = Settings;

    fn configure(_: &Environment, settings: Settings, _: &[Resource], diagnostics: &mut Diagnostics) -> Self {
        settings.check(diagnostics);
        Self { settings }
    }
}

impl RequestFilter for Composer {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        let destinations = match route::destinations(request) {
            Ok(None) => return next().into(),
            Ok(Some(destinations)) => destinations,
            Err(reason) => return respond(500).text(reason).into(),
        };
        if !composable(&request.method()) {
            let reason = "several services answer here, so only GET and HEAD are possible";
            return respond(405).header("allow", ALLOWED).text(reason).into();
        }
        self.plan(request, &destinations).into()
    }
}

impl GatherFilter for Composer {
    type State = ();

    fn on_gathered(&self, request: &Request<'_>, (): (), outcomes: Outcomes) -> RequestDecision {
        merge::merge(outcomes.as_slice(), self.limits(request)).into()
    }
}

impl Explain for Composer {
    fn explain(&self, request: &Request<'_>) -> Explanation {
        let nothing = |summary: String| Explanation { summary, candidates: Vec::new() };
        let destinations = match route::destinations(request) {
            Ok(None) => return nothing("nothing to compose: the route has at most one destination".to_owned()),
            Ok(Some(destinations)) => destinations,
            Err(reason) => return nothing(format!("answers 500: {reason}")),
        };
        if !composable(&request.method()) {
            return nothing(format!("answers 405: {} cannot be composed, {ALLOWED} can", request.method()));
        }
        self.explain_plan(request, &destinations)
    }
}

impl Composer {
    /// One GET for each destination. None is required: what fails is told beside what does not.
    fn plan(&self, request: &Request<'_>, destinations: &[Named]) -> Plan {
        let path = request.path_and_query();
        let mut headers = request.headers();
        headers.retain(|header| passed_on(&header.name));
        let limits = self.limits(request);
        destinations.iter().fold(gather().deadline(self.total_deadline(request)), |plan, destination| {
            let mut call = call(&destination.name, destination.destination(), &path).optional();
            call.headers.clone_from(&headers);
            plan.call(call.header("accept-encoding", "identity").deadline(limits.deadline).max_body(limits.max_part))
        })
    }

    fn explain_plan(&self, request: &Request<'_>, destinations: &[Named]) -> Explanation {
        let limits = self.limits(request);
        let candidate = |destination: &Named| Candidate {
            name: format!("part {}", destination.name),
            origin: String::new(),
            chosen: true,
            reason: format!(
                "GET {} from {}, at most {} ms and {} bytes",
                request.path_and_query(),
                destination.full_name(),
                limits.deadline,
                limits.max_part
            ),
        };
        let candidates: Vec<Candidate> = destinations.iter().map(candidate).collect();
        let total = self.total_deadline(request);
        let summary = format!("composes {} parts, called in parallel within {total} ms", candidates.len());
        Explanation { summary, candidates }
    }

    fn total_deadline(&self, request: &Request<'_>) -> u64 {
        route::timeout(request).unwrap_or(self.settings.total_deadline)
    }

    /// No call outlives the whole.
    fn limits(&self, request: &Request<'_>) -> CallLimits {
        let deadline = self.settings.call_deadline.min(self.total_deadline(request));
        CallLimits { deadline, max_part: self.settings.max_part }
    }
}

fn passed_on(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !NOT_PASSED_ON.contains(&name.as_str()) && !GIVEN_BY_THE_HOST.contains(&name.as_str())
}

fn composable(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

sluicegate_sdk::export!(
    Composer,
    hooks: [configuration, request, gather, explain],
    priority: -200,
    settings: "../settings.schema.json",
);

#[cfg(test)]
mod tests;
