//! A chain's decisions, told to someone who wants to know why.

use super::Link;
use super::step::{Answered, Publishing, Step};
use crate::wasm::{Failure, explain_filter, types};
use std::time::Duration;

/// One filter's decision, for an explanation.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TraceStep {
    /// The filter's name.
    pub filter: String,
    /// Its version.
    pub version: String,
    /// What it decided.
    pub decision: String,
    /// Its reasons, where it gives any.
    pub summary: Option<String>,
    /// The candidates it had.
    pub candidates: Vec<TraceCandidate>,
}

/// Something that a filter could have chosen.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TraceCandidate {
    /// What it is.
    pub name: String,
    /// `file:line`.
    pub origin: String,
    /// Whether it was chosen.
    pub chosen: bool,
    /// Why, or why not.
    pub reason: String,
}

/// What the filter says of it.
pub(super) type Explained = Result<Option<explain_filter::Explanation>, Failure>;

pub(super) fn trace_step(
    link: &Link,
    step: Option<&Step>,
    delay: Option<Duration>,
    explained: Option<Explained>,
) -> TraceStep {
    let (summary, candidates) = match explained {
        Some(Ok(Some(explanation))) => {
            let candidates = explanation.candidates.into_iter().map(|candidate| TraceCandidate {
                name: candidate.name,
                origin: candidate.origin,
                chosen: candidate.chosen,
                reason: candidate.reason,
            });
            (Some(explanation.summary), candidates.collect())
        }
        Some(Err(failure)) => (Some(format!("its explanation failed: {failure}")), Vec::new()),
        _ => (None, Vec::new()),
    };
    TraceStep {
        filter: link.filter.name.to_string(),
        version: link.filter.code.manifest.version.clone(),
        decision: match delay {
            Some(delay) => format!("{}, after {} ms", describe(step), delay.as_millis()),
            None => describe(step),
        },
        summary,
        candidates,
    }
}

/// A filter that has nothing to do with requests as it is configured.
pub(super) fn not_asked(link: &Link) -> TraceStep {
    let decision = "not asked: there is no document of its kinds".to_owned();
    TraceStep { decision, ..trace_step(link, None, None, None) }
}

/// A filter that failed.
pub(super) fn failed_step(link: &Link, failure: Option<&String>, explained: Option<Explained>) -> TraceStep {
    let decision = failure.map_or_else(|| "failed".to_owned(), |failure| format!("failed: {failure}"));
    TraceStep { decision, ..trace_step(link, None, None, explained) }
}

fn describe(step: Option<&Step>) -> String {
    match step {
        None | Some(Step::End) => "next".into(),
        Some(Step::Forward(forward)) => {
            let mirrors = forward.mirrors.iter().map(|mirror| format!(", mirrored to {}", place(&mirror.destination)));
            format!("forward to {}{}", place(&forward.destination), mirrors.collect::<String>())
        }
        Some(Step::Respond(response)) => format!("respond {}", response.status().as_u16()),
        Some(Step::Gather(plan)) => {
            let names: Vec<&str> = plan.calls.iter().map(|call| call.name.as_str()).collect();
            format!("gather {}", names.join(", "))
        }
        Some(Step::Subscribe(stream)) => {
            let format = match stream.format {
                types::StreamFormat::ServerSent => "server-sent events",
                types::StreamFormat::Websocket => "WebSocket",
            };
            format!("let the client listen to {} by {format}", stream.channel)
        }
        Some(Step::Publish(Publishing { publications, answer, answered, .. })) => {
            let channels: Vec<&str> = publications.iter().map(|publication| publication.channel.as_str()).collect();
            let channels = channels.join(", ");
            let status = answer.status().as_u16();
            match answered {
                Answered::Stored => format!("publish to {channels}, then respond {status}"),
                Answered::Unacknowledged => format!("respond {status}, and publish to {channels}"),
                Answered::ByEvent(_) if channels.is_empty() => "give the answer that is waited for".into(),
                Answered::ByEvent(reply) => format!(
                    "publish to {channels}, then wait {} ms for an answer, or respond {}",
                    reply.timeout.as_millis(),
                    reply.pending.status().as_u16()
                ),
            }
        }
        Some(Step::InspectBody(max)) => format!("inspect the body, up to {max} bytes"),
    }
}

fn place(destination: &types::Destination) -> String {
    let types::Destination { host, port, .. } = destination;
    port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}
