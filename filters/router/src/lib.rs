//! Istio's `VirtualService`, as a filter.
//!
//! Documents are resolved when they are loaded ([`document`], [`rule`] and what they are made of) and everything that is
//! wrong with them is reported at once, each with its place and a code of [`code`]. A request looks its host up on its
//! [`listener`], in the [`table`], and gets the decision ([`mod@decide`]) of the host's first rule that matches, which the compiled matcher finds
//! ([`matching`]: the heart of the filter, and where to start reading). [`mod@explain`] walks the same table and tells why.
//!
//! The filter sends nothing itself, knows no endpoints and keeps nothing between requests: which of several weighted
//! destinations a request gets depends on its id alone.

pub mod answer;
pub mod attachment;
pub mod code;
pub mod config;
pub mod cors;
pub mod decide;
pub mod delegate;
pub mod document;
pub mod duration;
pub mod explain;
pub mod fault;
pub mod gateway;
pub mod grpc;
pub mod header;
pub mod host;
pub mod inert;
pub mod layer4;
pub mod left_out;
pub mod listener;
pub mod matcher;
pub mod matching;
pub mod mirror;
pub mod redirect;
pub mod report;
pub mod retry;
pub mod rewrite;
pub mod rule;
pub mod share;
pub mod table;
pub mod target;
pub mod template;
pub mod text;
pub mod time;
pub mod view;

use delegate::Delegates;
use document::{Document, Load};
use gateway::Gateway;
use report::{Place, Report};
use sluicegate_sdk::prelude::*;
use table::{Owner, Table};
use view::View;

/// The filter.
#[derive(Debug)]
pub struct Router {
    table: Table,
}

impl Configure for Router {
    type Settings = ();

    fn configure(environment: &Environment, (): (), resources: &[Resource], diagnostics: &mut Diagnostics) -> Self {
        let delegates = Delegates::new(resources.iter().filter(|resource| resource.kind == "VirtualService"));
        let load = Load { environment, delegates: &delegates };
        let (mut documents, mut gateways) = (Vec::new(), Vec::new());
        for (index, resource) in resources.iter().enumerate() {
            let mut report = Report::new(resource, diagnostics);
            if resource.kind == "Gateway" {
                gateways.extend(Gateway::resolve(resource, &mut report));
                continue;
            }
            match config::read(resource.value.get("spec").cloned().unwrap_or_default()) {
                Ok(spec) => documents.push(Document::resolve(&spec, resource, index, load, &mut report)),
                Err(error) => {
                    let help = "compare the resource with Istio's reference of VirtualService";
                    report.error(&Place::spec(), code::UNREADABLE, error.to_string(), help);
                }
            }
        }
        Self { table: Table::build(documents, &gateways, environment, resources, diagnostics) }
    }
}

impl Router {
    /// The rules of all hosts.
    pub fn table(&self) -> &Table {
        &self.table
    }
}

impl RequestFilter for Router {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        let view = View::new(request);
        match self.table.owner(&view) {
            Owner::Nobody => next().into(),
            Owner::Unserved(_) => respond(404).into(),
            Owner::Https => respond(301).header("location", redirect::to_https(&view)).into(),
            Owner::Rules(served) => match self.table.find(served, &view) {
                Some(found) => decide::decide(found, &view),
                // The host has an owner, and its rules do not want the request.
                None => respond(404).into(),
            },
        }
    }
}

impl Explain for Router {
    fn explain(&self, request: &Request<'_>) -> Explanation {
        explain::explain(&self.table, &View::new(request))
    }
}

sluicegate_sdk::export!(
    Router,
    hooks: [configuration, request, explain],
    kinds: [
        ("networking.istio.io", "VirtualService", "virtualservice.schema.json"),
        ("networking.istio.io", "Gateway", "gateway.schema.json"),
    ],
    capabilities: [],
    priority: -100,
);
