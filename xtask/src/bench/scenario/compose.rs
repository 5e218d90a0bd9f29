//! API composition: one request in, two calls at once, both JSON documents in one answer.

use super::super::answer::Answer;
use super::super::program::{Envoy, Merge, Program, Sluice, Stage};
use super::{Scenario, Subject, USUAL_HEADERS, get};
use crate::port;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::net::SocketAddr;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "compose",
    about: "two calls at once, for a kibibyte of JSON each, answered as {\"order\": ..., \"inventory\": ...}",
    references: &["envoy-wasm", "nginx-njs", "hyper-parsed", "hyper-spliced"],
    subjects: &[
        subject("envoy-wasm", "Envoy, a WebAssembly filter that calls; JSON checked", Program::Envoy(Envoy::Compose)),
        subject("hyper-parsed", "written by hand on hyper; JSON checked", Program::Compose(Merge::Parsed)),
        subject("hyper-spliced", "written by hand on hyper; only ends looked at", Program::Compose(Merge::Spliced)),
        subject(
            "sluice-article",
            "a VirtualService without weights; JSON checked",
            Program::Sluice(Sluice::Manifest("article.yaml")),
        ),
        subject(
            "sluice-parsed",
            "a Composition that picks members; JSON checked by the host",
            Program::Sluice(Sluice::Manifest("composition-parsed.yaml")),
        ),
        subject(
            "sluice-spliced",
            "a Composition of whole documents; JSON checked by the host",
            Program::Sluice(Sluice::Manifest("composition-spliced.yaml")),
        ),
        subject("nginx-njs", "nginx, subrequests in JavaScript; JSON checked", Program::Nginx),
        subject("node", "Node's http module; JSON checked", Program::Node),
        subject("go", "Go's net/http; JSON checked", Program::Go),
    ],
    request: || get(HOST, "/"),
    verify,
};

const HOST: &str = "Host: product";

const fn subject(name: &'static str, about: &'static str, program: Program) -> Subject {
    Subject { name, about, program }
}

/// The answer is the JSON value that the services' own documents make.
fn verify(stage: &Stage<'_>, subject: &Subject, address: SocketAddr) -> Result<()> {
    let expected = json!({
        "order": document("the order service", stage.origins.order)?,
        "inventory": document("the inventory service", stage.origins.inventory)?,
    });
    let found = document(subject.name, address)?;
    ensure!(found == expected, "{} answers\n{found}\ninstead of\n{expected}", subject.name);
    Ok(())
}

fn document(name: &str, address: SocketAddr) -> Result<Value> {
    let headers: Vec<&str> = [HOST].into_iter().chain(USUAL_HEADERS).collect();
    let answer = Answer::read(&port::get(address, "/", &headers)?)?;
    answer.expect_status(name, 200)?;
    let json = answer.head.lines().any(|line| line.starts_with("content-type: application/json"));
    ensure!(json, "{name} does not say that it sends JSON:\n{}", answer.head);
    serde_json::from_str(&answer.body).with_context(|| format!("{name} does not send JSON: {}", answer.body))
}
