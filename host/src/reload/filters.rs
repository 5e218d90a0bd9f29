//! Which filters there are: from component files to checked code, with the version before it where a file is bad.
//!
//! A filter is named after its file, so a component may serve several times under several names.

use super::configured::Configured;
use super::load::Loader;
use super::policy::FilterPolicy;
use super::provenance::Trust;
use super::status::Failure;
use crate::config::limits;
use crate::manifest::{Diagnostic, Diagnostics, Location, codes};
use crate::telemetry::metrics::ReloadResult;
use crate::wasm::signature::{self, Key};
use crate::wasm::{Code, Crew, engine::ContentHash};
use crate::watch::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A deleted file's filter serves on for this long: tools that replace a file may delete it first, and a policy that is
/// missing for a moment is a hole.
pub(super) const REMOVAL_GRACE: Duration = Duration::from_secs(5);

/// The files of a directory of filters: components and their signatures.
pub(crate) const FILES: &[&str] = &[COMPONENT, signature::EXTENSION];
/// The ending of components.
const COMPONENT: &str = "wasm";

/// A component and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Component {
    /// The file's name without its ending.
    pub name: String,
    pub path: PathBuf,
    pub code: Arc<Code>,
    /// Whether it comes with the proxy.
    pub stock: bool,
    /// The capabilities it was linked with.
    pub(super) granted: Vec<String>,
    /// When its file was found missing.
    missing_since: Option<Instant>,
}

impl Component {
    /// The same with its file there.
    pub(super) fn there(self) -> Self {
        Self { missing_since: None, ..self }
    }
}

impl Loader {
    /// The components of all trees, later trees before earlier ones where names are the same. A refused file goes into
    /// the diagnostics; the component that it had before stays.
    pub(super) fn components(
        &mut self,
        trees: &[Tree],
        policies: &BTreeMap<String, FilterPolicy>,
        keys: &[Key],
        diagnostics: &mut Diagnostics,
    ) -> Vec<Component> {
        let mut found: BTreeMap<String, Component> = BTreeMap::new();
        let mut present = BTreeSet::new();
        for tree in trees {
            let stock = self.settings.stock_filters.as_ref() == Some(&tree.root);
            let trust = Trust { tree, keys: (!stock).then_some(keys), required: self.settings.require_signature };
            let is_component =
                |path: &&PathBuf| path.extension().is_none_or(|extension| extension != signature::EXTENSION);
            for path in tree.files.keys().filter(|path| is_component(path)) {
                present.insert(path.clone());
                match self.component(path, trust, policies) {
                    Ok(Some(component)) => {
                        let component = Component { stock, ..component };
                        self.status.refused.remove(path);
                        place(&mut found, component, &tree.root, diagnostics);
                    }
                    Ok(None) => {}
                    Err(diagnostic) => {
                        diagnostics.push((*diagnostic).clone());
                        self.refuse(path, Diagnostics::from_iter([*diagnostic]));
                        let hash = tree.files.get(path).map(|file| ContentHash(file.hash));
                        keep(&mut found, self.before(path, hash).or_else(|| self.before(path, None)), &tree.root);
                    }
                }
            }
            for (path, reason) in tree.failures.iter().filter(|(path, _)| is_component(path) && !is_absent(tree, path))
            {
                present.insert(path.clone());
                let is_file = path.extension().is_some_and(|extension| extension == COMPONENT);
                let what = if is_file { "filter is refused: it" } else { "directory" };
                let message = format!("the {what} cannot be read: {reason}; what was there before stays");
                let diagnostic = Diagnostic::error(codes::FILTER_REFUSED, message).at(Location::file(path));
                diagnostics.push(diagnostic.clone());
                if is_file {
                    self.refuse(path, Diagnostics::from_iter([diagnostic]));
                }
                for below in self.components.iter().map(|known| &known.path).filter(|known| known.starts_with(path)) {
                    present.insert(below.clone());
                    keep(&mut found, self.before(below, None), &tree.root);
                }
            }
        }
        self.status.refused.retain(|path, _| present.contains(path));
        self.keep_missing(&present, &mut found);
        found.into_values().collect()
    }

    /// What counts where a file's component, if it has one, does not: the newest from there that may come into force, which
    /// may be on trial.
    pub(super) fn before(&self, path: &Path, refused: Option<ContentHash>) -> Option<Component> {
        let of_file = |component: &&Component| component.path == path && Some(component.code.hash) != refused;
        let may = |component: &&Component| self.rollouts.admit(&component.name, component.code.hash).is_ok();
        let newest = self.components.iter().find(of_file);
        let in_force = self.configured.values().map(|configured| &configured.component).find(of_file);
        newest.filter(may).or(in_force).or(newest).map(|before| before.clone().there())
    }

    /// Keeps deleted files' filters for a moment.
    fn keep_missing(&mut self, present: &BTreeSet<PathBuf>, found: &mut BTreeMap<String, Component>) {
        self.recheck = None;
        for before in self.components.iter().filter(|before| !present.contains(&before.path)) {
            let since = before.missing_since.unwrap_or_else(Instant::now);
            let known = |path: &PathBuf| self.components.iter().any(|component| component.path == *path);
            let moved = found.values().any(|new| new.code.hash == before.code.hash && !known(&new.path));
            if moved || since.elapsed() >= REMOVAL_GRACE || found.contains_key(&before.name) {
                tracing::info!(filter = before.name, file = %before.path.display(), moved, "the filter's file is gone");
                continue;
            }
            self.recheck = Some(since + REMOVAL_GRACE);
            found.insert(before.name.clone(), Component { missing_since: Some(since), ..before.clone() });
        }
    }

    /// The component of a file; the one in force while a large one is compiled, and none where there is none in force.
    fn component(
        &mut self,
        path: &Path,
        trust: Trust<'_>,
        policies: &BTreeMap<String, FilterPolicy>,
    ) -> Result<Option<Component>, Box<Diagnostic>> {
        let name = stem(path);
        let refused = |reason: String| {
            let diagnostic = Diagnostic::error(codes::FILTER_REFUSED, format!("the filter is refused: {reason}"));
            Box::new(diagnostic.at(Location::file(path)))
        };
        let policy = policies.get(&name);
        trust.check(path, policy).map_err(|stranger| refused(stranger.to_string()))?;
        let bytes = trust.tree.files.get(path).map(|file| &*file.bytes).unwrap_or_default();
        let granted = policy.map_or_else(|| FilterPolicy::default().capabilities, |policy| policy.capabilities.clone());
        let hash = ContentHash::of(bytes);
        self.rollouts.admit(&name, hash).map_err(|diagnostic| Box::new(diagnostic.at(Location::file(path))))?;
        let in_force = self.configured.values().map(|configured| &configured.component);
        let mut known = self.components.iter().chain(in_force);
        let made = |code| Component {
            name: name.clone(),
            path: path.to_owned(),
            code,
            granted: granted.clone(),
            stock: false,
            missing_since: None,
        };
        if let Some(known) = known.find(|known| known.code.hash == hash && known.granted == granted) {
            return Ok(Some(made(Arc::clone(&known.code))));
        }
        let (code, took) = if let Some(compiled) = self.behind.known(hash, &granted) {
            (compiled.code, compiled.took)
        } else if self.compiles_behind(&name, bytes, hash, &granted) {
            return Ok(self.before(path, None));
        } else {
            let started = Instant::now();
            (self.runtime.load(&name, bytes, &granted, Crew::Several).map(Arc::new), started.elapsed())
        };
        let code = code.map_err(|refusal| refused(refusal.to_string()))?;
        self.telemetry.metrics.filter_compiled(&name, took);
        Ok(Some(made(code)))
    }

    /// Whether a component is being compiled behind, or waits for that: a large one, once there is something in force.
    fn compiles_behind(&mut self, name: &str, bytes: &[u8], hash: ContentHash, granted: &[String]) -> bool {
        let large = bytes.len() >= limits::COMPILED_BEHIND && bytes.len() as u64 <= limits::COMPONENT_SIZE;
        let wanted = large && self.generation > 0 && !self.runtime.has_compiled(hash);
        wanted && self.behind.begin(&self.runtime, name, bytes, (hash, granted.to_vec()))
    }

    /// Refuses a version that does not pass the tests beside it; one that there is another for is not tried again.
    pub(super) fn refuse_tested(&mut self, version: &Configured, in_force: Option<&Configured>, found: Diagnostics) {
        if let Some(in_force) = in_force {
            self.rollouts.reject(version, in_force, "it does not pass the tests beside it");
        }
        self.rollouts.unstaged.remove(&version.component.name);
        self.refuse(&version.component.path, found);
    }

    /// Notes that a file's component does not count, and why.
    pub(super) fn refuse(&mut self, path: &Path, diagnostics: Diagnostics) {
        self.telemetry.metrics.filter_reloaded(&stem(path), ReloadResult::Failure);
        self.status.refused.insert(path.to_owned(), Failure { at: SystemTime::now(), diagnostics });
    }
}

/// Keeps what counted before, unless another file of its directory has its name now.
fn keep(found: &mut BTreeMap<String, Component>, before: Option<Component>, root: &Path) {
    let Some(before) = before else { return };
    if !found.get(&before.name).is_some_and(|other| other.path.starts_with(root)) {
        found.insert(before.name.clone(), before);
    }
}

/// Whether what a tree failed on is nothing but that its directory is not there.
fn is_absent(tree: &Tree, path: &Path) -> bool {
    tree.root == path && std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// What a filter is called: its file's name without the ending.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A filter of the operator's directory takes the place of a stock one of its name; two in one directory, such as in
/// folders of it, are a mistake.
fn place(found: &mut BTreeMap<String, Component>, component: Component, root: &Path, diagnostics: &mut Diagnostics) {
    if let Some(other) = found.get(&component.name).filter(|other| other.path.starts_with(root)) {
        let message = format!("a filter named `{}` is in {} already", component.name, other.path.display());
        let diagnostic = Diagnostic::warning(codes::FILTER_DUPLICATE, message).at(Location::file(&component.path));
        diagnostics.push(diagnostic.help("the first file in order of name counts: rename or remove one of the two"));
        return;
    }
    found.insert(component.name.clone(), component);
}
