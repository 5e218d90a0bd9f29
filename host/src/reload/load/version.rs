//! A component with its settings and documents becomes a version of its filter that is ready to serve.

use super::super::configured::Configured;
use super::super::filters::Component;
use super::super::policy::FilterPolicy;
use super::super::self_test::{self, Surroundings};
use super::Loader;
use super::claims::{compiled, early, for_filters};
use crate::config::Settings;
use crate::manifest::{Diagnostic, Diagnostics, Document, Location, Severity, codes};
use crate::telemetry::FilterMetrics;
use crate::wasm::filter::Configuration;
use crate::wasm::types::{self, Environment, Severity as Said};
use crate::wasm::{Documents, Filter, Grants, Scope};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What becomes of filters that are new and do not take their settings and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelties {
    /// Nothing comes into force: what came with them may count on them.
    Needed,
    /// The rest does without them.
    LeftOut,
}

/// What serves in the place of a component that is refused.
struct StandIn {
    component: Component,
    /// None, with errors, where it does not take its settings and documents either.
    version: Option<Configured>,
    found: Diagnostics,
}

impl Loader {
    /// The version of each component, and what was found of components that are refused: one that does not take its settings
    /// and documents, or does not pass the tests beside it, is replaced by the one before it, where that does.
    pub(super) fn versions(
        &mut self,
        components: &mut Vec<Component>,
        policies: &BTreeMap<String, FilterPolicy>,
        (surroundings, novelties): (&Surroundings<'_>, Novelties),
        diagnostics: &mut Diagnostics,
    ) -> (Vec<Configured>, Diagnostics) {
        let (mut made, mut refused) = (Vec::new(), Diagnostics::new());
        for mut component in std::mem::take(components) {
            let written = policies.get(&component.name).cloned().unwrap_or_default();
            let policy = self.policy(&component, &written);
            let mut found = Diagnostics::new();
            let documents = surroundings.documents;
            let configured = self.version(&component, &policy, documents, &mut found);
            let is_unfit = configured.is_none();
            let version = match configured {
                Some(version) => {
                    diagnostics.extend(found);
                    self.self_tested(version, &written, surroundings, &mut refused)
                }
                None => {
                    Err(self.unfit(&component, found, (&written, documents, novelties), (diagnostics, &mut refused)))
                }
            };
            match version {
                Ok(version) => made.push(version),
                Err(Some(before)) => {
                    component = before.component;
                    made.extend(before.version);
                    diagnostics.extend(before.found);
                }
                // What it claims is claimed, however wrong it is.
                Err(None) if is_unfit && novelties == Novelties::Needed => {}
                Err(None) => continue,
            }
            components.push(component);
        }
        (made, refused)
    }

    /// How a component is run by what is written of its filter.
    fn policy(&self, component: &Component, written: &FilterPolicy) -> FilterPolicy {
        let mut policy = written.clone();
        policy.settings.grants = self.grants(component, written);
        policy
    }

    /// The component before this one, or else the one in force, that takes these settings and documents.
    fn stand_in(
        &mut self,
        component: &Component,
        written: &FilterPolicy,
        documents: &[Arc<Document>],
    ) -> Option<Box<StandIn>> {
        let before = self.before(&component.path, Some(component.code.hash));
        let in_force = self.configured.get(&component.name).map(|in_force| in_force.component.clone().there());
        let in_force = in_force.filter(|in_force| in_force.code.hash != component.code.hash);
        before.into_iter().chain(in_force).find_map(|candidate| {
            let stand_in = self.standing_in(candidate, written, documents);
            stand_in.version.is_some().then_some(stand_in)
        })
    }

    fn standing_in(
        &mut self,
        component: Component,
        written: &FilterPolicy,
        documents: &[Arc<Document>],
    ) -> Box<StandIn> {
        let (policy, mut found) = (self.policy(&component, written), Diagnostics::new());
        let version = self.version(&component, &policy, documents, &mut found);
        Box::new(StandIn { component, version, found })
    }

    /// What stands in for a component that does not take its settings and documents. Where nothing does it is they that are
    /// wrong, unless the component is new and may be left out.
    fn unfit(
        &mut self,
        component: &Component,
        found: Diagnostics,
        (written, documents, novelties): (&FilterPolicy, &[Arc<Document>], Novelties),
        (diagnostics, refused): (&mut Diagnostics, &mut Diagnostics),
    ) -> Option<Box<StandIn>> {
        let before = self.stand_in(component, written, documents);
        let is_new = !self.configured.contains_key(&component.name);
        if before.is_some() || (is_new && novelties == Novelties::LeftOut) {
            refused.extend(found.iter().cloned());
            self.refuse(&component.path, found);
        } else {
            diagnostics.extend(found);
        }
        before
    }

    /// A version that passes its tests, or has none. Otherwise the one in force, if there is one: then the component is
    /// refused, and is not tried again.
    fn self_tested(
        &mut self,
        version: Configured,
        written: &FilterPolicy,
        surroundings: &Surroundings<'_>,
        failed: &mut Diagnostics,
    ) -> Result<Configured, Option<Box<StandIn>>> {
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
        let stand_in = self.stand_in(&version.component, written, surroundings.documents);
        Err(stand_in.or_else(|| {
            // It stays in force, with what documents there are now.
            Some(self.standing_in(in_force?.component.there(), written, surroundings.documents))
        }))
    }

    /// A configured filter: the one in force when nothing that it is made of has changed.
    fn version(
        &mut self,
        component: &Component,
        policy: &FilterPolicy,
        documents: &[Arc<Document>],
        diagnostics: &mut Diagnostics,
    ) -> Option<Configured> {
        let claimed = self.claimed(component, documents, diagnostics)?;
        if !settings_fit(component, policy, diagnostics) {
            return None;
        }
        let given: Documents = claimed.iter().filter_map(|document| self.offers.given(document)).collect();
        let early = early(component, documents);
        let before = self.configured.get(&component.name);
        let known = before.into_iter().chain(self.rollouts.candidate(&component.name));
        if let Some(known) = known.into_iter().find(|known| known.is_made_of(component, policy, &given)) {
            let (component, policy) = (component.clone(), policy.clone());
            return Some(Configured { component, policy, early, ..known.clone() });
        }
        if let Some(before) = before.filter(|before| before.component.code.hash == component.code.hash)
            && let Some(diagnostic) = self.rollouts.rejects(&component.name, policy, &given)
        {
            // Its documents stay in force for the host: only what the filter makes of them was taken back.
            let diagnostic = diagnostic.at(Location::file(&component.path));
            diagnostics.push(Diagnostic { severity: Severity::Warning, ..diagnostic });
            return Some(Configured { early, ..before.clone().placed_as(policy) });
        }
        self.rollouts.release(&component.name);
        let (filter, metrics) = self.filter(component, policy, &given);
        if !configures(&filter, component, &claimed, diagnostics) {
            return None;
        }
        metrics.show(&filter.guard);
        let (component, policy) = (component.clone(), policy.clone());
        Some(Configured { component, filter, metrics, policy, given, early })
    }

    /// A filter that has not been asked yet whether it takes its documents.
    fn filter(
        &mut self,
        component: &Component,
        policy: &FilterPolicy,
        given: &Documents,
    ) -> (Arc<Filter>, Arc<FilterMetrics>) {
        let environment = Environment {
            namespace: self.settings.namespace.clone(),
            cluster_domain: self.settings.cluster_domain.clone(),
        };
        let configuration = Configuration { environment, documents: Arc::clone(given) };
        let name: Arc<str> = Arc::from(component.name.as_str());
        let code = Arc::clone(&component.code);
        let metrics = self.telemetry.metrics.filter(&name, &code.manifest.version, &code.hash.to_string());
        let reports = Arc::clone(self.status.reports.entry(component.name.clone()).or_default());
        let holding = self.telemetry.metrics.holdings().of(&name);
        let filter = Filter::new(name, code, policy.settings.clone(), configuration, self.settings.workers, reports);
        let filter = filter.metered(Arc::clone(metrics.meter())).holding(holding);
        let filter = match self.configured.get(&component.name) {
            Some(before) => filter.succeeding(&before.filter),
            None => filter,
        };
        (Arc::new(filter), metrics)
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
}

/// Whether the settings of a filter's document are what its schema asks for.
fn settings_fit(component: &Component, policy: &FilterPolicy, diagnostics: &mut Diagnostics) -> bool {
    let Some(schema) = &component.code.manifest.settings else { return true };
    let Some(schema) = compiled(&component.name, schema, diagnostics) else { return false };
    let settings = &policy.settings.settings;
    settings.is_null() || schema.check_value(&component.name, settings, diagnostics)
}

/// Whether a filter takes the documents that it claims. What it says of them becomes findings.
fn configures(
    filter: &Filter,
    component: &Component,
    claimed: &[Arc<Document>],
    diagnostics: &mut Diagnostics,
) -> bool {
    match filter.warm() {
        Ok(said) => {
            let errors = said.iter().any(|diagnostic| diagnostic.severity == Said::Error);
            diagnostics.extend(said.into_iter().map(|one| translate(one, claimed, component)));
            !errors
        }
        Err(failure) => {
            let message = format!("the filter failed to configure: {failure}");
            let diagnostic = Diagnostic::error(codes::FILTER_FAILED, message);
            diagnostics.push(diagnostic.at(Location::file(&component.path)));
            false
        }
    }
}

/// A filter's diagnostic with the place that its pointer means.
fn translate(said: types::Diagnostic, documents: &[Arc<Document>], component: &Component) -> Diagnostic {
    let severity = match said.severity {
        Said::Error => Severity::Error,
        Said::Warning => Severity::Warning,
        Said::Note => Severity::Note,
    };
    let document = said.document.and_then(|index| documents.get(usize::try_from(index).ok()?));
    let diagnostic = match document {
        Some(document) => document.diagnostic(severity, &said.code, &said.pointer, said.message),
        None => Diagnostic::new(severity, &said.code, said.message).at(Location::file(&component.path)),
    };
    diagnostic.with_help(said.help)
}
