//! What an earlier filter asks for: the destinations to compose, under the names that their parts get.

use crate::composition::{Call, Composition, Matching, PassedHeaders, Path, Response, ServiceCall, Status};
use crate::config::Settings;
use crate::expected;
use crate::part::{Body, CallLimits, Slot};
use crate::pattern::Pattern;
use crate::template::{Chain, Node, Source};
use serde::Deserialize;
use sluicegate_sdk::json;
use sluicegate_sdk::{Destination, Request};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A JSON array of [`Named`] destinations. A request without this attribute is not composed.
pub const DESTINATIONS: &str = "compose.destinations";
/// The route's timeout in milliseconds. Optional.
pub const TIMEOUT: &str = "compose.timeout";
/// The member of the answer that tells of failed parts, which no part may be called.
pub const ERRORS: &str = "errors";

/// One destination as it stands in the attribute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Named {
    /// The short name of the service.
    name: String,
    /// The full name of the service.
    host: String,
    /// The port, if the route gives one.
    port: Option<u16>,
    /// The subset, if the route gives one.
    subset: Option<String>,
}

impl Named {
    /// A name that sets this destination apart from every other: the host, with `:port` and `/subset` where it has one.
    fn full_name(&self) -> String {
        match (self.port, &self.subset) {
            (None, None) if self.host == ERRORS => format!("{ERRORS}:*"),
            (None, None) => self.host.clone(),
            (Some(port), None) => format!("{}:{port}", self.host),
            (None, Some(subset)) => format!("{}/{subset}", self.host),
            (Some(port), Some(subset)) => format!("{}:{port}/{subset}", self.host),
        }
    }

    /// Where the host sends the call.
    fn destination(&self) -> Destination {
        Destination { host: self.host.clone(), port: self.port, subset: self.subset.clone() }
    }
}

/// The destinations of an attribute, each with a name of its own.
fn destinations(text: &str) -> Result<Vec<Named>, String> {
    let destinations: Vec<Named> =
        serde_json::from_str(text).map_err(|error| format!("the attribute {DESTINATIONS} does not fit: {error}"))?;
    if destinations.is_empty() {
        return Err(format!("the attribute {DESTINATIONS} names no destination"));
    }
    Ok(with_own_names(destinations))
}

/// The route's timeout in milliseconds. One that is not a number, or 0, counts as none: every wait has a deadline.
fn timeout(request: &Request<'_>) -> Option<u64> {
    request.attribute(TIMEOUT)?.parse().ok().filter(|&milliseconds| milliseconds > 0)
}

/// What routes come to. There are as many as the operator has written, so each is worked out once.
#[derive(Debug, Default)]
pub struct Routes(RefCell<HashMap<Written, Rc<Composition>>>);

/// A route as its attributes have it: its destinations, and its timeout in milliseconds.
type Written = (String, Option<u64>);

/// So many are kept. An earlier filter that makes routes up for each request gains nothing, and costs no more memory.
const KEPT: usize = 1024;

impl Routes {
    /// What is composed for a request; nothing when its route has at most one destination.
    ///
    /// # Errors
    /// When the attribute is not what this filter understands, as a sentence for whoever wrote the other filter.
    pub fn composition(&self, request: &Request<'_>, settings: &Settings) -> Result<Option<Rc<Composition>>, String> {
        let Some(text) = request.attribute(DESTINATIONS) else { return Ok(None) };
        let key = (text, timeout(request));
        let mut kept = self.0.borrow_mut();
        if let Some(known) = kept.get(&key) {
            return Ok(Some(Rc::clone(known)));
        }
        let made = Rc::new(composition(&destinations(&key.0)?, key.1, settings));
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, Rc::clone(&made));
        Ok(Some(made))
    }
}

/// What a route with several destinations comes to: one GET of each with the request's own path, query and headers. None is
/// required: what fails is told beside what does not.
fn composition(destinations: &[Named], timeout: Option<u64>, settings: &Settings) -> Composition {
    let deadline = timeout.unwrap_or(settings.total_deadline);
    let limits = CallLimits {
        deadline: settings.call_deadline.min(deadline),
        max_part: settings.max_part,
        accept: vec![(200, 299)],
    };
    let calls = destinations.iter().map(|destination| Call::Service(Box::new(call(destination, limits.clone()))));
    let slot = |destination: &Named| Slot { name: destination.name.clone(), default: None, set: None };
    let part = |(index, destination): (usize, &Named)| {
        (json::string(&destination.name), Node::Value(Chain::of(Source::CallBody(index))))
    };
    let errors = (json::string(ERRORS), Node::Value(Chain::of(Source::Errors)));
    let body = Node::Object(destinations.iter().enumerate().map(part).chain([errors]).collect());
    let calls: Vec<Call> = calls.collect();
    let slots: Vec<Slot> = destinations.iter().map(slot).collect();
    let response = Response { status: Status::ByParts, headers: Vec::new(), body, etag: false, vary: Vec::new() };
    let expected = expected::answer(&calls, &slots, 1, &response);
    Composition {
        name: String::new(),
        origin: String::new(),
        matching: Matching {
            hosts: Vec::new(),
            methods: Vec::new(),
            path: Pattern::default(),
            written_path: String::new(),
            headers: Vec::new(),
        },
        request_body: None,
        deadline,
        calls,
        slots,
        stages: vec![(0..destinations.len()).collect()],
        response,
        kept_headers: Vec::new(),
        expected,
    }
}

fn call(destination: &Named, limits: CallLimits) -> ServiceCall {
    ServiceCall {
        destination: destination.destination(),
        method: "GET".to_owned(),
        path: Path::Requests,
        query: Vec::new(),
        headers: Vec::new(),
        pass: PassedHeaders::All,
        body: None,
        each: None,
        when: None,
        required: false,
        limits,
        pass_on: Vec::new(),
        retries: None,
        cache: None,
        body_use: Body::Host,
    }
}

/// Drops repeated destinations and gives those whose short name is not theirs alone, or is [`ERRORS`], their full name.
fn with_own_names(destinations: Vec<Named>) -> Vec<Named> {
    let mut distinct: Vec<Named> = Vec::with_capacity(destinations.len());
    for destination in destinations {
        if !distinct.iter().any(|known| known.full_name() == destination.full_name()) {
            distinct.push(destination);
        }
    }
    let mut uses: HashMap<String, usize> = HashMap::from([(ERRORS.to_owned(), 1)]);
    for destination in &distinct {
        *uses.entry(destination.name.clone()).or_default() += 1;
    }
    for destination in &mut distinct {
        if uses.get(&destination.name).is_some_and(|&uses| uses > 1) {
            destination.name = destination.full_name();
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::TestRequest;

    fn names(attribute: &str) -> Vec<String> {
        let destinations = destinations(attribute).expect("it fits");
        destinations.into_iter().map(|destination| destination.name).collect()
    }

    #[test]
    fn parts_stand_under_their_short_names_in_the_order_of_the_route() {
        let attribute = r#"[{"name":"order-service","host":"order-service.default.svc.cluster.local","port":80,"subset":null},
                            {"name":"inventory-service","host":"inventory-service.default.svc.cluster.local"}]"#;
        assert_eq!(names(attribute), ["order-service", "inventory-service"]);
    }

    #[test]
    fn services_of_one_short_name_stand_under_their_full_names() {
        let attribute = r#"[{"name":"shop","host":"shop.a.svc","port":80},{"name":"shop","host":"shop.b.svc"},
                            {"name":"shop","host":"shop.b.svc","subset":"v2"},{"name":"stock","host":"stock.a.svc"}]"#;
        assert_eq!(names(attribute), ["shop.a.svc:80", "shop.b.svc", "shop.b.svc/v2", "stock"]);
    }

    #[test]
    fn a_service_called_errors_stands_under_its_full_name() {
        assert_eq!(names(r#"[{"name":"errors","host":"errors","port":80}]"#), ["errors:80"]);
        assert_eq!(names(r#"[{"name":"errors","host":"errors"}]"#), ["errors:*"]);
    }

    #[test]
    fn a_destination_written_twice_is_called_once() {
        let twice = r#"[{"name":"a","host":"a.svc","port":80},{"name":"a","host":"a.svc","port":80}]"#;
        assert_eq!(names(twice), ["a"]);
    }

    #[test]
    fn an_attribute_that_does_not_fit_is_refused() {
        for attribute in ["", "[]", "{}", r#"[{"name":"a"}]"#, r#"[{"name":"a","host":"a","port":70000}]"#] {
            let refused = destinations(attribute).expect_err(attribute);
            assert!(refused.contains(DESTINATIONS), "{refused}");
        }
    }

    #[test]
    fn a_timeout_counts_only_when_it_is_a_duration() {
        let timeout = |value: &str| timeout(&TestRequest::get("/").attribute(TIMEOUT, value).request());
        assert_eq!(timeout("250"), Some(250));
        for value in ["0", "", "-1", "5s"] {
            assert_eq!(timeout(value), None, "{value}");
        }
    }
}
