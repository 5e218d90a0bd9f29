//! Documents and components are tried together: they go into force as a whole, or what is in force stays.

use super::super::configured::Configured;
use super::super::filters::Component;
use super::super::self_test::Surroundings;
use super::version::Novelties;
use super::{Loaded, Loader, Sources, channels, claims};
use crate::config::limits;
use crate::gateway::{self, Plan};
use crate::listener::Change;
use crate::manifest::{Diagnostics, Document, Severity};
use crate::overload::{self, Policy};
use crate::snapshot::Snapshot;
use crate::telemetry::metrics::ReloadResult;
use crate::upstream::registry::Registry;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// What fits together, before it is in force.
struct Fitting {
    documents: Vec<Arc<Document>>,
    registry: Arc<Registry>,
    overload: Arc<Policy>,
    plan: Plan,
    components: Vec<Component>,
    /// The versions of the components.
    made: Vec<Configured>,
}

impl Loader {
    /// Builds a snapshot of these documents. `plan` is that of its listeners, where it is known already. There is none when
    /// something does not fit; what is in force stays then.
    pub(super) fn attempt(
        &mut self,
        (sources, novelties): (&Sources, Novelties),
        documents: Vec<Arc<Document>>,
        plan: Option<Plan>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Loaded> {
        let before = diagnostics.count(Severity::Error);
        let policies = claims::policies(&documents, diagnostics);
        let overload = Arc::new(overload::document::read(&documents, diagnostics));
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
        let (made, unfit) = self.versions(&mut components, &policies, (&surroundings, novelties), diagnostics);
        claims::report_unclaimed(&documents, &components, diagnostics);
        let channels = channels::resolve(&registry.names, &documents, diagnostics);
        channels::report_missing_stores(&self.settings.events, &channels, &documents, diagnostics);
        let fits = diagnostics.count(Severity::Error) == refused;
        diagnostics.extend(unfit);
        if !fits {
            return None;
        }
        let listeners = self.listen(&plan, diagnostics)?;
        let snapshot = self.commit(Fitting { documents, registry, overload, plan, components, made });
        Some(Loaded { snapshot, channels, listeners })
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

    /// Remembers what fits together as what is in force.
    fn commit(&mut self, fitting: Fitting) -> Snapshot {
        let Fitting { documents, registry, overload, plan, components, made } = fitting;
        let gateway_ports = plan.ports();
        self.telemetry.metrics.tls().show_certificates(plan.certificates().to_vec());
        self.plan = plan;
        self.generation += 1;
        let now = SystemTime::now();
        self.note_new(&components, now);
        self.components = components;
        self.place(made);
        self.spares_due = Some(Instant::now() + limits::SPARES_PATIENCE);
        self.documents = Some(documents.clone());
        let chain = Arc::new(self.chain());
        let (generation, built) = (self.generation, now);
        Snapshot { generation, chain, registry, overload, gateway_ports, documents, built }
    }

    /// Notes since when the components are in force that are not yet.
    fn note_new(&mut self, components: &[Component], now: SystemTime) {
        for component in components {
            let same =
                self.components.iter().any(|old| old.path == component.path && old.code.hash == component.code.hash);
            if !same {
                self.status.since.insert(component.path.clone(), now);
                self.telemetry.metrics.filter_reloaded(&component.name, ReloadResult::Success);
            }
        }
    }
}
