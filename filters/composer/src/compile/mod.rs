//! Makes a composition of a document, or says everything that is wrong with the document.

mod bodies;
mod call;
mod choice;
mod condition;
mod header;
mod matching;
mod policy;
mod response;
mod stages;
mod status;

pub use header::is_control;
pub use matching::check_conflict;

use crate::code;
use crate::composition::{Call, Composition};
use crate::config::Settings;
use crate::document::{self, Spec};
use crate::expected;
use crate::part::Slot;
use crate::pattern::is_name;
use crate::report::{Place, Report};
use crate::schema::Shape;
use crate::template::Source;
use crate::template::build::{NODES, Position};
use crate::template::resolve::{CallName, ERRORS, Names, REQUEST_NAME, Use};
use serde_json::Value;
use sluicegate_sdk::{Environment, Resource};

/// Calls of a composition: a page is made of a few, and each costs its services something for every request.
const CALLS: usize = 32;
/// Names that mean something else in templates.
const RESERVED: [&str; 5] = [ERRORS, REQUEST_NAME, "true", "false", "null"];
/// The largest body of a request that is taken in, in bytes: what the host keeps for a filter that asks for it.
const REQUEST_BODY: u64 = 256 << 10;

/// What a document is compiled with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Names that stand in for what documents leave out.
    pub environment: &'a Environment,
    /// The operator's defaults.
    pub settings: &'a Settings,
}

/// A document while it is compiled.
struct Compiler<'a> {
    context: Context<'a>,
    namespace: &'a str,
    names: Names,
}

/// A call with all that it uses.
struct Compiled {
    call: Call,
    /// What its templates and conditions use.
    uses: Vec<Use>,
    /// Calls that come before it although it uses nothing of them.
    after: Vec<usize>,
    /// Whether it may have no answer although the composition goes on.
    may_be_absent: bool,
}

/// Makes a composition of a document; none when something is wrong with it.
pub fn composition(resource: &Resource, context: Context<'_>, report: &mut Report<'_>) -> Option<Composition> {
    let spec = resource.value().get_mut("spec").map(serde_json::Value::take).unwrap_or_default();
    let spec: Spec = match serde_json::from_value(spec) {
        Ok(spec) => spec,
        Err(error) => {
            let help = "compare the resource with the composer's README";
            report.error(&Place::spec(), code::UNREADABLE, error.to_string(), help);
            return None;
        }
    };
    let matching = matching::resolve(&spec, &resource.namespace, context.environment, report);
    let names = names(&spec, matching.as_ref().map(|matching| matching.path.parameters()), report);
    let compiler = Compiler { context, namespace: &resource.namespace, names };
    let mut calls = compiler.calls(&spec, report);
    let slots = slots(&spec, &calls);
    let answer = compiler.response(&spec, &calls, report);
    stages::check_presence(&spec, &calls, report);
    let stages = stages::stages(&spec, &calls, report);
    bodies::assign(&mut calls, &answer.uses, answer.response.etag);
    if report.errors() == 0 {
        bodies::warn_of_unused(&spec, &calls, &answer.uses, report);
    }
    let uses_body =
        calls.iter().flat_map(|call| &call.uses).chain(&answer.uses).any(|used| used.source == Source::Body);
    let request_body = uses_body.then(|| spec.request_body.max_bytes.unwrap_or(REQUEST_BODY));
    let deadline = status::duration(spec.deadline.as_deref(), &Place::spec().key("deadline"), report);
    if report.errors() > 0 {
        return None;
    }
    let (stages, response, kept_headers) = (stages?, answer.response, kept_headers(&calls, &answer.uses));
    let calls: Vec<Call> = calls.into_iter().map(|compiled| compiled.call).collect();
    let expected = expected::answer(&calls, &slots, stages.len(), &response);
    Some(Composition {
        name: format!("{}/{}", resource.namespace, resource.name),
        origin: resource.origin.clone(),
        matching: matching?,
        request_body,
        deadline: deadline.unwrap_or(context.settings.total_deadline),
        slots,
        stages,
        kept_headers,
        calls,
        response,
        expected,
    })
}

/// The names that templates may use, each checked.
fn names(spec: &Spec, path: Option<Vec<String>>, report: &mut Report<'_>) -> Names {
    let place = Place::spec().key("calls");
    if spec.calls.0.is_empty() {
        let help = "write at least one: `calls: {order: {service: order-service, path: /orders}}`";
        report.error(&Place::spec(), code::NO_CALLS, "the composition makes no call", help);
    }
    if spec.calls.0.len() > CALLS {
        let message = format!("{} calls, more than {CALLS}", spec.calls.0.len());
        report.error(&place, code::LIMIT, message, "let a service combine what belongs together");
    }
    let mut calls = Vec::new();
    for (name, call) in &spec.calls {
        let place = place.key(name);
        if RESERVED.contains(&name.as_str()) {
            let message = format!("`{name}` means something else in templates");
            report.error(&place, code::NAME, message, "choose another name for the call");
        } else if !is_name(name) {
            let help = "a name begins with a letter and has letters, digits, `_` and `-`";
            report.error(&place, code::NAME, format!("`{name}` cannot be the name of a call"), help);
        }
        let known = call.schema.as_ref().map_or(Shape::Any, |schema| Shape::read(schema, &place.key("schema"), report));
        let several = call.for_each.is_some() || call.quorum.is_some();
        let shape = if several { Shape::List(Box::new(known)) } else { known };
        calls.push(CallName { name: name.clone(), shape, single: !several });
    }
    let body_place = Place::spec().key("requestBody");
    let body = spec.request_body.schema.as_ref().map(|schema| Shape::read(schema, &body_place.key("schema"), report));
    if spec.request_body.max_bytes.is_some_and(|max| max == 0 || max > REQUEST_BODY) {
        let message = format!("the body of a request has 1 to {REQUEST_BODY} bytes");
        report.error(&body_place.key("maxBytes"), code::LIMIT, message, "leave it out for the largest");
    }
    Names { path: path.unwrap_or_default(), body, calls }
}

/// Headers of answers that templates speak of.
fn kept_headers(calls: &[Compiled], answer: &[Use]) -> Vec<String> {
    let uses = calls.iter().flat_map(|compiled| &compiled.uses).chain(answer);
    uses.filter_map(|used| if let Source::CallHeader(_, name) = &used.source { Some(name.clone()) } else { None })
        .collect()
}

fn slots(spec: &Spec, calls: &[Compiled]) -> Vec<Slot> {
    let in_set = |index: usize| {
        calls.iter().position(|other| matches!(&other.call, Call::Choice(choice) if choice.members.contains(&index)))
    };
    let slot = |(index, (name, call)): (usize, &(String, document::Call))| Slot {
        name: name.clone(),
        default: call.default.as_ref().map(Value::to_string),
        set: in_set(index),
    };
    spec.calls.0.iter().enumerate().map(slot).collect()
}

impl Compiler<'_> {
    fn calls(&self, spec: &Spec, report: &mut Report<'_>) -> Vec<Compiled> {
        let place = Place::spec().key("calls");
        let mut calls = Vec::new();
        for (name, call) in &spec.calls {
            let place = place.key(name);
            calls.push(match (&call.first_of, &call.quorum) {
                (None, None) => self.service_call(call, &place, report),
                _ => self.choice(name, call, spec, &place, report),
            });
        }
        calls
    }

    /// The number of a call by its name.
    fn call_named(&self, name: &str, place: &Place, report: &mut Report<'_>) -> Option<usize> {
        let found = self.names.calls.iter().position(|call| call.name == name);
        if found.is_none() {
            let help = crate::report::did_you_mean(name, self.names.calls.iter().map(|call| call.name.as_str()));
            report.error(place, code::UNKNOWN_NAME, format!("there is no call `{name}`"), help);
        }
        found
    }
}

/// Templates of calls are looked at; only the answer may take over what nobody has seen.
const IN_CALLS: Position = Position::Inside;

/// Says that there are too many parts of templates in the whole composition; each place alone is checked where it is read.
fn check_size(nodes: usize, place: &Place, report: &mut Report<'_>) {
    if nodes > NODES {
        let message = format!("the templates have more than {NODES} parts");
        report.error(place, code::LIMIT, message, "let a service make an answer as large as this");
    }
}
