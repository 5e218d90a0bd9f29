//! Istio's `VirtualService` and the Gateway API's `HTTPRoute`, `GRPCRoute` and `TLSRoute`, as a filter.
//!
//! Documents are resolved when they are loaded ([`document`], [`rule`] and what they are made of) and everything that is
//! wrong with them is reported at once, each with its place and a code of [`code`]. A request looks its host up on its
//! [`listener`], in the [`table`], and gets the decision ([`mod@decide`]) of the host's first rule that matches, which the compiled matcher finds
//! ([`matching`]: the heart of the filter, and where to start reading). Resources of the Gateway API become the same documents
//! ([`gateway_api`]). [`mod@explain`] walks the same table and tells why.
//!
//! The filter sends nothing itself, knows no endpoints and keeps nothing between requests: which of several weighted
//! destinations a request gets depends on its id alone.

pub mod answer;
pub mod attachment;
pub mod code;
pub mod config;
pub mod connection;
pub mod cors;
pub mod decide;
pub mod delegate;
pub mod document;
pub mod duration;
pub mod explain;
pub mod fault;
pub mod gateway;
pub mod gateway_api;
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
use gateway_api::Grants;
use report::{Place, Report};
use sluicegate_sdk::prelude::*;
use table::{Gateways, Owner, Table};
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
        let mut gateways = Gateways::default();
        let grants = read_parents(resources, &mut gateways, diagnostics);
        let mut documents = Vec::new();
        for (index, resource) in resources.iter().enumerate() {
            let mut report = Report::new(resource, diagnostics);
            match resource.kind.as_str() {
                "VirtualService" => documents.extend(virtual_service(resource, index, load, &mut report)),
                "HTTPRoute" | "GRPCRoute" => {
                    documents.extend(gateway_api::route::resolve(resource, index, environment, &grants, &mut report));
                }
                "TLSRoute" => {
                    let route = gateway_api::tls_route::resolve(resource, index, environment, &grants, &mut report);
                    documents.extend(route);
                }
                _ => {}
            }
        }
        Self { table: Table::build(documents, &gateways, environment, resources, diagnostics) }
    }
}

/// Reads what rules are attached to, and which references across namespaces are granted.
fn read_parents(resources: &[Resource], gateways: &mut Gateways, diagnostics: &mut Diagnostics) -> Grants {
    let mut grants = Grants::default();
    for resource in resources {
        let mut report = Report::new(resource, diagnostics);
        match resource.kind.as_str() {
            "Gateway" if gateway_api::is_of_group(resource) => {
                gateways.api.gateways.extend(gateway_api::Gateway::resolve(resource, &mut report));
            }
            "Gateway" => gateways.istio.extend(Gateway::resolve(resource, &mut report)),
            "ReferenceGrant" => grants.add(resource, &mut report),
            "Namespace" => gateways.api.namespaces.add(resource),
            _ => {}
        }
    }
    grants
}

fn virtual_service(resource: &Resource, index: usize, load: Load<'_>, report: &mut Report<'_>) -> Option<Document> {
    match config::read(resource.value.get("spec").cloned().unwrap_or_default()) {
        Ok(spec) => Some(Document::resolve(&spec, resource, index, load, report)),
        Err(error) => {
            let help = "compare the resource with Istio's reference of VirtualService";
            report.error(&Place::spec(), code::UNREADABLE, error.to_string(), help);
            None
        }
    }
}

/// The answer where no rule takes a request.
fn not_found(view: &View<'_>) -> RequestDecision {
    if grpc::is_spoken(view) {
        return grpc::Status::of_http(404).answer("no route matches").into();
    }
    respond(404).into()
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
            Owner::Unserved(_) => not_found(&view),
            Owner::Misdirected(_) => respond(421).into(),
            Owner::Https => respond(301).header("location", redirect::to_https(&view)).into(),
            Owner::Rules(served) => match self.table.find(served, &view) {
                Some(found) => decide::decide(found, &view),
                // The host has an owner, and its rules do not want the request.
                None => not_found(&view),
            },
        }
    }
}

impl ConnectionFilter for Router {
    fn on_connection(&self, connection: &Connection) -> ConnectionDecision {
        self.table.connection(connection)
    }
}

impl Explain for Router {
    fn explain(&self, request: &Request<'_>) -> Explanation {
        explain::explain(&self.table, &View::new(request))
    }
}

sluicegate_sdk::export!(
    Router,
    hooks: [configuration, request, connection, explain],
    kinds: [
        ("networking.istio.io", "VirtualService", "virtualservice.schema.json"),
        ("networking.istio.io", "Gateway", "gateway.schema.json"),
        ("gateway.networking.k8s.io", "HTTPRoute", "gateway_api/httproute.schema.json"),
        ("gateway.networking.k8s.io", "GRPCRoute", "gateway_api/grpcroute.schema.json"),
        ("gateway.networking.k8s.io", "TLSRoute", "gateway_api/tlsroute.schema.json"),
        ("gateway.networking.k8s.io", "Gateway", "gateway_api/gateway.schema.json"),
        ("gateway.networking.k8s.io", "ReferenceGrant", "gateway_api/referencegrant.schema.json"),
        ("", "Namespace", "gateway_api/namespace.schema.json"),
    ],
    capabilities: [],
    priority: -100,
);
