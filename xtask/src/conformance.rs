//! `cargo xtask conformance`: what the specifications of others say, asked of the real proxy.

use crate::build::{self, Components, Profile};
use crate::command::{cargo, run as run_command, step};
use crate::suites;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const EXAMPLES: &str = "\
Examples:
  cargo xtask conformance routing                     every case of routing in tests/conformance/routing
  cargo xtask conformance routing cors                only cases with `cors` in their name
  cargo xtask conformance routing --cases ../data     documents of Gateway API and Istio, from a directory of yours
  cargo xtask conformance events                      every case of events and of filter expressions
  cargo xtask conformance events --cases ../data      the CloudEvents specification's kit for expressions
  cargo xtask conformance http2                       the cases of httpwg about RFC 9113, through a chain of filters
  cargo xtask conformance websocket                   Autobahn's cases of WebSocket, directly and through a chain of filters
  cargo xtask conformance grpc -o json                gRPC's interoperability tests, with and without filters, for programs

What is known to differ is listed with its reason, in tests/conformance. A run fails when anything else differs, and when
something that is listed does not.";

/// What to hold the proxy to.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Which cases.
    suite: Suite,
    /// Runs only the cases whose name holds this.
    #[arg(conflicts_with = "cases")]
    only: Option<String>,
    /// Checks documents that other projects say must be taken or refused, instead of the repository's cases: a directory
    /// with `gateway-api/examples/standard`, `gateway-api/hack/invalid-examples` and `istio`; for events one with `cesql`.
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// How the results are printed.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

/// For whom results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// A line for each case, and how many there are.
    Table,
    /// A JSON object for each list of differences.
    Json,
}

/// Cases that belong together.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Suite {
    /// Istio's VirtualService, Gateway API's HTTPRoute and GRPCRoute.
    Routing,
    /// CloudEvents and Knative Eventing.
    Events,
    /// RFC 9113, as httpwg asks for it.
    Http2,
    /// RFC 6455, as Autobahn's cases ask for it.
    Websocket,
    /// gRPC's interoperability tests.
    Grpc,
}

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if matches!(arguments.suite, Suite::Http2 | Suite::Websocket | Suite::Grpc)
        && (arguments.only.is_some() || arguments.cases.is_some())
    {
        bail!("a suite that others have made runs as a whole, without words or --cases");
    }
    build::components(workspace, Profile::Development, Components::All)?;
    step("building everything, with its tests");
    run_command(cargo().args(["build", "--all-targets"]).args(build::EVERYTHING))?;
    let lists = workspace.root.join("tests/conformance");
    let conformance = || {
        let mut program = Command::new(workspace.program(Profile::Development, "conformance"));
        program.args((arguments.output == Output::Json).then_some("--json"));
        program
    };
    let suite = |suite: suites::Suite, name: &str| {
        suite.ensure(workspace)?;
        run_command(conformance().arg(name).arg(lists.join(name).with_extension("yaml")))
    };
    let expressions =
        |cases: &Path, list: &str| run_command(conformance().arg("expressions").arg(cases).arg(lists.join(list)));
    match (arguments.suite, &arguments.cases) {
        (Suite::Routing, None) => {
            run_command(conformance().arg("cases").arg(lists.join("routing")).args(&arguments.only))
        }
        (Suite::Routing, Some(documents)) => {
            run_command(conformance().arg("documents").arg(documents).arg(lists.join("documents.yaml")))
        }
        (Suite::Events, None) => {
            if arguments.only.is_none() {
                expressions(&lists.join("expressions"), "expressions/differences.yaml")?;
            }
            run_command(conformance().arg("cases").arg(lists.join("events")).args(&arguments.only))
        }
        (Suite::Events, Some(cases)) => expressions(&cases.join("cesql"), "cesql.yaml"),
        (Suite::Http2, _) => suite(suites::Suite::Http2, "http2"),
        (Suite::Websocket, _) => suite(suites::Suite::Python, "websocket"),
        (Suite::Grpc, _) => suite(suites::Suite::Python, "grpc"),
    }
}
