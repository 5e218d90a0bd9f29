//! Routing: the last of few rules, and the last of many, each with a prefix and a header.

use super::super::answer::Answer;
use super::super::program::{Envoy, Program, Sluice, Stage};
use super::{Scenario, Subject, USUAL_HEADERS, get};
use crate::port;
use anyhow::{Result, ensure};
use std::net::SocketAddr;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "routes",
    about: "the last of 10 and of 1,000 rules, each a prefix and a header, on the way to one service",
    references: &["envoy-10", "envoy-1000", "sluice"],
    subjects: &[
        subject("envoy-10", "Envoy, the last of 10 routes", Program::Envoy(Envoy::Routes(FEW))),
        subject("envoy-1000", "Envoy, the last of 1,000 routes", Program::Envoy(Envoy::Routes(MANY))),
        subject("sluice", "Sluicegate without rules", Program::Sluice(Sluice::Filters(0))),
        subject("sluice-10", "a VirtualService, the last of 10 rules", Program::Sluice(Sluice::Routes(FEW))),
        subject("sluice-1000", "a VirtualService, the last of 1,000 rules", Program::Sluice(Sluice::Routes(MANY))),
        subject("services-10", "one of 10 VirtualServices", Program::Sluice(Sluice::Services(FEW))),
        subject("services-10000", "one of 10,000 VirtualServices", Program::Sluice(Sluice::Services(SERVICES))),
    ],
    request: || get(HOST, LAST),
    verify,
};

const FEW: u32 = 10;
const MANY: u32 = 1000;
const SERVICES: u32 = 10_000;
const HOST: &str = "Host: origin";
/// What the last rule takes, and no other.
const LAST: &str = "/last/stock";
/// What no rule takes.
const NONE: &str = "/none/stock";

const fn subject(name: &'static str, about: &'static str, program: Program) -> Subject {
    Subject { name, about, program }
}

/// The last rule leads to the service, and what no rule takes does not, unless there are no rules.
fn verify(_stage: &Stage<'_>, subject: &Subject, address: SocketAddr) -> Result<()> {
    let headers: Vec<&str> = [HOST].into_iter().chain(USUAL_HEADERS).collect();
    Answer::read(&port::get(address, LAST, &headers)?)?.expect_status(subject.name, 200)?;
    let status = if subject.program.rules() > 0 { 404 } else { 200 };
    Answer::read(&port::get(address, NONE, &headers)?)?.expect_status(subject.name, status)?;
    if subject.program.rules() > 0 {
        let without = Answer::read(&port::get(address, LAST, &[HOST])?)?;
        ensure!(without.head.starts_with("http/1.1 404"), "{} does not look at headers", subject.name);
    }
    Ok(())
}
