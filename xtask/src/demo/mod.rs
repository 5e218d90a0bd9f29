//! `cargo xtask demo`: three services, the proxy in front of them, and what to try.

mod guide;

use crate::build::{self, Components, Profile};
use crate::child::RunningChild;
use crate::command::step;
use crate::port;
use crate::wait::{self, Interrupt};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use guide::Guide;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

/// Where the shop's services listen; the endpoints in its manifests say the same.
const SERVICES: [SocketAddr; 3] = [local(9101), local(9102), local(9103)];
/// The shop's manifests, from the root.
const MANIFESTS: &str = "examples/shop/manifests";
/// The services bind at once; the proxy compiles its filters first, on a slow machine in a few seconds.
const START: Duration = Duration::from_secs(60);

const EXAMPLES: &str = "\
Examples:
  cargo xtask demo
  cargo xtask demo --listen 127.0.0.1:8081      when port 8080 is taken
  cargo xtask demo --release                    the optimised proxy; compiling it takes minutes";

/// How to run the demo.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where the proxy listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the proxy's admin endpoints listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901")]
    admin: SocketAddr,
    /// Builds and runs the optimised proxy.
    #[arg(long)]
    release: bool,
}

/// Runs the command, until Ctrl-C.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    check_ports(arguments)?;
    let profile = if arguments.release { Profile::Release } else { Profile::Development };
    build::components(workspace, profile, Components::Stock)?;
    build::programs(profile, &["sluicegate", "sluicegate-shop"])?;

    let interrupt = Interrupt::install()?;
    let mut shop = start_shop(workspace, profile, &interrupt)?;
    let mut proxy = start_proxy(workspace, profile, arguments, &interrupt)?;
    let program = workspace.program(profile, "sluice");
    let program = program.strip_prefix(&workspace.root).unwrap_or(&program).to_owned();
    if !interrupt.came() {
        print!(
            "{}",
            Guide { listen: arguments.listen, admin: arguments.admin, manifests: MANIFESTS, program: &program }
        );
    }

    while !interrupt.came() {
        if let Some(end) = proxy.ended().or_else(|| shop.ended()) {
            bail!(end);
        }
        wait::pause();
    }
    step("ending the proxy, then the services");
    drop(proxy);
    drop(shop);
    Ok(())
}

fn start_shop(workspace: &Workspace, profile: Profile, interrupt: &Interrupt) -> Result<RunningChild> {
    step("starting the services");
    let mut command = Command::new(workspace.program(profile, "shop"));
    let mut shop = RunningChild::start("shop", command.current_dir(&workspace.root), None)?;
    shop.ready(START, || interrupt.came() || SERVICES.into_iter().all(port::answers))?;
    Ok(shop)
}

fn start_proxy(
    workspace: &Workspace,
    profile: Profile,
    arguments: &Arguments,
    interrupt: &Interrupt,
) -> Result<RunningChild> {
    step("starting the proxy");
    let mut command = Command::new(workspace.program(profile, "sluice"));
    command.current_dir(&workspace.root).args(["run", "--manifests", MANIFESTS]);
    command.arg("--listen").arg(arguments.listen.to_string()).arg("--admin").arg(arguments.admin.to_string());
    let mut proxy = RunningChild::start("sluice", &mut command, None)?;
    proxy.ready(START, || interrupt.came() || is_ready(arguments.admin))?;
    Ok(proxy)
}

/// Whether the proxy wants requests. The admin endpoint answers no names but this one, which a web page cannot forge.
fn is_ready(admin: SocketAddr) -> bool {
    let answer = || port::get(admin, "/readyz", &["Host: localhost"]);
    port::answers(admin) && answer().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// Says what is taken before minutes of building, rather than after.
fn check_ports(arguments: &Arguments) -> Result<()> {
    for (flag, address) in [("--listen", arguments.listen), ("--admin", arguments.admin)] {
        if !port::is_free(address) {
            bail!(
                "{address} is taken by another program, or not an address of this machine; choose another with `cargo xtask demo {flag} ADDRESS`"
            );
        }
    }
    let taken: Vec<String> =
        SERVICES.into_iter().filter(|address| !port::is_free(*address)).map(|address| address.to_string()).collect();
    if !taken.is_empty() {
        bail!(
            "the shop's services need {}, which another program has taken; is another demo running?",
            taken.join(", ")
        );
    }
    Ok(())
}

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_way_out() {
        let holder = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let arguments =
            Arguments { listen: holder.local_addr().unwrap(), admin: port::free().unwrap(), release: false };
        let error = check_ports(&arguments).unwrap_err().to_string();
        assert!(error.contains(&arguments.listen.to_string()) && error.contains("--listen"), "{error}");
    }
}
