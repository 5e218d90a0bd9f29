//! Builds a snapshot out of scanned files.

use super::behind::Behind;
use super::configured::Configured;
use super::filters::Component;
use super::offers::Offers;
use super::policy::{FilterPolicy, POLICY_SCHEMA};
use super::rollout::Rollouts;
use super::self_test::{self, Surroundings};
use super::status::{Failure, Status};
use crate::config::{Place, Settings, limits};
use crate::dns;
use crate::event::{self, ChannelSpec};
use crate::gateway::{self, Files, Memory, Plan};
use crate::listener::{Change, Listeners};
use crate::manifest::schema::Schema;
use crate::manifest::{self, Diagnostic, Diagnostics, Document, Severity, codes, endpoints};
use crate::overload;
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use crate::telemetry::metrics::{ReloadResult, UpstreamFigures};
use crate::upstream::registry::{Names, Registry};
use crate::upstream::state::States;
use crate::wasm::filter::Configuration;
use crate::wasm::manifest::ClaimedKind;
use crate::wasm::types::{Environment, Severity as Said};
use crate::wasm::{Filter, Grants, Runtime, Scope};
use crate::watch::Tree;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// The group of the host's own kinds.
const OWN_GROUP: &str = "sluicegate.dev";

/// All files that a snapshot is made of.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Manifests.
    pub manifests: Vec<Tree>,
    /// Components: the stock ones first, then the operator's.
    pub filters: Vec<Tree>,
}

/// A snapshot that is ready to serve, and what goes into force with it.
#[derive(Debug)]
pub struct Loaded {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The channels.
    pub channels: Vec<ChannelSpec>,
    /// The listeners.
    pub listeners: Change,
}

/// Remembers what is in force, to reuse it and to fall back on it.
pub struct Loader {
    pub(super) runtime: Arc<Runtime>,
    pub(super) telemetry: Telemetry,
    pub(super) settings: Arc<Settings>,
    /// What is known of endpoints, whatever snapshot has them.
    states: Arc<States>,
    /// The components in force.
    pub(super) components: Vec<Component>,
    /// The documents in force.
    documents: Option<Vec<Arc<Document>>>,
    /// What was parsed before.
    parsed: manifest::Parsed,
    /// What filters are given of documents.
    offers: Offers,
    /// The filters in force, by name.
    pub(super) configured: HashMap<String, Configured>,
    /// Large components that are compiled behind what is in force.
    pub(super) behind: Behind,
    /// Versions that are being tried, watched, or were taken back.
    pub(super) rollouts: Rollouts,
    /// When spare instances are to be made.
    spares_due: Option<Instant>,
    /// When the age of instances was looked at.
    recycled: Instant,
    /// What listens beside `--listen`; none where nothing is to be served.
    listeners: Option<Listeners>,
    /// The plan of it that is in force.
    plan: Plan,
    /// Files that documents and settings name.
    files: Files,
    /// Addresses of host names.
    names: dns::Names,
    /// Which of their changes are in force.
    names_seen: u64,
    /// TLS that was set up before.
    memory: Memory,
    pub(super) generation: u64,
    /// When to look again although no file changes.
    pub(super) recheck: Option<Instant>,
    /// For operators.
    pub status: Status,
}

impl Loader {
    /// Nothing loaded yet. Without `listeners` nothing is listened on.
    pub fn new(
        runtime: Arc<Runtime>,
        telemetry: Telemetry,
        settings: Arc<Settings>,
        names: dns::Names,
        listeners: Option<Listeners>,
    ) -> Self {
        let shown = Status::default();
        let rollouts = Rollouts::noting_in(Arc::clone(&shown.histories));
        let states = Arc::new(States::counted_in(telemetry.metrics.clone()));
        let figures = Arc::clone(&states) as Arc<dyn UpstreamFigures>;
        telemetry.metrics.show_upstreams(Arc::downgrade(&figures));
        telemetry.metrics.show_filter_memory(Arc::clone(runtime.memory()));
        Self {
            runtime,
            telemetry,
            settings,
            states,
            components: Vec::new(),
            documents: None,
            parsed: manifest::Parsed::default(),
            offers: Offers::default(),
            configured: HashMap::new(),
            behind: Behind::default(),
            rollouts,
            spares_due: None,
            recycled: Instant::now(),
            listeners,
            plan: Plan::default(),
            files: Files::default(),
            names,
            names_seen: 0,
            memory: Memory::default(),
            generation: 0,
            recheck: None,
            status: shown,
        }
    }

    /// When to load again although no file changes.
    pub fn recheck(&self) -> Option<Instant> {
        self.recheck
    }

    /// Whether a file that documents or settings name has changed since the last load.
    pub fn files_changed(&mut self) -> bool {
        self.files.changed()
    }

    /// Reads the directories that the settings name.
    pub fn scan(settings: &Settings) -> Sources {
        let scan = |path: &PathBuf, extensions: &[&str]| Tree::scan(path, extensions);
        let filters = settings.stock_filters.iter().chain(&settings.filters);
        Sources {
            manifests: settings.manifests.iter().map(|path| scan(path, manifest::EXTENSIONS)).collect(),
            filters: filters.map(|path| scan(path, super::FILTER_FILES)).collect(),
        }
    }

    /// Builds a snapshot. Bad manifests leave the documents in force, and bad components the components in force; there
    /// is no snapshot when even so nothing fits together. The diagnostics say all of it.
    pub fn load(&mut self, sources: &Sources) -> (Option<Loaded>, Diagnostics) {
        self.names.begin();
        self.names_seen = self.names.changes();
        let (documents, mut diagnostics) =
            manifest::load_changed(&sources.manifests, &self.settings.namespace, &mut self.parsed);
        let loaded = if diagnostics.has_errors() {
            None
        } else {
            self.attempt(sources, documents.clone(), None, &mut diagnostics)
        };
        let loaded = loaded.or_else(|| {
            let documents = self.documents.clone()?;
            let plan = Some(self.plan.clone());
            self.attempt(sources, documents, plan, &mut Diagnostics::new())
        });
        self.names.settle();
        let in_force = self.documents.iter().flatten();
        let hashes = self.components.iter().map(|component| component.code.hash).collect();
        self.offers.keep(in_force.chain(&documents), &hashes);
        let failed = diagnostics.has_errors();
        self.status.last_failure = failed.then(|| Failure { at: SystemTime::now(), diagnostics: diagnostics.clone() });
        self.telemetry.metrics.config_reloaded(if failed { ReloadResult::Failure } else { ReloadResult::Success });
        if loaded.is_some() && !failed {
            self.status.last_success = Some(SystemTime::now());
        }
        diagnostics.sort();
        (loaded, diagnostics)
    }

    /// Says of which channels the events cannot be kept where they are to be.
    fn report_missing_stores(
        &self,
        channels: &[ChannelSpec],
        documents: &[Arc<Document>],
        diagnostics: &mut Diagnostics,
    ) {
        for channel in channels {
            let Some(reason) = self.settings.events.missing(channel.store) else { continue };
            let named = |document: &&Arc<Document>| {
                document.group == "messaging.knative.dev"
                    && document.kind != "Subscription"
                    && format!("{}/{}", document.namespace, document.name) == channel.name
            };
            let message = format!("channel {} takes no events: {reason}", channel.name);
            diagnostics.push(match documents.iter().find(named) {
                Some(document) => document.diagnostic(Severity::Warning, codes::CHANNEL, "/kind", message),
                None => Diagnostic::new(Severity::Warning, codes::CHANNEL, message),
            });
        }
    }

    fn attempt(
        &mut self,
        sources: &Sources,
        documents: Vec<Arc<Document>>,
        plan: Option<Plan>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Loaded> {
        let before = diagnostics.count(Severity::Error);
        let policies = policies(&documents, diagnostics);
        let overload = Arc::new(overload::document::read(&documents, diagnostics));
        // First, as it begins the list of files that are read.
        let plan = plan.unwrap_or_else(|| {
            gateway::plan(&documents, &self.settings, &mut self.files, &mut self.memory, diagnostics)
        });
        let mut files = std::mem::take(&mut self.files);
        let registry = self.registry(&documents, &mut files, diagnostics);
        let keys = self.keys(&mut files, diagnostics);
        self.files = files;
        if diagnostics.count(Severity::Error) > before {
            return None;
        }
        let registry = Arc::new(registry);
        let mut components = self.components(&sources.filters, &policies, &keys, diagnostics);
        let refused = diagnostics.count(Severity::Error);
        let surroundings = Surroundings { registry: &registry, plan: &plan, documents: &documents };
        let mut failed_tests = Diagnostics::new();
        let mut made = Vec::new();
        for component in &mut components {
            let mut policy = policies.get(&component.name).cloned().unwrap_or_default();
            policy.settings.grants = self.grants(component, &policy);
            let Some(version) = self.filter(component, &policy, &documents, diagnostics) else { continue };
            match self.self_tested(version, &surroundings, &mut failed_tests) {
                Ok(version) => made.push(version),
                Err(Some(before)) => {
                    // Its component stays in force, with what documents there are now.
                    *component = before.component;
                    made.extend(self.filter(component, &policy, &documents, diagnostics));
                }
                Err(None) => {}
            }
        }
        report_unclaimed(&documents, &components, diagnostics);
        let channels = channels(&registry.names, &documents, diagnostics);
        self.report_missing_stores(&channels, &documents, diagnostics);
        let fits = diagnostics.count(Severity::Error) == refused;
        diagnostics.extend(failed_tests);
        if !fits {
            return None;
        }
        let listeners = self.listen(&plan, diagnostics)?;
        let gateway_ports = plan.ports();
        self.telemetry.metrics.tls().show_certificates(plan.certificates().to_vec());
        self.plan = plan;
        self.generation += 1;
        let now = SystemTime::now();
        for component in &components {
            let same =
                self.components.iter().any(|old| old.path == component.path && old.code.hash == component.code.hash);
            if !same {
                self.status.since.insert(component.path.clone(), now);
                self.telemetry.metrics.filter_reloaded(&component.name, ReloadResult::Success);
            }
        }
        self.components = components;
        self.place(made);
        self.spares_due = Some(Instant::now() + limits::SPARES_PATIENCE);
        self.documents = Some(documents.clone());
        let chain = Arc::new(self.chain());
        let (generation, built) = (self.generation, now);
        let snapshot = Snapshot { generation, chain, registry, overload, gateway_ports, documents, built };
        Some(Loaded { snapshot, channels, listeners })
    }

    /// A version that passes its tests, or has none. Otherwise the one in force, if there is one: then the component is
    /// refused, and is not tried again.
    fn self_tested(
        &mut self,
        version: Configured,
        surroundings: &Surroundings<'_>,
        failed: &mut Diagnostics,
    ) -> Result<Configured, Option<Box<Configured>>> {
        let name = &version.component.name;
        let in_force = self.configured.get(name).cloned();
        let known = in_force.iter().chain(self.rollouts.candidate(name)).any(|known| known.is(&version));
        if known || !version.policy.rollout.self_test {
            return Ok(version);
        }
        let found = self_test::run(&version, surroundings);
        if !found.has_errors() {
            return Ok(version);
        }
        failed.extend(found.iter().cloned());
        self.refuse_tested(&version, in_force.as_ref(), found);
        Err(in_force.map(Box::new))
    }

    /// Binds what a plan adds; none, and everything as it was, when an address is not to be had.
    fn listen(&mut self, plan: &Plan, diagnostics: &mut Diagnostics) -> Option<Change> {
        let Some(listeners) = &mut self.listeners else { return Some(Change::default()) };
        let prepared = listeners.prepare(&plan.planned());
        let change = prepared.map_err(|errors| {
            for (number, error) in &errors {
                plan.report(*number, error, diagnostics);
            }
        });
        self.status.listeners = listeners.open().to_vec();
        change.ok()
    }

    /// A configured filter: the one in force when nothing that it is made of has changed.
    fn filter(
        &mut self,
        component: &Component,
        policy: &FilterPolicy,
        documents: &[Arc<Document>],
        diagnostics: &mut Diagnostics,
    ) -> Option<Configured> {
        let manifest = &component.code.manifest;
        let claimed = self.claimed(component, documents, diagnostics)?;
        if let Some(schema) = &manifest.settings {
            let schema = compiled(&component.name, schema, diagnostics)?;
            if !policy.settings.settings.is_null()
                && !schema.check_value(&component.name, &policy.settings.settings, diagnostics)
            {
                return None;
            }
        }
        let given: Arc<[_]> = claimed.iter().filter_map(|document| self.offers.given(document)).collect();
        let placed = |version: &Configured| Configured {
            component: component.clone(),
            policy: policy.clone(),
            early: early(component, documents),
            ..version.clone()
        };
        let before = self.configured.get(&component.name);
        let known = before.into_iter().chain(self.rollouts.candidate(&component.name));
        if let Some(known) = known.into_iter().find(|known| known.is_made_of(component, policy, &given)) {
            return Some(placed(known));
        }
        if let Some(before) = before.filter(|before| before.component.code.hash == component.code.hash)
            && let Some(diagnostic) = self.rollouts.rejects(&component.name, policy, &given)
        {
            // Its documents stay in force for the host: only what the filter makes of them was taken back.
            let diagnostic = diagnostic.at(manifest::Location::file(&component.path));
            diagnostics.push(Diagnostic { severity: Severity::Warning, ..diagnostic });
            return Some(before.clone());
        }
        self.rollouts.release(&component.name);
        let environment = Environment {
            namespace: self.settings.namespace.clone(),
            cluster_domain: self.settings.cluster_domain.clone(),
        };
        let configuration = Configuration { environment, documents: Arc::clone(&given) };
        let name: Arc<str> = Arc::from(component.name.as_str());
        let code = Arc::clone(&component.code);
        let metrics = self.telemetry.metrics.filter(&name, &manifest.version, &component.code.hash.to_string());
        let reports = Arc::clone(self.status.reports.entry(component.name.clone()).or_default());
        let holding = self.telemetry.metrics.holdings().of(&name);
        let filter = Filter::new(name, code, policy.settings.clone(), configuration, self.settings.workers, reports);
        let filter = filter.metered(Arc::clone(metrics.meter())).holding(holding);
        let filter = match before {
            Some(before) => filter.succeeding(&before.filter),
            None => filter,
        };
        let filter = Arc::new(filter);
        match filter.warm() {
            Ok(said) => {
                let errors = said.iter().any(|diagnostic| diagnostic.severity == Said::Error);
                for one in said {
                    diagnostics.push(translate(one, &claimed, component));
                }
                if errors {
                    return None;
                }
            }
            Err(failure) => {
                let message = format!("the filter failed to configure: {failure}");
                let diagnostic = Diagnostic::error(codes::FILTER_FAILED, message);
                diagnostics.push(diagnostic.at(manifest::Location::file(&component.path)));
                return None;
            }
        }
        metrics.show(&filter.guard);
        let (component, policy, early) = (component.clone(), policy.clone(), early(component, documents));
        Some(Configured { component, filter, metrics, policy, given, early })
    }

    /// Where a filter may reach: what its document says, else everywhere for what comes with the proxy and nowhere for the
    /// operator's own.
    fn grants(&self, component: &Component, policy: &FilterPolicy) -> Grants {
        let Settings { namespace, cluster_domain, .. } = &*self.settings;
        match &policy.grants {
            Some(written) => Grants::of(written, Scope { namespace, cluster_domain }),
            None if component.stock => Grants::everything(),
            None => Grants::default(),
        }
    }

    /// The documents of the kinds that a filter claims, checked against its schemas; none when one does not fit.
    fn claimed(
        &mut self,
        component: &Component,
        documents: &[Arc<Document>],
        diagnostics: &mut Diagnostics,
    ) -> Option<Vec<Arc<Document>>> {
        let mut claimed = Vec::new();
        let mut fits = true;
        for kind in &component.code.manifest.kinds {
            let mine = for_filters(documents, &kind.group, &kind.kind);
            if mine.is_empty() {
                continue;
            }
            let schema = self.offers.schema((&component.name, component.code.hash), kind, diagnostics)?;
            self.offers.add(mine.iter().copied());
            for document in mine {
                fits &= self.offers.fits(document, &schema, diagnostics);
                claimed.push(Arc::clone(document));
            }
        }
        fits.then_some(claimed)
    }

    /// Readies a spare instance for the next change where that is due, and says whether there was something to do. It takes
    /// as long as configuring one instance.
    pub fn prepare_spare(&mut self) -> bool {
        let Some(due) = self.spares_due else { return false };
        if due <= Instant::now() {
            self.configured.keys().for_each(|name| self.rollouts.release(name));
        }
        let mut filters = self.configured.values().map(|known| &known.filter);
        let other_versions = filters.clone().any(|filter| filter.has_other_versions());
        if other_versions && due > Instant::now() {
            return false;
        }
        if !filters.any(|filter| filter.prepare_spare()) {
            self.spares_due = None;
        }
        true
    }

    fn registry(&self, documents: &[Arc<Document>], files: &mut Files, diagnostics: &mut Diagnostics) -> Registry {
        let names =
            Names { namespace: self.settings.namespace.clone(), cluster_domain: self.settings.cluster_domain.clone() };
        let mut registry = Registry::with_states(names, Arc::clone(&self.states));
        endpoints::build(documents, &mut registry, &self.names, diagnostics);
        for upstream in &self.settings.upstreams {
            let found = match &upstream.place {
                Place::Address(_) => Vec::new(),
                Place::Host(host, _) => self.names.look_up(host).unwrap_or_else(|reason| {
                    let message = format!("`{host}` of an upstream could not be resolved: {reason}");
                    let help = "its requests are answered 503 until the name has an address";
                    diagnostics.push(Diagnostic::new(Severity::Warning, codes::UNRESOLVED, message).help(help));
                    Vec::new()
                }),
            };
            registry.add_upstream(upstream, &found);
        }
        endpoints::apply_policies(documents, &mut registry, &mut |path| files.read(path), diagnostics);
        registry
    }

    /// Replaces instances that are older than the operator wants, and gives back what expired in stores, where that is due.
    pub fn recycle(&mut self) {
        if self.recycled.elapsed() >= limits::RECYCLE_LOOK {
            self.configured.values().for_each(|known| known.filter.recycle_old());
            self.telemetry.metrics.holdings().sweep();
            self.recycled = Instant::now();
        }
    }

    /// Whether a host name has other addresses than it had when the registry in force was built.
    pub fn names_changed(&self) -> bool {
        self.names.changes() != self.names_seen
    }

    /// What is in force, with the addresses that host names have now; none when that cannot be built, such as while a
    /// file that it names is being replaced.
    pub fn renew(&mut self, current: &Snapshot) -> Option<Snapshot> {
        self.names_seen = self.names.changes();
        let documents = self.documents.clone()?;
        // What is read here must not hide a change of files from those who wait for one.
        let (mut files, mut diagnostics) = (Files::default(), Diagnostics::new());
        let registry = Arc::new(self.registry(&documents, &mut files, &mut diagnostics));
        if diagnostics.has_errors() {
            return None;
        }
        self.generation += 1;
        let (chain, overload) = (Arc::clone(&current.chain), Arc::clone(&current.overload));
        let (generation, gateway_ports, built) = (self.generation, current.gateway_ports.clone(), current.built);
        Some(Snapshot { generation, chain, registry, overload, gateway_ports, documents, built })
    }
}

/// The documents of a kind that filters may be given. Keys are none of their business.
fn for_filters<'d>(documents: &'d [Arc<Document>], group: &str, kind: &str) -> Vec<&'d Arc<Document>> {
    let may = |document: &&Arc<Document>| document.is(group, kind) && !gateway::is_secret(document);
    documents.iter().filter(may).collect()
}

fn compiled(owner: &str, schema: &serde_json::Value, diagnostics: &mut Diagnostics) -> Option<Schema> {
    Schema::compile(owner, schema.clone()).map_err(|diagnostic| diagnostics.push(*diagnostic)).ok()
}

/// The `Filter` documents, by the name of the filter that they are for.
fn policies(documents: &[Arc<Document>], diagnostics: &mut Diagnostics) -> BTreeMap<String, FilterPolicy> {
    let mine: Vec<_> = documents.iter().filter(|document| document.is(OWN_GROUP, "Filter")).collect();
    if mine.is_empty() {
        return BTreeMap::new();
    }
    let schema = serde_json::from_str(POLICY_SCHEMA).unwrap_or_default();
    let Some(schema) = compiled("Filter", &schema, diagnostics) else { return BTreeMap::new() };
    let fitting = mine.into_iter().filter(|document| schema.check(document, diagnostics)).cloned().collect::<Vec<_>>();
    fitting.iter().map(|document| (document.name.clone(), FilterPolicy::read(document, diagnostics))).collect()
}

/// A filter's diagnostic with the place that its pointer means.
fn translate(said: crate::wasm::types::Diagnostic, documents: &[Arc<Document>], component: &Component) -> Diagnostic {
    let severity = match said.severity {
        Said::Error => Severity::Error,
        Said::Warning => Severity::Warning,
        Said::Note => Severity::Note,
    };
    let document = said.document.and_then(|index| documents.get(usize::try_from(index).ok()?));
    let diagnostic = match document {
        Some(document) => document.diagnostic(severity, &said.code, &said.pointer, said.message),
        None => Diagnostic::new(severity, &said.code, said.message).at(manifest::Location::file(&component.path)),
    };
    diagnostic.with_help(said.help)
}

/// The second place of a filter that has one, while there are documents of its kinds.
fn early(component: &Component, documents: &[Arc<Document>]) -> Option<i32> {
    let manifest = &component.code.manifest;
    let has_documents = |kind: &ClaimedKind| !for_filters(documents, &kind.group, &kind.kind).is_empty();
    manifest.early.filter(|_| manifest.kinds.iter().any(has_documents))
}

fn report_unclaimed(documents: &[Arc<Document>], components: &[Component], diagnostics: &mut Diagnostics) {
    for document in documents {
        let claims = |component: &Component| {
            component.code.manifest.kinds.iter().any(|kind| document.is(&kind.group, &kind.kind))
        };
        let own = document.is(OWN_GROUP, "Filter")
            || endpoints::claims(document)
            || gateway::claims(document)
            || overload::document::KIND.is_of(document);
        if !own && !components.iter().any(claims) {
            let message = format!("nothing implements kind {} of {}", document.kind, document.api_version);
            let diagnostic = document.diagnostic(Severity::Warning, codes::UNCLAIMED, "/kind", message);
            diagnostics.push(diagnostic.help("add a filter that claims this kind, or remove the document"));
        }
    }
}

fn channels(names: &Names, documents: &[Arc<Document>], diagnostics: &mut Diagnostics) -> Vec<ChannelSpec> {
    let mine: Vec<&Arc<Document>> =
        documents.iter().filter(|document| event::resource::GROUPS.contains(&document.group.as_str())).collect();
    let given: Vec<event::Document<'_>> = mine
        .iter()
        .map(|document| event::Document {
            namespace: &document.namespace,
            name: &document.name,
            kind: &document.kind,
            value: &document.value,
        })
        .collect();
    event::resolve(names, &given).unwrap_or_else(|errors| {
        for error in errors {
            let document =
                mine.iter().find(|document| document.kind == error.kind && document.label().ends_with(&error.name));
            let message = format!("{}: {}", error.field, error.reason);
            match document {
                Some(document) => {
                    diagnostics.push(document.diagnostic(Severity::Error, codes::CHANNEL, "/spec", message));
                }
                None => diagnostics.push(Diagnostic::error(codes::CHANNEL, message)),
            }
        }
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_filter_is_given_a_secret() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let path = std::path::Path::new("a.yaml");
        let documents = manifest::parse(path, text.as_bytes(), "default", &mut Diagnostics::new());
        let documents: Vec<_> = documents.into_iter().map(Arc::new).collect();
        assert_eq!(for_filters(&documents, "", "ConfigMap").len(), 1);
        assert!(for_filters(&documents, "", "Secret").is_empty());
    }
}
