//! What becomes of a request, as far as that can be said without a socket.

use super::case::{Case, Reply, Target};
use crate::body::ProxyBody;
use crate::chain::{Answered, Publishing, Step, TraceStep};
use crate::error::RequestError;
use crate::explain::{Traced, arrive, trace};
use crate::grpc::{self, Call};
use crate::request::{RequestHead, RequestId, split_authority};
use crate::respond;
use crate::snapshot::Snapshot;
use crate::wasm::types;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Method, Response};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// What becomes of a request.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The filter that settled it; none when no filter did.
    pub filter: Option<String>,
    /// What the filter chose.
    pub route: Option<Route>,
    /// Why, in the words of the filter that was asked last.
    pub reason: String,
    /// Where it is sent.
    pub destination: Option<Target>,
    /// The calls that it is composed of.
    pub calls: Vec<Target>,
    /// The channels that it is published to.
    pub channels: Vec<String>,
    /// The request as the upstream gets it.
    pub sent: Option<Sent>,
    /// For the whole exchange.
    pub timeout: Option<Duration>,
    /// How often it is tried again at most.
    pub retries: u32,
    /// What the client gets; none when that is up to the upstream, or to an event that answers.
    pub reply: Option<Reply>,
    /// Why filters failed, whether the request went on or not.
    pub failures: Vec<String>,
}

/// What a filter chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Such as `VirtualService default/shop, rule 2, match 1`.
    pub name: String,
    /// `file:line`.
    pub origin: String,
}

/// A request as the upstream gets it, but for what every request gets (`via`, `x-forwarded-for` and the like).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The authority.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
}

/// Takes a test's request through the chain of a snapshot.
///
/// # Errors
/// With what is wrong with the request.
pub fn run(snapshot: &Snapshot, case: &Case) -> Result<Outcome, String> {
    let mut head = Box::new(arrive(&snapshot.gateway_ports, &case.request)?);
    head.id = id(case);
    let (method, call) = (head.method.clone(), Call::of(&head.method, &head.headers));
    let body = case.request.body.clone().unwrap_or_default();
    let Traced { mut head, mut course, outcome: settled } = trace(snapshot, head, &body.into());
    let mut outcome = Outcome {
        filter: snapshot.chain.decided_by(&course).map(ToString::to_string),
        route: course.trace().iter().find_map(chosen),
        reason: course.trace().iter().rev().find_map(|step| step.summary.clone()).unwrap_or_default(),
        ..Outcome::default()
    };
    let response = settled.and_then(|step| outcome.take(snapshot, step, &head, call));
    let failed = |error| if call.is_some() { grpc::error(&error) } else { respond::error(&error) };
    let response = match response {
        Ok(Some(response)) => Some(response),
        Ok(None) => case.upstream.clone().filter(|_| outcome.sent.is_some()).map(answered),
        Err(error) => Some(failed(error)),
    };
    outcome.timeout = call.map_or(outcome.timeout, |call| call.limit(outcome.timeout));
    outcome.reply = response.map(|response| {
        let response = snapshot.chain.respond(&mut head, response, &mut course).unwrap_or_else(failed);
        reply(if method == Method::HEAD { respond::head_only(response) } else { response })
    });
    outcome.failures = course.failures().to_vec();
    Ok(outcome)
}

/// Always the same for a test, so that what is drawn by it, such as one of several destinations, is too.
fn id(case: &Case) -> RequestId {
    let mut hasher = DefaultHasher::new();
    (&case.name, &case.request.method, &case.request.url).hash(&mut hasher);
    let half = u128::from(hasher.finish());
    RequestId(half << 64 | half)
}

impl Outcome {
    /// Takes down what the host would do; the response, if it is the proxy's own and known before.
    fn take(
        &mut self,
        snapshot: &Snapshot,
        step: Step,
        head: &RequestHead,
        call: Option<Call>,
    ) -> Result<Option<Response<ProxyBody>>, RequestError> {
        match step {
            Step::Respond(response) if call.is_some() => return Ok(Some(grpc::refusal(response))),
            Step::Respond(response) => return Ok(Some(response)),
            Step::Publish(Publishing { publications, answer, answered, .. }) => {
                let is_answered_by_event = matches!(answered, Answered::ByEvent(_)) && !publications.is_empty();
                self.channels = publications.into_iter().map(|publication| publication.channel).collect();
                return Ok((!is_answered_by_event).then_some(answer));
            }
            Step::Subscribe(stream) => self.channels = vec![stream.channel],
            Step::Gather(plan) => self.calls = plan.calls.into_iter().map(|call| target(call.destination)).collect(),
            Step::Forward(forward) => {
                self.timeout = forward.timeout.map(Duration::from_millis);
                self.retries = forward.retries.map_or(0, |policy| policy.attempts);
                self.send(target(forward.destination), head);
            }
            Step::End | Step::InspectBody(_) => {
                let (host, port) = split_authority(&head.authority);
                if snapshot.registry.find(host, port).is_none() {
                    return Err(RequestError::NoRoute { authority: head.authority.clone() });
                }
                self.send(Target { host: host.to_owned(), port, subset: None }, head);
            }
        }
        Ok(None)
    }

    fn send(&mut self, destination: Target, head: &RequestHead) {
        self.destination = Some(destination);
        let (authority, path) = (head.authority.clone(), head.path_and_query.to_string());
        self.sent = Some(Sent { authority, path, headers: head.headers.clone() });
    }

    /// In a few words.
    pub fn summary(&self) -> String {
        let list = |targets: &[Target]| targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let replied = self.reply.as_ref().map(|reply| reply.status.as_u16());
        match (&self.destination, replied) {
            (Some(destination), _) => format!("sent on to {destination}"),
            (None, _) if !self.calls.is_empty() => format!("composed of {}", list(&self.calls)),
            (None, Some(status)) if !self.channels.is_empty() => {
                format!("published to {}, then answered {status}", self.channels.join(", "))
            }
            (None, None) if !self.channels.is_empty() => format!("given to {}", self.channels.join(", ")),
            (None, Some(status)) => format!("answered {status}"),
            (None, None) => "left open".to_owned(),
        }
    }
}

fn chosen(step: &TraceStep) -> Option<Route> {
    let candidate = step.candidates.iter().find(|candidate| candidate.chosen)?;
    Some(Route { name: candidate.name.clone(), origin: candidate.origin.clone() })
}

fn target(destination: types::Destination) -> Target {
    let types::Destination { host, port, subset } = destination;
    Target { host, port, subset }
}

fn answered(reply: Reply) -> Response<ProxyBody> {
    let mut response = Response::new(ProxyBody::full(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// The response as the client gets it.
fn reply(response: Response<ProxyBody>) -> Reply {
    let (parts, body) = response.into_parts();
    // What is here is known already: nothing waits.
    let body = body.collect_up_to(u64::MAX).now_or_never().and_then(Result::ok).unwrap_or_else(Bytes::new);
    Reply { status: parts.status, headers: parts.headers, body }
}
