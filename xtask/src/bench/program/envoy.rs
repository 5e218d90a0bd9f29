//! Envoy: one listener, nothing switched on that the comparison does not need.

use super::{Peer, Stage, sluice};
use anyhow::Result;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// What it is given to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Envoy {
    /// Passing on.
    Plain,
    /// Passing on, with the filter that reads two headers and sets one each way.
    Headers,
    /// Answering from the filter that asks two services.
    Compose,
    /// This many routes.
    Routes(u32),
}

impl Envoy {
    pub(super) fn peers(self) -> &'static [Peer] {
        match self {
            Self::Plain | Self::Routes(_) => &[Peer::Envoy],
            Self::Headers => &[Peer::Envoy, Peer::EnvoyHeaders],
            Self::Compose => &[Peer::Envoy, Peer::EnvoyCompose],
        }
    }

    pub(super) fn command(self, stage: &Stage<'_>, name: &str, listen: SocketAddr) -> Result<Command> {
        let wasm = match self {
            Self::Plain | Self::Routes(_) => None,
            Self::Headers => Some(stage.peers.get(Peer::EnvoyHeaders)?.program.as_path()),
            Self::Compose => Some(stage.peers.get(Peer::EnvoyCompose)?.program.as_path()),
        };
        let clusters = [
            cluster("origin", stage.origins.plain),
            cluster("order", stage.origins.order),
            cluster("inventory", stage.origins.inventory),
        ];
        let configuration = configuration(listen, wasm, &self.routes(), &clusters);
        let file = stage.write(name, "json", &configuration.to_string())?;
        let mut command = stage.peer(Peer::Envoy)?;
        command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "--config-path"]);
        command.arg(file);
        Ok(command)
    }

    fn routes(self) -> Vec<Value> {
        let to_origin = json!({"cluster": "origin"});
        match self {
            Self::Routes(number) => sluice::prefixes(number)
                .map(|prefix| {
                    let header = json!({"name": "x-tenant", "string_match": {"exact": "blue"}});
                    json!({"match": {"prefix": prefix, "headers": [header]}, "route": to_origin})
                })
                .collect(),
            Self::Plain | Self::Headers | Self::Compose => vec![json!({"match": {"prefix": "/"}, "route": to_origin})],
        }
    }
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn cluster(name: &str, address: SocketAddr) -> Value {
    json!({"name": name, "type": "STATIC", "load_assignment": {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(address)}}]}],
    }})
}

fn kind(name: &str) -> String {
    format!("type.googleapis.com/envoy.extensions.filters.{name}")
}

/// JSON is one of its formats.
fn configuration(listen: SocketAddr, wasm: Option<&Path>, routes: &[Value], clusters: &[Value]) -> Value {
    let wasm = wasm.map(|file| {
        json!({"name": "wasm", "typed_config": {"@type": kind("http.wasm.v3.Wasm"), "config": {
            "name": "wasm",
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": file}}},
        }}})
    });
    // Without it every request would get headers that no other proxy adds.
    let last = json!({"name": "router", "typed_config": {
        "@type": kind("http.router.v3.Router"), "suppress_envoy_headers": true,
    }});
    let filters: Vec<Value> = wasm.into_iter().chain([last]).collect();
    json!({"static_resources": {
        "listeners": [{"name": "bench", "address": socket(listen), "filter_chains": [{"filters": [{
            "name": "http",
            "typed_config": {
                "@type": kind("network.http_connection_manager.v3.HttpConnectionManager"),
                "stat_prefix": "bench",
                "http_filters": filters,
                "route_config": {"virtual_hosts": [{"name": "bench", "domains": ["*"], "routes": routes}]},
            },
        }]}]}],
        "clusters": clusters,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoy_gets_the_filter_before_its_router() {
        let address = ([127, 0, 0, 1], 1).into();
        let text = |wasm| configuration(address, wasm, &Envoy::Plain.routes(), &[]).to_string();
        let with = text(Some(Path::new("/f.wasm")));
        assert!(with.find("envoy.wasm.runtime.v8").unwrap() < with.find("router.v3").unwrap());
        assert!(!text(None).contains("wasm"));
    }

    #[test]
    fn envoy_has_the_rules_of_the_virtual_service() {
        let routes = Envoy::Routes(1000).routes();
        assert_eq!(routes.len(), 1000);
        assert_eq!(routes[999]["match"]["prefix"], "/last/");
    }
}
