//! A scenario from the first process to the last round.

use super::load::{Answered, Load};
use super::peers::{Peer, Peers};
use super::program::{Nats, Origins, Program, Stage};
use super::report::{Measurement, Round};
use super::scenario::{PUBLISHERS, Scenario, Subject};
use super::{LOAD_CORE, processor};
use crate::build::Profile;
use crate::child::RunningChild;
use crate::command::{output, step};
use crate::port;
use crate::wait::Interrupt;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Envoy compiles its filter at the start; everything else is up at once.
const START: Duration = Duration::from_secs(30);
/// Fills pools and caches before anything is counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// What a measurement is taken with.
pub(crate) struct Measuring<'a> {
    /// Where the programs are.
    pub(crate) workspace: &'a Workspace,
    /// What others have made.
    pub(crate) peers: &'a Peers,
    /// For logs, configurations and data.
    pub(crate) directory: &'a Path,
    /// Ends it early.
    pub(crate) interrupt: &'a Interrupt,
}

/// A subject that can be measured.
struct Ready {
    subject: &'static Subject,
    service: Option<Service>,
}

/// A program that is up.
struct Service {
    address: SocketAddr,
    child: RunningChild,
}

impl Measuring<'_> {
    /// Starts everything, makes sure that every subject does its work, and takes the rounds: A, B, C, A, B, C, ...
    pub(crate) fn run(
        &self,
        scenario: &'static Scenario,
        subjects: &[&'static Subject],
        rounds: u32,
        duration: Duration,
    ) -> Result<Vec<Measurement>> {
        let origins = Origins { plain: port::free()?, order: port::free()?, inventory: port::free()? };
        let _origin = self.start_origin(origins)?;
        let with_nats = subjects.iter().any(|subject| subject.program.peers().contains(&Peer::Nats));
        let broker = with_nats.then(|| self.start_nats()).transpose()?;
        let nats = broker.as_ref().map(|(nats, _)| *nats);
        let (workspace, peers, directory) = (self.workspace, self.peers, self.directory);
        let stage = Stage { workspace, peers, directory, origins, nats };
        let mut ready = subjects.iter().map(|subject| self.start(&stage, subject)).collect::<Result<Vec<_>>>()?;
        for Ready { subject, service } in &ready {
            if let Some(service) = service {
                (scenario.verify)(&stage, subject, service.address)?;
            }
        }
        step(&format!("{}: every subject answers as it should", scenario.name));
        let load = Load { wrk: peers.get(Peer::Wrk)?, core: LOAD_CORE, directory, request: (scenario.request)() };
        self.rounds(&stage, &mut ready, &load, rounds, duration)
    }

    fn start_origin(&self, origins: Origins) -> Result<RunningChild> {
        let mut command = processor::pinned(LOAD_CORE, &self.workspace.program(Profile::Release, "bench-origin"));
        let Origins { plain, order, inventory } = origins;
        for (name, address) in [("plain", plain), ("order", order), ("inventory", inventory)] {
            command.arg(format!("{name}={address}"));
        }
        self.start_listening("origin", &mut command, inventory)
    }

    /// The broker keeps its streams in files here, and says how many messages there are.
    fn start_nats(&self) -> Result<(Nats, RunningChild)> {
        let nats = Nats { clients: port::free()?, monitor: port::free()? };
        let mut command = self.peers.get(Peer::Nats)?.pinned(LOAD_CORE);
        command.arg("--jetstream").arg("--store_dir").arg(self.directory.join("nats"));
        command.args(["--addr", &nats.clients.ip().to_string(), "--port", &nats.clients.port().to_string()]);
        command.args(["--http_port", &nats.monitor.port().to_string()]);
        let mut child = self.start_listening("nats-server", &mut command, nats.clients)?;
        child.ready(START, || port::answers(nats.monitor))?;
        Ok((nats, child))
    }

    fn start(&self, stage: &Stage<'_>, subject: &'static Subject) -> Result<Ready> {
        if matches!(subject.program, Program::Append) {
            return Ok(Ready { subject, service: None });
        }
        let address = port::free()?;
        let mut command = subject.program.command(stage, subject.name, address)?;
        let child = self.start_listening(subject.name, &mut command, address)?;
        Ok(Ready { subject, service: Some(Service { address, child }) })
    }

    fn start_listening(&self, name: &str, command: &mut Command, address: SocketAddr) -> Result<RunningChild> {
        let log = self.directory.join(name).with_extension("log");
        let mut child = RunningChild::start(name, command, &log)?;
        child.ready(START, || port::answers(address)).with_context(|| format!("its log is {}", log.display()))?;
        Ok(child)
    }

    fn rounds(
        &self,
        stage: &Stage<'_>,
        ready: &mut [Ready],
        load: &Load<'_>,
        rounds: u32,
        duration: Duration,
    ) -> Result<Vec<Measurement>> {
        let mut measurements: Vec<Measurement> =
            ready.iter().map(|one| Measurement { subject: one.subject, rounds: Vec::new() }).collect();
        for service in ready.iter().filter_map(|one| one.service.as_ref()) {
            load.run(service.address, WARM_UP, self.interrupt)?;
        }
        for round in 1..=rounds {
            step(&format!("round {round} of {rounds}"));
            for (one, measurement) in ready.iter_mut().zip(&mut measurements) {
                let name = one.subject.name;
                let round = match &mut one.service {
                    Some(service) => self.under_load(service, load, duration),
                    None => self.by_itself(stage, one.subject, duration),
                };
                measurement.rounds.push(round.with_context(|| format!("{name} under load"))?);
            }
        }
        Ok(measurements)
    }

    fn under_load(&self, service: &mut Service, load: &Load<'_>, duration: Duration) -> Result<Round> {
        let before = processor::time_of(service.child.id())?;
        let Answered { requests, rate } = load.run(service.address, duration, self.interrupt)?;
        if let Some(end) = service.child.ended() {
            bail!(end);
        }
        let spent = processor::time_of(service.child.id())?.saturating_sub(before);
        Ok(Round { spent, answered: requests, rate })
    }

    /// A program that takes no requests does its work for as long, and says how much it was.
    fn by_itself(&self, stage: &Stage<'_>, subject: &Subject, duration: Duration) -> Result<Round> {
        if self.interrupt.came() {
            bail!("interrupted");
        }
        let mut command = subject.program.command(stage, subject.name, stage.origins.plain)?;
        command.args([PUBLISHERS.to_string(), duration.as_secs().to_string()]);
        let said: Value = serde_json::from_str(&output(&mut command)?)?;
        let (appended, seconds) = (said["appended"].as_u64(), said["seconds"].as_f64());
        let (answered, seconds) = appended.zip(seconds).with_context(|| format!("it does not say how much: {said}"))?;
        let spent = Duration::from_micros(said["cpu_microseconds"].as_u64().context("it does not say its CPU time")?);
        // Far below 2^52, so nothing is lost.
        #[allow(clippy::cast_precision_loss)]
        let rate = answered as f64 / seconds;
        Ok(Round { spent, answered, rate })
    }
}
