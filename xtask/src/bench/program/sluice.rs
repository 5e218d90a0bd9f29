//! This project's proxy.

use super::{Origins, Stage, source};
use crate::port;
use anyhow::{Context, Result};
use serde_json::json;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The test filter that reads two request headers and sets one header each way.
const FILTER: &str = "headers";

/// What it is given to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sluice {
    /// This many copies of the header filter, and none of the stock filters: they would have nothing to do, and Envoy
    /// is measured without routing by filters too.
    Filters(u32),
    /// The stock filters, and this file of `tests/peers/sluice`.
    Manifest(&'static str),
    /// A VirtualService with this many rules.
    Routes(u32),
    /// This many VirtualServices of two rules each, but for the one that is asked, which has one.
    Services(u32),
    /// A channel that keeps its events here.
    Channel(Store),
}

/// Where a channel keeps its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// The process.
    Memory,
    /// Files, below the directory of the scenario.
    File,
    /// Streams of the broker, which keeps them in files.
    Nats,
}

/// What a channel may take, so that it is never full: more than a long measurement publishes.
const SIZE: &str = "8GiB";
/// Where nobody listens: RFC 863's port for what is thrown away.
const NOBODY: &str = "nobody=127.0.0.1:9";

impl Store {
    /// Where the files of a subject's channels are, if that is where they are.
    pub(super) fn files(self, stage: &Stage<'_>, name: &str) -> Option<PathBuf> {
        (self == Self::File).then(|| stage.file(name, "events"))
    }

    /// The manifest, and what the proxy has to be told beside it.
    fn apply(self, stage: &Stage<'_>, name: &str, manifests: &Path, command: &mut Command) -> Result<()> {
        let settings = match self {
            Self::Memory => return manifest(manifests, &written(stage, "channel.yaml")?),
            Self::File => json!({"store": "file", "directory": stage.file(name, "events"), "size": SIZE}),
            Self::Nats => {
                let broker = stage.nats.as_ref().context("the broker is not running")?.clients;
                json!({"store": "nats", "nats": {"servers": [format!("nats://{broker}")]}, "size": SIZE})
            }
        };
        // JSON is YAML too.
        let configuration = stage.write(name, "yaml", &json!({ "events": settings }).to_string())?;
        command.arg("--config").arg(configuration).arg("--upstream").arg(NOBODY);
        manifest(manifests, &written(stage, "channel-kept.yaml")?)
    }
}

impl Sluice {
    pub(super) fn command(self, stage: &Stage<'_>, name: &str, listen: SocketAddr) -> Result<Command> {
        let (filters, manifests) = (stage.empty_directory(name, "filters")?, stage.empty_directory(name, "manifests")?);
        let mut command = stage.native("sluice");
        command.arg("run").arg("--filters").arg(&filters).arg("--manifests").arg(&manifests);
        command.arg("--listen").arg(listen.to_string()).arg("--admin").arg(port::free()?.to_string());
        let Origins { plain, order, inventory } = stage.origins;
        for (service, address) in [("origin", plain), ("order", order), ("inventory", inventory)] {
            command.arg("--upstream").arg(format!("{service}={address}"));
        }
        command.args(["--workers", "1", "--access-log", "off"]);
        match self {
            Self::Filters(number) => {
                copies(stage, number, &filters)?;
                command.arg("--stock-filters").arg(stage.empty_directory(name, "stock")?);
            }
            Self::Manifest(file) => manifest(&manifests, &written(stage, file)?)?,
            Self::Routes(number) => manifest(&manifests, &routes(number))?,
            Self::Channel(store) => store.apply(stage, name, &manifests, &mut command)?,
            Self::Services(number) => {
                manifest(&manifests, &routes(1))?;
                for number in 1..number {
                    let file = manifests.join(format!("service-{number:05}.yaml"));
                    fs::write(&file, virtual_service(number))
                        .with_context(|| format!("{} cannot be written", file.display()))?;
                }
            }
        }
        Ok(command)
    }
}

/// A filter is named after its file, so each copy is one more in the chain.
fn copies(stage: &Stage<'_>, number: u32, directory: &Path) -> Result<()> {
    let component = stage.workspace.test_filter_directory().join(FILTER).with_extension("wasm");
    for number in 1..=number {
        let copy = directory.join(format!("{FILTER}-{number}.wasm"));
        fs::copy(&component, &copy)
            .with_context(|| format!("{} cannot be copied to {}", component.display(), copy.display()))?;
    }
    Ok(())
}

fn written(stage: &Stage<'_>, file: &str) -> Result<String> {
    let path = source(stage.workspace, "sluice").join(file);
    fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
}

fn manifest(directory: &Path, text: &str) -> Result<()> {
    let file = directory.join("bench.yaml");
    fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))
}

/// Rules that differ in their prefix; the last one takes `/last/`.
fn routes(number: u32) -> String {
    let mut text = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: origin}
spec:
  hosts: [origin]
  http:
"
    .to_owned();
    for prefix in prefixes(number) {
        // Writing into a string never fails.
        let _ = write!(
            text,
            "  - match: [{{uri: {{prefix: {prefix}}}, headers: {{x-tenant: {{exact: blue}}}}}}]\n    \
             route: [{{destination: {{host: origin, port: {{number: 80}}}}}}]\n"
        );
    }
    text
}

/// A VirtualService as they are in use: of its two rules one splits, rewrites and has limits.
pub(crate) fn virtual_service(number: u32) -> String {
    format!(
        "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: service-{number}
  namespace: shop
  labels: {{app: service-{number}, team: team-{team}}}
spec:
  hosts: [service-{number}.example.com]
  http:
    - name: api
      match:
        - uri: {{prefix: /api/}}
          method: {{exact: GET}}
        - uri: {{prefix: /v2/api/}}
      rewrite: {{uri: /}}
      timeout: 3s
      retries: {{attempts: 2, perTryTimeout: 1s, retryOn: \"5xx,reset\"}}
      route:
        - destination: {{host: service-{number}, subset: v1, port: {{number: 8080}}}}
          weight: 90
        - destination: {{host: service-{number}, subset: v2, port: {{number: 8080}}}}
          weight: 10
    - name: pages
      headers: {{response: {{set: {{x-service: service-{number}}}}}}}
      route:
        - destination: {{host: service-{number}-pages, port: {{number: 8080}}}}
",
        team = number % 40,
    )
}

/// The prefixes of this many rules, for every program that routes.
pub(super) fn prefixes(number: u32) -> impl Iterator<Item = String> {
    let others = (1..number).map(|number| format!("/service-{number:04}/"));
    others.chain(["/last/".to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_as_many_as_asked_for_and_the_last_one_is_last() {
        let text = routes(3);
        assert_eq!(text.matches("match:").count(), 3);
        assert!(text.rfind("/last/").unwrap() > text.rfind("/service-0002/").unwrap(), "{text}");
    }
}
