//! Istio's `VirtualService` and the Gateway API's `HTTPRoute`, `GRPCRoute` and `TLSRoute`, as a filter.
//!
//! Documents are resolved when they are loaded ([`document`], [`rule`] and what they are made of) and everything that is
//! wrong with them is reported at once, each with its place and a code of [`code`]. A request looks its host up on its
//! [`listener`], in the [`table`], and gets the decision ([`mod@decide`]) of the host's first rule that matches, which the compiled matcher finds
//! ([`matching`]: the heart of the filter, and where to start reading). Resources of the Gateway API become the same documents
//! ([`gateway_api`]). [`mod@explain`] walks the same table and tells why.
//!
//! A change of VirtualServices is taken over without the rest: they are resolved one by one, and only the hosts that they
//! have are put together anew ([`shares`] says who serves a host, [`listener`] keeps the hosts, [`served`] compiles one).
//! Whatever else changes, such as a Gateway or a delegate, has a fresh instance configured.
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
pub mod documents;
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
pub mod served;
pub mod share;
pub mod shares;
pub mod table;
pub mod target;
pub mod template;
pub mod text;
pub mod time;
pub mod view;

use delegate::Delegates;
use document::{Document, Kind, Load};
use gateway::Gateway;
use gateway_api::Grants;
use report::{Place, Report};
use sluicegate_sdk::prelude::*;
use std::collections::HashSet;
use table::{Gateways, Owner, Table};
use view::View;

const VIRTUAL_SERVICE: &str = "VirtualService";

/// The filter.
#[derive(Debug)]
pub struct Router {
    table: Table,
    /// Stands in for what names leave out.
    environment: Environment,
    /// Namespace and name of everything that rules delegate to.
    delegated: HashSet<(String, String)>,
}

impl Configure for Router {
    type Settings = ();

    fn configure(environment: &Environment, (): (), resources: &[Resource], diagnostics: &mut Diagnostics) -> Self {
        let delegates = Delegates::new(resources.iter().filter(|resource| resource.kind == VIRTUAL_SERVICE));
        let load = Load { environment, delegates: &delegates };
        let mut gateways = Gateways::default();
        let grants = read_parents(resources, &mut gateways, diagnostics);
        let mut documents = Vec::new();
        for resource in resources {
            let mut report = Report::new(resource, diagnostics);
            match resource.kind.as_str() {
                VIRTUAL_SERVICE => documents.extend(virtual_service(resource, load, &mut report)),
                "HTTPRoute" | "GRPCRoute" => {
                    documents.extend(gateway_api::route::resolve(resource, environment, &grants, &mut report));
                }
                "TLSRoute" => {
                    let route = gateway_api::tls_route::resolve(resource, environment, &grants, &mut report);
                    documents.extend(route);
                }
                _ => {}
            }
        }
        let table = Table::build(documents, &gateways, environment, diagnostics);
        Self { table, environment: environment.clone(), delegated: delegates.into_used() }
    }
}

impl Update for Router {
    fn update(&mut self, removed: &[ResourceId], added: &[Resource], diagnostics: &mut Diagnostics) -> Updated {
        if !removed.iter().all(|number| self.stands_alone(*number)) {
            return Updated::Afresh;
        }
        let delegates = Delegates::default();
        let load = Load { environment: &self.environment, delegates: &delegates };
        let mut documents = Vec::new();
        for resource in added {
            if resource.kind != VIRTUAL_SERVICE || self.is_delegated_to(&resource.namespace, &resource.name) {
                return Updated::Afresh;
            }
            documents.extend(virtual_service(resource, load, &mut Report::new(resource, diagnostics)));
        }
        if documents.iter().any(|document| document.linked) {
            return Updated::Afresh;
        }
        if !diagnostics.has_errors() {
            self.table.update(removed, documents, &self.environment, diagnostics);
        }
        Updated::Done
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

fn virtual_service(resource: &Resource, load: Load<'_>, report: &mut Report<'_>) -> Option<Document> {
    match config::read(resource) {
        Ok(spec) => Some(Document::resolve(&spec, resource, load, report)),
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

    /// Whether taking a document out concerns nothing but its own hosts: it is a VirtualService that neither delegates nor is
    /// delegated to.
    fn stands_alone(&self, number: ResourceId) -> bool {
        self.table.documents().get(number).is_some_and(|document| {
            let (namespace, name) = document.name.split_once('/').unwrap_or_default();
            document.kind == Kind::VirtualService && !document.linked && !self.is_delegated_to(namespace, name)
        })
    }

    fn is_delegated_to(&self, namespace: &str, name: &str) -> bool {
        !self.delegated.is_empty() && self.delegated.contains(&(namespace.to_owned(), name.to_owned()))
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
            Owner::Rules(served) => match served.find(&view) {
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
    hooks: [configuration, update, request, connection, explain],
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
    idle_unless: [],
);
