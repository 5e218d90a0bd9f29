//! Event bridging: a CloudEvent by POST, published to JetStream, answered 202 once it is acknowledged.

use super::super::answer::Answer;
use super::super::load::Request;
use super::super::peers::Peer;
use super::super::program::{Nats, Program, Sluice, Stage, Store};
use super::{Scenario, Subject};
use crate::{port, wait};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "publish",
    about: "a CloudEvent of 512 bytes by POST, acknowledged by JetStream (in files), answered 202",
    references: &["axum"],
    subjects: &[
        subject("axum", "a service of its own: axum and async-nats", Program::PublishAxum),
        subject("sluice-nats", "a channel kept by JetStream", Program::Sluice(Sluice::Channel(Store::Nats))),
        subject("sluice-memory", "a channel in memory: no broker", Program::Sluice(Sluice::Channel(Store::Memory))),
    ],
    request,
    verify,
};

/// The size of the event's data in bytes.
const DATA: usize = 512;
/// Without the id, which differs from event to event.
const HEADERS: [&str; 6] = [
    "Host: orders",
    "Content-Type: application/json",
    "ce-specversion: 1.0",
    "ce-source: /bench",
    "ce-type: order.placed",
    "User-Agent: bench",
];
/// How long a proxy and the broker may take to find each other.
const PATIENCE: Duration = Duration::from_secs(10);
/// What tells events apart.
const ID: &str = "ce-id";

pub(super) fn request() -> Request {
    Request { method: "POST", path: "/", headers: HEADERS.to_vec(), body: data(), unique: Some(ID), connections: 64 }
}

/// A JSON document of exactly [`DATA`] bytes.
fn data() -> String {
    let (start, end) = ("{\"item\":\"lamp\",\"note\":\"", "\"}");
    format!("{start}{}{end}", "n".repeat(DATA - start.len() - end.len()))
}

const fn subject(name: &'static str, about: &'static str, program: Program) -> Subject {
    Subject { name, about, program }
}

/// It answers 202, and if it publishes to JetStream, a stream of the broker has one more message than before. A proxy may
/// still be telling the broker who subscribes when it is asked first.
fn verify(stage: &Stage<'_>, subject: &Subject, address: SocketAddr) -> Result<()> {
    let Some(Nats { monitor, .. }) = stage.nats else { return publish(subject, address).map(drop) };
    let mut outcome = Ok(());
    wait::until(PATIENCE, || {
        outcome = published(monitor, subject, address);
        outcome.is_ok()
    });
    outcome
}

fn published(monitor: SocketAddr, subject: &Subject, address: SocketAddr) -> Result<()> {
    let before = messages(monitor)?;
    publish(subject, address)?;
    let new = messages(monitor)?.saturating_sub(before);
    let expected = u64::from(subject.program.peers().contains(&Peer::Nats));
    ensure!(new == expected, "{} answers 202, and JetStream has {new} new messages", subject.name);
    Ok(())
}

/// Sends one event, which is like no other, expects 202, and returns the event's id.
pub(super) fn publish(subject: &Subject, address: SocketAddr) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let id = format!("verify-{}-{now}", subject.name);
    let header = format!("{ID}: {id}");
    let headers: Vec<&str> = HEADERS.into_iter().chain([header.as_str()]).collect();
    Answer::read(&port::send(address, "POST", "/", &headers, &data())?)?.expect_status(subject.name, 202)?;
    Ok(id)
}

/// How many messages JetStream holds, as its own monitoring says.
fn messages(monitor: SocketAddr) -> Result<u64> {
    let answer = Answer::read(&port::get(monitor, "/jsz", &["Host: nats"])?)?;
    answer.expect_status("nats-server", 200)?;
    let status: Value = serde_json::from_str(&answer.body).context("the broker's status is not JSON")?;
    status["messages"].as_u64().with_context(|| format!("the broker does not count messages: {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_json_of_the_size_that_is_claimed() {
        assert_eq!(data().len(), DATA);
        assert!(serde_json::from_str::<Value>(&data()).is_ok());
    }
}
