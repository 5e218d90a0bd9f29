//! What an explanation says of rules that were not asked about a request at all, and why they were not.

use crate::attachment::MESH;
use crate::document::Document;
use crate::host;
use crate::listener::Member;
use crate::served::{Found, Served};
use crate::table::Table;
use crate::view::View;
use sluicegate_sdk::Candidate;
use std::collections::BTreeSet;

/// Whoever has more documents that do not want a request looks for the one that should.
const MOST_DOCUMENTS: usize = 100;

/// Blocks of a host's documents that do not stand among its candidates.
pub fn blocks(served: &Served) -> Vec<(usize, Found<'_>, String)> {
    let asked: BTreeSet<(*const crate::rule::Rule, usize)> =
        served.candidates().map(|(candidate, found)| (std::ptr::from_ref(found.rule), candidate.block)).collect();
    let mut left_out = Vec::new();
    for Member { document, through, .. } in served.members() {
        for rule in &document.rules {
            for (number, block) in rule.blocks.iter().enumerate() {
                if asked.contains(&(std::ptr::from_ref(rule), number)) {
                    continue;
                }
                let reason = match &block.gateways {
                    Some(gateways) if !block.counts_through(through) => {
                        format!("it counts on {} only", gateways.join(", "))
                    }
                    _ => "an earlier rule of the resource takes every request".to_owned(),
                };
                left_out.push((number, Found { document, rule, block }, reason));
            }
        }
    }
    left_out
}

/// Documents that have the host of a request too, but not here; `served` are those that have it.
pub fn rivals(table: &Table, served: &Served, view: &View<'_>) -> Vec<Candidate> {
    let host = host::of_authority(view.authority());
    let own: Vec<&Document> = served.documents().collect();
    let through: BTreeSet<&String> = served.members().iter().flat_map(|member| &member.through).collect();
    // Where there is no Gateway, documents count on any.
    let of_mesh = through.is_empty() || through.iter().any(|gateway| *gateway == MESH);
    let reason = |document: &Document, name: &str| {
        let narrowest = own.iter().flat_map(|document| &document.hosts).filter(|(_, name)| host::covers(name, &host));
        let narrowest = narrowest.max_by_key(|(_, name)| (!name.starts_with('*'), name.len()));
        let less = narrowest.filter(|(_, narrow)| narrow != name && host::covers(name, narrow));
        match (less, own.first()) {
            (Some((_, narrow)), _) => format!("its host {name} is less specific than {narrow}"),
            (None, Some(owner)) if of_mesh && document.gateways.iter().any(|gateway| gateway == MESH) => {
                format!("{name} belongs to {} {}, which is older", owner.kind.name(), owner.name)
            }
            _ if document.gateways.iter().any(|gateway| through.contains(gateway)) => {
                format!("no server here serves {name} for the namespace {}", document.namespace)
            }
            _ => format!("it counts on {} only", document.gateways.join(", ")),
        }
    };
    let rivals = table.documents().covering(&host);
    let rivals = rivals.iter().filter(|document| !own.iter().any(|own| own.resource == document.resource));
    let rivals = rivals.filter_map(|document| {
        let (_, name) = document.hosts.iter().find(|(_, name)| host::covers(name, &host))?;
        Some(entry(document, reason(document, name)))
    });
    rivals.take(MOST_DOCUMENTS).collect()
}

/// All documents, for a request that no rule was asked about.
pub fn documents(table: &Table) -> Vec<Candidate> {
    let with_hosts = table.documents().iter().filter(|document| !document.hosts.is_empty());
    let told = with_hosts.take(MOST_DOCUMENTS).map(|document| {
        let hosts: Vec<&str> = document.hosts.iter().map(|(_, host)| host.as_str()).collect();
        let gateways = match document.gateways.as_slice() {
            [only] if only == MESH => String::new(),
            several => format!(" on {}", several.join(", ")),
        };
        entry(document, format!("its hosts are {}{gateways}", hosts.join(", ")))
    });
    told.collect()
}

fn entry(document: &Document, reason: String) -> Candidate {
    let name = format!("{} {}", document.kind.name(), document.name);
    Candidate { name, origin: document.origin.clone(), chosen: false, reason }
}
