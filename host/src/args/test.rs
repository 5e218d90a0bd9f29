//! The flags of `sluice test`.

use super::ask::Format;
use super::sources::Sources;
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Tests what would become of requests
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice test routes.yaml
      runs every test of a file, with the manifests that it names
  sluice test routes/*.yaml --manifests manifests -o json
      runs several files with these manifests, and prints what came of them for machines

A file of tests:
  manifests: [manifests]            # beside the file; --manifests takes their place
  tests:
  - name: orders go to the inventory
    request: GET http://order-service/orders?page=2
    headers: {x-user: ada}
    listener: {port: 443, sni: a.b} # or 443, or {mesh: true}; see below
    expect:                         # whatever matters of:
      route: default/order-service  #   filter, route, destination, calls, channels,
      destination: inventory:80     #   authority, path, headers, timeout, retries,
      path: /orders?page=2          #   status, location, response-headers, body
      headers: {x-gone: null}

`route` is what `sluice explain` shows as chosen, or a whole part of it: `default/order-service`, `rule 1`.

A request comes in by the `listener` of the Gateway documents that it names; without it by the port of its URL where they
declare it, otherwise by their lowest port that serves its scheme; `mesh` is the proxy's own listener. `sni` is the name in
the TLS handshake, the URL's host by default, and makes the request https.

No socket is opened: the filters decide as they would for a running proxy, and `upstream: {status: 200}` in a test
is what the service is taken to answer. Exit codes: 0 all passed, 1 one failed or a manifest is refused, 2 usage or a
mistake in a file of tests.")]
pub(crate) struct Test {
    /// Files of tests
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Directory of manifests, or a file, instead of those that the files name; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) manifests: Vec<String>,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// How results are printed
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
}

impl Test {
    /// Whether the command line says which manifests are meant.
    pub(crate) fn names_manifests(&self) -> bool {
        !self.manifests.is_empty() || self.sources.config.is_some()
    }
}
