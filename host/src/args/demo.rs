//! `sluice demo`.

use clap::Args;

/// Runs a shop of three services behind the proxy, and says what to try
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice demo
      opens the shop at 127.0.0.1:8080, and prints requests to send from another terminal
  sluice demo --listen 127.0.0.1:8081 --admin 127.0.0.1:9902
      takes other ports when those are taken; port 0 takes a free one
  sluice demo --keep
      leaves the manifests behind, for `sluice run --manifests`

The manifests are in a fresh directory and may be edited while it runs. It ends on SIGTERM or Ctrl-C.")]
pub(crate) struct Demo {
    /// Address to take requests on, 127.0.0.1:8080 by default
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Address of the admin endpoint, 127.0.0.1:9901 by default
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<String>,
    /// Keeps the directory of manifests when it ends
    #[arg(long)]
    pub(crate) keep: bool,
}
