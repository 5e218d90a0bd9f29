//! Durable events without a broker: what 256 publishers get acknowledged, set against the disk itself.

use super::super::load::Request;
use super::super::program::{Program, Sluice, Stage, Store};
use super::{Scenario, Subject, publish};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

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
            name: "sluice-file",
            about: "a channel in files: one fdatasync for all that wait",
            program: Program::Sluice(Sluice::Channel(Store::File)),
        },
        Subject {
            name: "sluice-memory",
            about: "a channel in memory: nothing is on the disk",
            program: Program::Sluice(Sluice::Channel(Store::Memory)),
        },
    ],
    request: || Request { connections: PUBLISHERS, ..publish::request() },
    verify,
};

/// Each waits for its acknowledgement before it publishes again.
pub(crate) const PUBLISHERS: u32 = 256;

/// It answers 202, and if it keeps events in files, this event is in one of them by then.
fn verify(stage: &Stage<'_>, subject: &Subject, address: SocketAddr) -> Result<()> {
    let id = publish::publish(subject, address)?;
    let Some(directory) = subject.program.files(stage, subject.name) else { return Ok(()) };
    ensure!(holds(&directory, id.as_bytes())?, "{} answers 202, and no file has the event", subject.name);
    Ok(())
}

/// Whether a file below a directory has these bytes.
fn holds(directory: &Path, wanted: &[u8]) -> Result<bool> {
    let entries = fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        let found = if path.is_dir() {
            holds(&path, wanted)?
        } else {
            fs::read(&path)?.windows(wanted.len()).any(|bytes| bytes == wanted)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_in_whichever_file_it_is() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("orders")).unwrap();
        fs::write(directory.path().join("orders/1.log"), b"...verify-sluice-file...").unwrap();
        assert!(holds(directory.path(), b"verify-sluice-file").unwrap());
        assert!(!holds(directory.path(), b"verify-other").unwrap());
    }
}
