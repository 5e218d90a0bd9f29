//! What would become of a request: the same chain as for live traffic, with its reasons, and nothing carried out.

mod arrival;
mod plan;

pub use arrival::arrive;

use crate::admin::view::{ExplainAnswer, ExplainDestination, ExplainOutcome, ExplainRequest, ExplainStep};
use crate::chain::{Answered, Course, Publishing, Step};
use crate::error::RequestError;
use crate::request::RequestHead;
use crate::request::split_authority;
use crate::snapshot::Snapshot;
use crate::upstream::cluster::Cluster;
use crate::wasm::types::Destination;
use bytes::Bytes;

/// A request that has been taken through the request phases, with nothing carried out.
#[derive(Debug)]
pub struct Traced {
    /// The request as the last filter left it.
    pub head: Box<RequestHead>,
    /// How far it came, with the reasons of each filter.
    pub course: Course,
    /// What the host would do next.
    pub outcome: Result<Step, RequestError>,
}

/// Explains a request against a snapshot. The error says what is wrong with the request.
pub fn explain(snapshot: &Snapshot, request: ExplainRequest) -> Result<ExplainAnswer, String> {
    let head = Box::new(arrive(&snapshot.gateway_ports, &request)?);
    let understood = arrival::understood(&head);
    let Traced { head, course, outcome } = trace(snapshot, head, &request.body.unwrap_or_default().into());
    let outcome = match outcome {
        Ok(step) => settled(snapshot, step, &head.authority),
        Err(error) => failed(&error),
    };
    let steps = course.into_trace().into_iter().map(ExplainStep::from).collect();
    Ok(ExplainAnswer { generation: snapshot.generation, request: understood, steps, outcome })
}

/// Takes a request through the chain until a filter settles it; a body that a filter asks for is `body`.
pub fn trace(snapshot: &Snapshot, mut head: Box<RequestHead>, body: &Bytes) -> Traced {
    let mut course = Course::traced();
    let outcome = loop {
        match snapshot.chain.decide(&mut head, &mut course) {
            Ok(Step::InspectBody(max)) if body.len() as u64 > max => {
                break Err(RequestError::BodyTooLarge { limit: max });
            }
            Ok(Step::InspectBody(_)) => head.body = Some(body.clone()),
            settled => break settled,
        }
    };
    Traced { head, course, outcome }
}

fn failed(error: &RequestError) -> ExplainOutcome {
    let status = Some(error.status().as_u16());
    ExplainOutcome { summary: error.to_string(), status, ..ExplainOutcome::default() }
}

fn settled(snapshot: &Snapshot, step: Step, authority: &str) -> ExplainOutcome {
    match step {
        Step::Forward(forward) => {
            let destinations = vec![destination(snapshot, &forward.destination)];
            ExplainOutcome { summary: "sent on".into(), destinations, ..ExplainOutcome::default() }
        }
        Step::Respond(response) => {
            let status = response.status();
            let summary = status.canonical_reason().unwrap_or("answered").to_ascii_lowercase();
            ExplainOutcome { summary, status: Some(status.as_u16()), ..ExplainOutcome::default() }
        }
        Step::Gather(plan) => {
            let destinations = plan.calls.iter().map(|call| destination(snapshot, &call.destination)).collect();
            let plan = Some(plan::explain(snapshot, &plan));
            ExplainOutcome { summary: "composed of these calls".into(), status: None, destinations, plan }
        }
        Step::Publish(Publishing { publications, answer, answered, .. }) => {
            let is_answered_by_event = matches!(answered, Answered::ByEvent(_)) && !publications.is_empty();
            let channel = |publication: crate::wasm::types::Publication| ExplainDestination {
                service: Some(publication.channel.clone()),
                name: publication.channel,
                endpoints: Vec::new(),
                chosen: None,
            };
            let destinations = publications.into_iter().map(channel).collect();
            let (summary, status) = if is_answered_by_event {
                ("published, then answered by an event", None)
            } else {
                ("published, then answered", Some(answer.status().as_u16()))
            };
            ExplainOutcome { summary: summary.into(), status, destinations, plan: None }
        }
        Step::Subscribe(stream) => {
            let service = Some(stream.channel.clone());
            let channel = ExplainDestination { name: stream.channel, service, endpoints: Vec::new(), chosen: None };
            let (summary, destinations) = ("listens to a channel".to_owned(), vec![channel]);
            ExplainOutcome { summary, destinations, ..ExplainOutcome::default() }
        }
        Step::End | Step::InspectBody(_) => passed_through(snapshot, authority),
    }
}

fn passed_through(snapshot: &Snapshot, authority: &str) -> ExplainOutcome {
    let (host, port) = split_authority(authority);
    if snapshot.registry.find(host, port).is_none() {
        return failed(&RequestError::NoRoute { authority: authority.to_owned() });
    }
    let wanted = Destination { host: host.to_owned(), port, subset: None };
    let summary = "no filter decided; the authority names a service".to_owned();
    let destinations = vec![destination(snapshot, &wanted)];
    ExplainOutcome { summary, destinations, ..ExplainOutcome::default() }
}

fn destination(snapshot: &Snapshot, wanted: &Destination) -> ExplainDestination {
    let found = snapshot.registry.resolve(wanted).ok();
    let endpoints: Vec<_> = found.iter().flat_map(Cluster::members).map(|member| member.endpoint.address).collect();
    let mut name = wanted.port.map_or_else(|| wanted.host.clone(), |port| format!("{}:{port}", wanted.host));
    if let Some(subset) = &wanted.subset {
        name = format!("{name}, subset {subset}");
    }
    let chosen = if let [only] = endpoints.as_slice() { Some(*only) } else { None };
    ExplainDestination { name, service: found.map(|cluster| cluster.name().to_owned()), endpoints, chosen }
}
