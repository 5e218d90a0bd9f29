//! All documents together: which rules a host has, in which order.

use crate::code;
use crate::document::Document;
use crate::host::{self, HostIndex};
use crate::matcher::Block;
use crate::report::{Place, Report};
use crate::rule::Rule;
use crate::view::View;
use sluicegate_sdk::{Diagnostics, Environment, Resource};
use std::collections::BTreeMap;

/// The rules of all hosts.
#[derive(Debug)]
pub struct Table {
    /// The oldest first.
    documents: Vec<Document>,
    hosts: HostIndex<usize>,
    /// What the hosts point to. Hosts with the same documents share one.
    virtual_hosts: Vec<VirtualHost>,
}

/// The candidates of a host, in the order in which they are tried.
#[derive(Debug)]
pub struct VirtualHost {
    documents: Vec<usize>,
    candidates: Vec<Candidate>,
}

/// One block of one rule, by number.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    document: usize,
    rule: usize,
    /// The block's place in its rule, from 0.
    pub block: usize,
}

/// A candidate's parts.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The resource.
    pub document: &'a Document,
    /// The rule.
    pub rule: &'a Rule,
    /// The block that matched.
    pub block: &'a Block,
}

impl Table {
    /// Puts the documents together; a host that an older one owns is reported.
    pub fn build(
        mut documents: Vec<Document>,
        environment: &Environment,
        resources: &[Resource],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        // No two documents of a kind share a name, so the order is never left to chance.
        documents.sort_unstable_by(|one, two| one.age().cmp(&two.age()));
        let by_host = owners(&documents, resources, diagnostics);
        let mut table = Self { documents, hosts: HostIndex::new(), virtual_hosts: Vec::new() };
        let mut shared: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        let mut aliases = Vec::new();
        for (name, documents) in by_host {
            let next = table.virtual_hosts.len();
            let number = *shared.entry(documents.clone()).or_insert(next);
            if number == next {
                let virtual_host = table.virtual_host(documents);
                table.virtual_hosts.push(virtual_host);
            }
            aliases.push((host::aliases(&name, environment), number));
            table.hosts.insert(&name, number);
        }
        // Only now, as a name that is written out goes before one that is made.
        for (names, number) in aliases {
            table.hosts.insert_aliases(names, &number);
        }
        table
    }

    /// The candidates that these documents give together; what takes everything stands at the end.
    fn virtual_host(&self, documents: Vec<usize>) -> VirtualHost {
        let mut candidates: Vec<Candidate> =
            documents.iter().flat_map(|&document| self.candidates_of(document)).collect();
        if documents.len() > 1 {
            candidates.sort_by_key(|candidate| self.found(*candidate).is_some_and(|found| found.block.is_catch_all()));
        }
        VirtualHost { documents, candidates }
    }

    /// All blocks of a document up to the first that takes everything.
    fn candidates_of(&self, document: usize) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let rules = self.documents.get(document).map_or(&[][..], |document| &document.rules);
        for (rule, resolved) in rules.iter().enumerate() {
            for (block, conditions) in resolved.blocks.iter().enumerate() {
                candidates.push(Candidate { document, rule, block });
                if conditions.is_catch_all() {
                    return candidates;
                }
            }
        }
        candidates
    }

    /// The rules of the host that a request is for; none when no document has it.
    pub fn host(&self, view: &View<'_>) -> Option<&VirtualHost> {
        let number = self.hosts.find(&host::of_authority(view.authority()))?;
        self.virtual_hosts.get(*number)
    }

    /// The first candidate that a request matches.
    pub fn find(&self, host: &VirtualHost, view: &View<'_>) -> Option<Found<'_>> {
        let mut candidates = host.candidates.iter().filter_map(|candidate| self.found(*candidate));
        candidates.find(|found| found.block.matches(view))
    }

    /// The candidates of a host, in the order in which they are tried.
    pub fn candidates<'a>(&'a self, host: &'a VirtualHost) -> impl Iterator<Item = (Candidate, Found<'a>)> {
        host.candidates.iter().filter_map(|candidate| Some((*candidate, self.found(*candidate)?)))
    }

    /// All documents, the oldest first.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The documents that a host has its rules from.
    pub fn documents_of<'a>(&'a self, host: &'a VirtualHost) -> impl Iterator<Item = &'a Document> {
        host.documents.iter().filter_map(|document| self.documents.get(*document))
    }

    fn found(&self, candidate: Candidate) -> Option<Found<'_>> {
        let document = self.documents.get(candidate.document)?;
        let rule = document.rules.get(candidate.rule)?;
        Some(Found { document, rule, block: rule.blocks.get(candidate.block)? })
    }
}

/// The documents of each host. Those bound to a gateway add up; of those bound to `mesh` alone the oldest counts.
fn owners(
    documents: &[Document],
    resources: &[Resource],
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Vec<usize>> {
    let mut owners: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut of_mesh: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, document) in documents.iter().enumerate() {
        for (index, host) in &document.hosts {
            let owner = if document.mesh_only { *of_mesh.entry(host).or_insert(number) } else { number };
            if owner == number {
                owners.entry(host.clone()).or_default().push(number);
            } else if let (Some(owner), Some(resource)) = (documents.get(owner), resources.get(document.resource)) {
                let message = format!(
                    "{host} belongs to VirtualService {} at {}, so no request for it gets here",
                    owner.name, owner.origin
                );
                let help =
                    "the oldest resource owns a host (by creation timestamp, then by name); put the rules in there";
                let place = Place::spec().key("hosts").index(*index);
                Report::new(resource, diagnostics).warning(&place, code::OWNED_HOST, message, help);
            }
        }
    }
    owners
}
