//! `cargo xtask failures`: twelve ways in which a filter can fail, in this proxy and in Envoy, in one run.
//!
//! Both have one worker and the same filter. For each way: the request that fails, another one while it does, the next
//! one, and which counter says so. Envoy is started anew for each way, since it does not come back after most; this proxy
//! runs through all of them.

mod envoy;
mod origin;
mod proxy;
mod sluice;
mod table;

use crate::bench::peers::{Peer, Peers};
use crate::build::{self, Components, Profile};
use crate::command::step;
use crate::workspace::Workspace;
use anyhow::Result;
use envoy::Envoy;
use origin::Origin;
use proxy::{Proxy, Seen};
use sluice::Sluice;
use std::collections::BTreeSet;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  cargo xtask failures                 both proxies, as a table in Markdown
  cargo xtask failures -o json         for programs
  cargo xtask failures --only sluice   this proxy alone, which fetches nothing

Envoy is fetched into target/peers when it is missing.";

/// What to run.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only this proxy.
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// How to print the result.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    Sluice,
    Envoy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// Markdown.
    Table,
    /// For programs.
    Json,
}

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A request whose header `x-fail` says so; with a body or without.
    Request(&'static str, &'static str),
    /// The filter traps when it is configured, as the proxy starts.
    Boot,
    /// The same when its configuration changes.
    Update,
    /// The component's file is replaced by another one.
    Replace,
}

/// The ways, and what they are called. Those that change the filter come last.
const WAYS: [(&str, Way); 12] = [
    ("trap in the request hook", Way::Request("request", "")),
    ("trap in the response hook", Way::Request("response", "")),
    ("trap in a continuation, when its call is back", Way::Request("gathered", "")),
    ("trap in configure, at the start", Way::Boot),
    ("endless loop", Way::Request("spin", "")),
    ("memory without end", Way::Request("hog", "")),
    ("a body made longer", Way::Request("longer", "ten bytes.")),
    ("a body made shorter", Way::Request("shorter", "ten bytes.")),
    ("a limit overrun: a header of 2 MiB", Way::Request("overrun", "")),
    ("an edit of the response before there is one", Way::Request("early", "")),
    ("trap in configure, on a change", Way::Update),
    ("the component is replaced", Way::Replace),
];

/// One row.
#[derive(Debug)]
struct Row {
    way: &'static str,
    sluice: Option<Seen>,
    envoy: Option<Seen>,
}

/// What both need.
pub(crate) struct Stage<'a> {
    workspace: &'a Workspace,
    peers: &'a Peers,
    directory: PathBuf,
}

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let wants = |proxy: Only| arguments.only.is_none_or(|only| only == proxy);
    let mut needed = BTreeSet::new();
    if wants(Only::Sluice) {
        build::components(workspace, Profile::Development, Components::All)?;
        // As `cargo xtask build` has them, so that nothing is compiled twice with other features.
        build::programs(Profile::Development, &["sluicegate", "sluicegate-shop", "sluicegate-product-page"])?;
    }
    if wants(Only::Envoy) {
        needed.extend([Peer::Envoy, Peer::EnvoyFailing, Peer::EnvoyHeaders]);
    }
    let peers = Peers::install(workspace, &needed)?;
    let directory = workspace.target.join("failures");
    std::fs::create_dir_all(&directory)?;
    let stage = Stage { workspace, peers: &peers, directory };
    let mut rows: Vec<Row> = WAYS.iter().map(|(way, _)| Row { way, sluice: None, envoy: None }).collect();
    if wants(Only::Sluice) {
        let origin = Origin::start()?;
        let mut running = Sluice::start(&stage, &origin, "")?;
        for ((name, way), row) in WAYS.iter().zip(&mut rows) {
            step(&format!("Sluicegate: {name}"));
            row.sluice = Some(match way {
                Way::Boot => Sluice::at_start(&stage, &origin),
                way => running.try_out(*way, &origin)?,
            });
        }
    }
    if wants(Only::Envoy) {
        for ((name, way), row) in WAYS.iter().zip(&mut rows) {
            step(&format!("Envoy: {name}"));
            let origin = Origin::start()?;
            row.envoy = Some(match way {
                Way::Boot => Envoy::at_start(&stage, &origin)?,
                way => Envoy::start(&stage, &origin, "")?.try_out(*way, &origin)?,
            });
        }
    }
    match arguments.output {
        Output::Table => print!("{}", table::markdown(&rows)),
        Output::Json => println!("{}", table::json(&rows)),
    }
    Ok(())
}
