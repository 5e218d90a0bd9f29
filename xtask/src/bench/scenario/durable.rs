//! Durable events without a broker: what 256 publishers get acknowledged, set against the disk itself.

use super::super::load::Request;
use super::super::program::{Program, Sluice};
use super::{Scenario, Subject, publish};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "durable",
    about: "events of 512 bytes that are on the disk when they are acknowledged, 256 publishers at once",
    references: &["append"],
    subjects: &[
        Subject {
            name: "append",
            about: "appends to a file, one fdatasync for all 256: no HTTP, no events",
            program: Program::Append,
        },
        Subject {
            name: "sluice-memory",
            about: "a channel in memory: nothing is on the disk",
            program: Program::Sluice(Sluice::Manifest("memory.yaml")),
        },
    ],
    request: || Request { connections: PUBLISHERS, ..publish::request() },
    verify: |_, subject, address| publish::publish(subject, address),
};

/// Each waits for its acknowledgement before it publishes again.
pub(crate) const PUBLISHERS: u32 = 256;
