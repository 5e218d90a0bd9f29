//! All documents together: which rules a host has, in which order.

use crate::code;
use crate::document::Document;
use crate::host::{self, HostIndex};
use crate::matching::{Block, Candidate, Position, VirtualHost};
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
    served: Vec<Served>,
}

/// A host's rules, and the documents that they come from.
#[derive(Debug)]
pub struct Served {
    documents: Vec<usize>,
    rules: VirtualHost,
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
        let mut table = Self { documents, hosts: HostIndex::new(), served: Vec::new() };
        let mut shared: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        let mut aliases = Vec::new();
        for (name, documents) in by_host {
            let next = table.served.len();
            let number = *shared.entry(documents.clone()).or_insert(next);
            if number == next {
                let served = table.serve(documents);
                table.served.push(served);
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

    /// The rules that these documents give together; where there are several, what takes everything stands at the end.
    fn serve(&self, documents: Vec<usize>) -> Served {
        let merged = documents.len() > 1;
        let candidates = documents.iter().flat_map(|&document| self.candidates_of(document, merged)).collect();
        let rules = VirtualHost::build(candidates, |candidate| self.block(candidate));
        Served { documents, rules }
    }

    /// All blocks of a document up to the first that takes everything.
    fn candidates_of(&self, document: usize, merged: bool) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let rules = self.documents.get(document).map_or(&[][..], |document| &document.rules);
        for (rule, resolved) in rules.iter().enumerate() {
            for (block, conditions) in resolved.blocks.iter().enumerate() {
                let everything = conditions.is_catch_all();
                let specificity = conditions.specificity;
                let position = Position { last: merged && everything, specificity, document, rule, block };
                candidates.push(Candidate { position, document, rule, block });
                if everything {
                    return candidates;
                }
            }
        }
        candidates
    }

    /// The rules of the host that a request is for; none when no document has it.
    pub fn host(&self, view: &View<'_>) -> Option<&Served> {
        let number = self.hosts.find(&host::of_authority(view.authority()))?;
        self.served.get(*number)
    }

    /// The first candidate that a request matches.
    pub fn find(&self, host: &Served, view: &View<'_>) -> Option<Found<'_>> {
        self.found(host.rules.find(view, |candidate| self.block(candidate))?)
    }

    /// The candidates of a host, in the order in which they stand.
    pub fn candidates<'a>(&'a self, host: &'a Served) -> impl Iterator<Item = (Candidate, Found<'a>)> {
        host.rules.candidates().iter().filter_map(|candidate| Some((*candidate, self.found(*candidate)?)))
    }

    /// All documents, the oldest first.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The documents that a host has its rules from.
    pub fn documents_of<'a>(&'a self, host: &'a Served) -> impl Iterator<Item = &'a Document> {
        host.documents.iter().filter_map(|document| self.documents.get(*document))
    }

    fn block(&self, candidate: Candidate) -> Option<&Block> {
        self.documents.get(candidate.document)?.rules.get(candidate.rule)?.blocks.get(candidate.block)
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
