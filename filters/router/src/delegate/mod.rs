//! Rules that another resource has: a root's rule says which requests, its delegate what becomes of them.
//!
//! Every pair of the root's rule and one of the delegate's becomes a rule of the root, before anything is resolved, so
//! what is resolved and matched knows of no delegates. The pairs are made of documents as written, not of the types
//! that read them: a field that is added there is merged here without being named, unless the root may fill it in.

mod conjunction;

use conjunction::conjunction;
use serde_json::{Map, Value};
use sluicegate_sdk::{Environment, Resource};
use std::collections::{HashMap, HashSet};

/// What the root fills in where the delegate has nothing of its own. A field counts as a whole.
const FILLED_IN: [&str; 6] = ["rewrite", "timeout", "retries", "fault", "corsPolicy", "headers"];
/// The same for mirrors, of which the fields belong together.
const MIRRORS: [&str; 4] = ["mirror", "mirrors", "mirrorPercent", "mirrorPercentage"];

/// All resources that rules could be delegated to.
#[derive(Debug, Default)]
pub struct Delegates<'a> {
    /// By namespace and name.
    resources: HashMap<Name<'a>, &'a Resource>,
    /// Those that delegate, and those that are delegated to. The others are not kept as values.
    values: HashMap<(String, String), Value>,
    used: HashSet<(String, String)>,
}

/// Namespace and name.
type Name<'a> = (&'a str, &'a str);

/// A rule of a root, merged with one of its delegate.
#[derive(Debug)]
pub struct Merged {
    /// As it could be written.
    pub rule: Value,
    /// The place of the delegate's rule among its rules.
    pub index: usize,
}

/// Why a rule cannot be delegated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such resource.
    Unknown,
    /// The resource has hosts, so it has requests of its own.
    HasHosts,
}

impl<'a> Delegates<'a> {
    /// Looks through all VirtualServices.
    pub fn new(resources: impl Iterator<Item = &'a Resource> + Clone) -> Self {
        // A text without the word cannot have the field; most have not, and need not be read for that.
        let roots = resources.clone().filter(|resource| resource.json().contains("\"delegate\""));
        let mut values: HashMap<_, Value> = roots.map(|root| (owned_name_of(root), root.value())).collect();
        let mut used = HashSet::new();
        for ((namespace, _), root) in &values {
            let named = rules(root).iter().filter_map(|rule| named(rule.get("delegate")?, namespace));
            used.extend(named.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())));
        }
        let resources: HashMap<Name<'_>, &Resource> = resources.map(|resource| (name_of(resource), resource)).collect();
        for key @ (namespace, name) in &used {
            if let Some(resource) = resources.get(&(namespace.as_str(), name.as_str())) {
                values.entry(key.clone()).or_insert_with(|| resource.value());
            }
        }
        Self { resources, values, used }
    }

    /// Whether a rule of some resource delegates to this one.
    pub fn is_used(&self, resource: &Resource) -> bool {
        self.used.contains(&(resource.namespace.clone(), resource.name.clone()))
    }

    /// Namespace and name of everything that rules delegate to, whether it is there or not.
    pub fn into_used(self) -> HashSet<(String, String)> {
        self.used
    }

    /// The resource that a rule of `root` delegates to.
    pub fn find(&self, root: &Resource, namespace: Option<&str>, name: &str) -> Result<&'a Resource, Refusal> {
        let namespace = namespace.filter(|namespace| !namespace.is_empty()).unwrap_or(&root.namespace);
        let found = self.resources.get(&(namespace, name)).ok_or(Refusal::Unknown)?;
        let value = self.values.get(&owned_name_of(found));
        let hosts = value.and_then(|value| value.pointer("/spec/hosts"));
        let hosts = hosts.and_then(Value::as_array);
        if hosts.is_some_and(|hosts| !hosts.is_empty()) { Err(Refusal::HasHosts) } else { Ok(found) }
    }

    /// Merges one rule of a root with every rule of its delegate. Where a match of the delegate's contradicts
    /// every one of the root's, the place of its rule is handed to `dropped`.
    pub fn merge(
        &self,
        root: &Resource,
        index: usize,
        delegate: &Resource,
        environment: &Environment,
        mut dropped: impl FnMut(usize),
    ) -> Vec<Merged> {
        let rules = |resource| self.values.get(&owned_name_of(resource)).map_or(&[][..], rules);
        let Some(Value::Object(written)) = rules(root).get(index) else { return Vec::new() };
        let mut merged = Vec::new();
        for (index, own) in rules(delegate).iter().enumerate() {
            let Value::Object(own) = own else { continue };
            let roots = (matches(written), root.namespace.as_str());
            match conjunction(roots, (matches(own), delegate.namespace.as_str())) {
                Some(matches) => {
                    let mut rule = own.clone();
                    rule.remove("delegate");
                    rule.insert("match".to_owned(), Value::Array(matches));
                    fill_in(&mut rule, written, &root.namespace, environment);
                    merged.push(Merged { rule: Value::Object(rule), index });
                }
                None => dropped(index),
            }
        }
        merged
    }
}

fn name_of(resource: &Resource) -> Name<'_> {
    (&resource.namespace, &resource.name)
}

fn owned_name_of(resource: &Resource) -> (String, String) {
    (resource.namespace.clone(), resource.name.clone())
}

fn rules(document: &Value) -> &[Value] {
    document.pointer("/spec/http").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn matches(rule: &Map<String, Value>) -> &[Value] {
    rule.get("match").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn named<'v>(delegate: &'v Value, namespace: &'v str) -> Option<(&'v str, &'v str)> {
    let text = |field: &str| delegate.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    Some((text("namespace").unwrap_or(namespace), text("name")?))
}

fn fill_in(rule: &mut Map<String, Value>, root: &Map<String, Value>, namespace: &str, environment: &Environment) {
    let has = |rule: &Map<String, Value>, field: &str| rule.get(field).is_some_and(|value| !value.is_null());
    // What a redirect or an answer excludes is not filled in, either. An answer of the root's never is: a rule of a
    // delegate has something to do, or is refused.
    let sends = !has(rule, "redirect") && !has(rule, "directResponse");
    for field in FILLED_IN.into_iter().filter(|field| sends || !["rewrite", "fault"].contains(field)) {
        if let Some(value) = root.get(field).filter(|_| !has(rule, field)) {
            rule.insert(field.to_owned(), value.clone());
        }
    }
    if sends && !MIRRORS.iter().any(|field| has(rule, field)) {
        for field in MIRRORS {
            rule.extend(
                root.get(field).map(|value| (field.to_owned(), with_full_hosts(value, namespace, environment))),
            );
        }
    }
    let name = |rule: &Map<String, Value>| rule.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let joined = match (name(root), name(rule)) {
        (root, own) if own.is_empty() => root,
        (root, own) if root.is_empty() => own,
        (root, own) => format!("{root}-{own}"),
    };
    rule.insert("name".to_owned(), Value::String(joined));
}

/// Names of services stand in the namespace of the resource that they are written in.
fn with_full_hosts(value: &Value, namespace: &str, environment: &Environment) -> Value {
    match value {
        Value::Array(elements) => {
            elements.iter().map(|element| with_full_hosts(element, namespace, environment)).collect()
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| match value {
                Value::String(host) if name == "host" => {
                    (name.clone(), Value::String(environment.full_name(host, namespace)))
                }
                other => (name.clone(), with_full_hosts(other, namespace, environment)),
            };
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}
