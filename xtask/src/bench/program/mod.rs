//! How each subject is started: one worker, on the core of the proxies, without access log.

mod envoy;
mod nginx;
mod sluice;

pub(crate) use envoy::Envoy;
pub(crate) use sluice::{Sluice, Store, virtual_service};

use super::peers::{Peer, Peers, source};
use super::{PROXY_CORE, processor};
use crate::build::Profile;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program in one setting.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Program {
    /// Envoy.
    Envoy(Envoy),
    /// This project's proxy.
    Sluice(Sluice),
    /// The proxy that only passes on.
    Hyper,
    /// The composing service on hyper.
    Compose(Merge),
    /// nginx with njs, composing.
    Nginx,
    /// Node, composing.
    Node,
    /// Go, composing.
    Go,
    /// The publishing service on axum.
    PublishAxum,
    /// Appends to a file. It takes no requests: it is run for as long as a measurement takes.
    Append,
}

/// How JSON documents become parts of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// Read to their end, so that what is answered is JSON.
    Parsed,
    /// Their bytes are taken over.
    Spliced,
}

/// What starting a subject takes.
pub(crate) struct Stage<'a> {
    /// Where the programs are.
    pub(crate) workspace: &'a Workspace,
    /// What others have made.
    pub(crate) peers: &'a Peers,
    /// For logs and configurations.
    pub(crate) directory: &'a Path,
    /// The services behind all of them.
    pub(crate) origins: Origins,
    /// The broker, if a subject needs it.
    pub(crate) nats: Option<Nats>,
}

/// Where the services are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origins {
    /// Answers a kibibyte of text.
    pub(crate) plain: SocketAddr,
    /// Answers a kibibyte of JSON.
    pub(crate) order: SocketAddr,
    /// Answers a kibibyte of other JSON.
    pub(crate) inventory: SocketAddr,
}

/// Where the broker is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nats {
    /// For clients.
    pub(crate) clients: SocketAddr,
    /// What it says about itself, by HTTP.
    pub(crate) monitor: SocketAddr,
}

impl Program {
    /// What has to be installed for it.
    pub(crate) fn peers(self) -> &'static [Peer] {
        match self {
            Self::Envoy(setting) => setting.peers(),
            Self::Nginx => &[Peer::Nginx],
            Self::Node => &[Peer::Node],
            Self::Go => &[Peer::GoCompose],
            Self::PublishAxum => &[Peer::PublishAxum, Peer::Nats],
            Self::Sluice(Sluice::Channel(Store::Nats)) => &[Peer::Nats],
            Self::Sluice(_) | Self::Hyper | Self::Compose(_) | Self::Append => &[],
        }
    }

    /// Whether it is this project's proxy.
    pub(crate) fn is_sluice(self) -> bool {
        matches!(self, Self::Sluice(_))
    }

    /// How many times the header filter stands in its chain.
    pub(crate) fn filters(self) -> u32 {
        match self {
            Self::Sluice(Sluice::Filters(number)) => number,
            Self::Envoy(Envoy::Headers) => 1,
            _ => 0,
        }
    }

    /// How many rules it routes by.
    pub(crate) fn rules(self) -> u32 {
        match self {
            Self::Sluice(Sluice::Routes(number) | Sluice::Services(number)) | Self::Envoy(Envoy::Routes(number)) => {
                number
            }
            _ => 0,
        }
    }

    /// Where its channels keep their files, if they do.
    pub(crate) fn files(self, stage: &Stage<'_>, name: &str) -> Option<PathBuf> {
        match self {
            Self::Sluice(Sluice::Channel(store)) => store.files(stage, name),
            _ => None,
        }
    }

    /// The command that starts it on an address, under a name for its files.
    pub(crate) fn command(self, stage: &Stage<'_>, name: &str, listen: SocketAddr) -> Result<Command> {
        let Origins { plain, order, inventory } = stage.origins;
        let services = [order, inventory];
        match self {
            Self::Envoy(setting) => setting.command(stage, name, listen),
            Self::Sluice(setting) => setting.command(stage, name, listen),
            Self::Hyper => Ok(with(stage.native("bench-hyper"), &[listen, plain])),
            Self::Compose(merge) => {
                let mut command = stage.native("bench-compose");
                command.arg(if merge == Merge::Parsed { "parsed" } else { "spliced" });
                Ok(with(with(command, &[listen]), &services))
            }
            Self::Nginx => nginx::command(stage, name, listen),
            Self::Node => {
                let mut command = stage.peer(Peer::Node)?;
                command.arg(source(stage.workspace, "compose-node").join("compose.mjs"));
                command.args([listen, order, inventory].map(|address| address.port().to_string()));
                Ok(command)
            }
            Self::Go => {
                let mut command = with(with(stage.peer(Peer::GoCompose)?, &[listen]), &services);
                command.env("GOMAXPROCS", "1");
                Ok(command)
            }
            Self::PublishAxum => {
                let nats = stage.nats.as_ref().context("the broker is not running")?;
                Ok(with(stage.peer(Peer::PublishAxum)?, &[listen, nats.clients]))
            }
            Self::Append => {
                let mut command = stage.native("bench-append");
                command.arg(stage.file(name, "data"));
                Ok(command)
            }
        }
    }
}

impl Stage<'_> {
    /// A program of the `tests` package.
    fn native(&self, name: &str) -> Command {
        processor::pinned(PROXY_CORE, &self.workspace.program(Profile::Release, name))
    }

    fn peer(&self, peer: Peer) -> Result<Command> {
        Ok(self.peers.get(peer)?.pinned(PROXY_CORE))
    }

    fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.directory.join(format!("{name}.{extension}"))
    }

    /// Writes a configuration.
    fn write(&self, name: &str, extension: &str, text: &str) -> Result<PathBuf> {
        let file = self.file(name, extension);
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
        Ok(file)
    }

    fn empty_directory(&self, name: &str, purpose: &str) -> Result<PathBuf> {
        let directory = self.directory.join(format!("{name}-{purpose}"));
        fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        Ok(directory)
    }
}

fn with(mut command: Command, addresses: &[SocketAddr]) -> Command {
    command.args(addresses.iter().map(ToString::to_string));
    command
}
