//! The rules of one host, and the documents that they come from.

use crate::document::Document;
use crate::listener::{Entry, Member, Share};
use crate::matching::{Block, Candidate, Position, VirtualHost};
use crate::rule::Rule;
use crate::view::View;
use sluicegate_sdk::ResourceId;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A host's rules, and the documents that they come from.
#[derive(Debug)]
pub struct Served {
    /// The oldest first; candidates name them by their place.
    members: Vec<Member>,
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

impl Served {
    fn build(mut members: Vec<Member>) -> Self {
        members.shrink_to_fit();
        let merged = members.len() > 1;
        let candidates =
            members.iter().enumerate().flat_map(|(place, member)| candidates_of(place, member, merged)).collect();
        let rules = VirtualHost::build(candidates, |candidate| block(&members, candidate));
        Self { members, rules }
    }

    /// The first candidate that a request matches.
    pub fn find(&self, view: &View<'_>) -> Option<Found<'_>> {
        self.found(self.rules.find(view, |candidate| block(&self.members, candidate))?)
    }

    /// The candidates, in the order in which they stand.
    pub fn candidates(&self) -> impl Iterator<Item = (Candidate, Found<'_>)> {
        self.rules.candidates().iter().filter_map(|candidate| Some((*candidate, self.found(*candidate)?)))
    }

    /// The documents that the host has its rules from.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.members.iter().map(|member| &*member.document)
    }

    /// The same, each with the gateways through which it is attached there.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    fn found(&self, candidate: Candidate) -> Option<Found<'_>> {
        let document = &*self.members.get(candidate.document)?.document;
        let rule = document.rules.get(candidate.rule)?;
        Some(Found { document, rule, block: rule.blocks.get(candidate.block)? })
    }
}

fn block(members: &[Member], candidate: Candidate) -> Option<&Block> {
    members.get(candidate.document)?.document.rules.get(candidate.rule)?.blocks.get(candidate.block)
}

/// All blocks of a document; where they are taken in written order, those up to the first that takes everything, which
/// stands behind those of other documents.
fn candidates_of(place: usize, member: &Member, merged: bool) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (rule, resolved) in member.document.rules.iter().enumerate() {
        for (block, asked) in resolved.blocks.iter().enumerate() {
            if !asked.counts_through(&member.through) {
                continue;
            }
            let written_order = asked.specificity.is_written_order();
            let everything = written_order && asked.is_catch_all();
            let specificity = asked.specificity;
            let specificity = if written_order { specificity } else { specificity.with_first(member.host) };
            let position = Position { last: merged && everything, specificity, document: place, rule, block };
            candidates.push(Candidate { position, document: place, rule, block });
            if everything {
                return candidates;
            }
        }
    }
    candidates
}

/// What tells the rules of one host from those of another: documents, through what, under which host.
type Key = Vec<(ResourceId, BTreeSet<String>, u32)>;

/// Compiles the rules of hosts, those of hosts with the same documents once.
#[derive(Debug, Default)]
pub struct Compiler {
    shared: BTreeMap<Key, Rc<Served>>,
}

impl Compiler {
    /// What a host leads to.
    pub fn entry(&mut self, share: Share) -> Entry {
        let served = (!share.members.is_empty()).then(|| self.serve(share.members));
        Entry { served, https_redirect: share.https_redirect }
    }

    fn serve(&mut self, members: Vec<Member>) -> Rc<Served> {
        // Most documents have one host, which nothing can be shared with.
        if let [Member { document, .. }] = members.as_slice()
            && document.hosts.len() == 1
            && document.parents.is_empty()
        {
            return Rc::new(Served::build(members));
        }
        let key =
            members.iter().map(|member| (member.document.resource, member.through.clone(), member.host)).collect();
        Rc::clone(self.shared.entry(key).or_insert_with(|| Rc::new(Served::build(members))))
    }
}
