//! What a component's file says of itself, and what an operator grants it: nothing of it is run.

use super::{describe, list};
use anyhow::Context;
use serde::Serialize;
use sluicegate::config::limits;
use sluicegate::manifest::{self, Diagnostics};
use sluicegate::reload::FilterPolicy;
use sluicegate::wasm::engine::ContentHash;
use sluicegate::wasm::manifest::Manifest;
use sluicegate::wasm::signature::{self, Key};
use sluicegate::wasm::{Bound, Grants, Scope, component};
use std::path::{Path, PathBuf};

/// What is in the file.
#[derive(Debug, Serialize)]
pub(super) struct Contents {
    file: String,
    bytes: u64,
    digest: String,
    name: String,
    version: String,
    priority: i32,
    claims: Vec<String>,
    reads: Vec<String>,
    /// Without documents of its kinds it is asked only of requests with one of these attributes; none: of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_unless: Option<Vec<String>>,
    capabilities: Vec<String>,
    hooks: Vec<String>,
    imports: Vec<String>,
    exports: Vec<String>,
    wants: Vec<Want>,
    /// Whether it is the one that its document pins; none where none is pinned.
    pinned: Option<bool>,
    /// What is known of its signature; none where no key was given.
    signature: Option<String>,
    signed: Option<bool>,
}

/// Something that a filter wants.
#[derive(Debug, Serialize)]
struct Want {
    /// `capability`, `forward`, `call` or `publish`.
    kind: &'static str,
    name: String,
    granted: bool,
}

impl Contents {
    /// Reads a component, and the `Filter` document of its name in the manifests.
    pub(super) fn read(path: &Path, manifests: &[PathBuf], keys: &[PathBuf]) -> anyhow::Result<Self> {
        let file = path.display().to_string();
        let size = std::fs::metadata(path).with_context(|| format!("{file} cannot be read"))?.len();
        if size > limits::COMPONENT_SIZE {
            anyhow::bail!("{file} has {size} bytes, more than the {} that a filter may have", limits::COMPONENT_SIZE);
        }
        let bytes = std::fs::read(path).with_context(|| format!("{file} cannot be read"))?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
        let inspection = component::inspect(&stem, &bytes).with_context(|| format!("{file} is not a filter"))?;
        let policy = policy(&stem, manifests)?;
        let digest = format!("sha256:{}", ContentHash::of(&bytes));
        let signature = signed(path, &bytes, keys)?;
        let manifest = inspection.manifest;
        Ok(Self {
            file,
            bytes: size,
            pinned: policy.digest.as_ref().map(|pinned| pinned.eq_ignore_ascii_case(&digest)),
            digest,
            wants: wants(&manifest, &inspection.imports, &policy),
            name: manifest.name,
            version: manifest.version,
            priority: manifest.priority,
            claims: manifest.kinds.into_iter().map(|claim| format!("{}.{}", claim.kind, claim.group)).collect(),
            reads: manifest.reads,
            idle_unless: manifest.idle_unless,
            capabilities: manifest.capabilities,
            hooks: inspection.exports.iter().filter_map(|export| hook(export)).collect(),
            imports: inspection.imports,
            exports: inspection.exports,
            signed: signature.as_ref().map(Result::is_ok),
            signature: signature.map(|signed| signed.unwrap_or_else(|reason| reason)),
        })
    }

    /// Whether nothing that is known here speaks against it.
    pub(super) fn is_taken(&self) -> bool {
        self.wants.iter().all(|want| want.granted) && self.pinned != Some(false) && self.signed != Some(false)
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        let pinned = match self.pinned {
            None => "",
            Some(true) => " (as its document says)",
            Some(false) => " (NOT what its document says)",
        };
        let mut rows = vec![
            ("name", self.name.clone()),
            ("version", self.version.clone()),
            ("file", format!("{} ({} bytes)", self.file, self.bytes)),
            ("digest", format!("{}{pinned}", self.digest)),
        ];
        rows.extend(self.signature.iter().map(|signature| ("signature", signature.clone())));
        rows.extend([
            ("priority", self.priority.to_string()),
            ("claims", list(&self.claims)),
            ("hooks", list(&self.hooks)),
            ("reads", list(&self.reads)),
        ]);
        rows.extend(self.idle_unless.iter().map(|attributes| ("idle", idle(attributes))));
        rows.extend([
            ("capabilities", list(&self.capabilities)),
            ("imports", list(&self.imports)),
            ("exports", list(&self.exports)),
        ]);
        if self.wants.is_empty() {
            rows.push(("wants", "nothing".into()));
        }
        rows.extend(self.wants.iter().map(|want| ("wants", want.describe())));
        describe(&rows)
    }
}

impl Want {
    fn describe(&self) -> String {
        let Self { kind, name, granted } = self;
        match (*granted, *kind) {
            (true, _) => format!("{kind} {name}: granted"),
            (false, "capability") => {
                format!("{kind} {name}: NOT GRANTED, add `capabilities: [{name}]` to its Filter document")
            }
            (false, _) => {
                format!("{kind} {name}: NOT GRANTED, add `grants: {{{kind}: [{name}]}}` to its Filter document")
            }
        }
    }
}

/// When a filter is not asked about requests.
fn idle(attributes: &[String]) -> String {
    let without = "without documents of what it claims";
    if attributes.is_empty() {
        return without.to_owned();
    }
    format!("{without}, but for requests with {}", attributes.join(" or "))
}

/// The `Filter` document of this name; what counts without one, where there is none.
fn policy(name: &str, manifests: &[PathBuf]) -> anyhow::Result<FilterPolicy> {
    let (documents, mut diagnostics) = manifest::load(manifests, "default");
    let document = documents.iter().find(|document| document.is("sluicegate.dev", "Filter") && document.name == name);
    let policy = document.map(|document| FilterPolicy::read(document, &mut diagnostics)).unwrap_or_default();
    refuse(&diagnostics)?;
    Ok(policy)
}

fn refuse(diagnostics: &Diagnostics) -> anyhow::Result<()> {
    if diagnostics.has_errors() {
        anyhow::bail!("the manifests are not to be used:\n{}", diagnostics.lines().join("\n"));
    }
    Ok(())
}

fn wants(manifest: &Manifest, imports: &[String], policy: &FilterPolicy) -> Vec<Want> {
    // What it imports counts, and what its manifest says beside that.
    let imported = component::CAPABILITIES.iter().map(|(capability, _)| *capability).filter(|capability| {
        let import = format!("sluicegate:filter/{capability}@");
        imports.iter().any(|imported| imported.starts_with(&import))
    });
    let mut capabilities: Vec<&str> = imported.chain(manifest.capabilities.iter().map(String::as_str)).collect();
    capabilities.sort_unstable();
    capabilities.dedup();
    let capability = |name: &str| Want {
        kind: "capability",
        name: name.to_owned(),
        granted: policy.capabilities.iter().any(|granted| granted == name),
    };
    let scope = Scope { namespace: "default", cluster_domain: "cluster.local" };
    let grants = policy.grants.as_ref().map(|written| Grants::of(written, scope)).unwrap_or_default();
    let places =
        [(Bound::Forward, &manifest.forward), (Bound::Call, &manifest.call), (Bound::Publish, &manifest.publish)];
    let place = |(bound, names): (Bound, &Vec<String>)| -> Vec<Want> {
        let want =
            |name: &String| Want { kind: bound.name(), name: name.clone(), granted: grants.covers(bound, name, scope) };
        names.iter().map(want).collect()
    };
    capabilities.into_iter().map(capability).chain(places.into_iter().flat_map(place)).collect()
}

/// Who has signed it, or why it counts as signed by nobody; none where no key was given.
fn signed(path: &Path, bytes: &[u8], keys: &[PathBuf]) -> anyhow::Result<Option<Result<String, String>>> {
    if keys.is_empty() {
        return Ok(None);
    }
    let read = |file: &PathBuf| {
        let pem = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        Key::parse(file, &pem).with_context(|| format!("{} cannot be used", file.display()))
    };
    let keys = keys.iter().map(read).collect::<anyhow::Result<Vec<Key>>>()?;
    let beside = signature::beside(path);
    Ok(Some(match std::fs::read(&beside) {
        Err(error) => Err(format!("NONE: {} cannot be read: {error}", beside.display())),
        Ok(signature) => match signature::verify(&keys, bytes, &signature) {
            Ok(key) => Ok(format!("good, by {}", key.file.display())),
            Err(error) => Err(format!("BAD: {error}")),
        },
    }))
}

/// The hook that an exported interface is, such as `request-filter`.
fn hook(export: &str) -> Option<String> {
    let interface = export.strip_prefix("sluicegate:filter/")?;
    Some(interface.split_once('@').map_or(interface, |(name, _)| name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::wasm::WrittenGrants;

    #[test]
    fn a_file_that_is_no_component_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("auth.wasm");
        std::fs::write(&path, "not wasm").unwrap();
        let error = format!("{:#}", Contents::read(&path, &[], &[]).unwrap_err());
        assert!(error.contains("auth.wasm is not a filter: it is not a WebAssembly component"), "{error}");
    }

    #[test]
    fn it_is_said_when_a_filter_is_not_asked() {
        assert_eq!(idle(&[]), "without documents of what it claims");
        let destinations = idle(&["compose.destinations".into()]);
        assert_eq!(destinations, "without documents of what it claims, but for requests with compose.destinations");
    }

    #[test]
    fn wants_are_held_against_grants_and_say_what_to_add() {
        let manifest = Manifest {
            capabilities: vec!["log".into()],
            call: vec!["inventory-*".into(), "prices".into()],
            publish: vec!["orders".into()],
            ..Manifest::unnamed("a")
        };
        let written = WrittenGrants { call: vec!["inventory-*".into()], ..WrittenGrants::default() };
        let policy = FilterPolicy { grants: Some(written), ..FilterPolicy::default() };
        let imports = ["sluicegate:filter/clock@0.1.0".to_owned(), "sluicegate:filter/types@0.1.0".to_owned()];
        let said: Vec<String> = wants(&manifest, &imports, &policy).iter().map(Want::describe).collect();
        let expected = [
            "capability clock: NOT GRANTED, add `capabilities: [clock]` to its Filter document",
            "capability log: granted",
            "call inventory-*: granted",
            "call prices: NOT GRANTED, add `grants: {call: [prices]}` to its Filter document",
            "publish orders: NOT GRANTED, add `grants: {publish: [orders]}` to its Filter document",
        ];
        assert_eq!(said, expected);
    }
}
