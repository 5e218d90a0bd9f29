//! The services of a snapshot, and what becomes of them when only the addresses of host names change.

use super::Loader;
use crate::config::Place;
use crate::gateway::Files;
use crate::manifest::{Diagnostic, Diagnostics, Document, Severity, codes, endpoints};
use crate::snapshot::Snapshot;
use crate::upstream::registry::{Names, Registry};
use std::sync::Arc;

impl Loader {
    /// Whether a host name has other addresses than it had when the registry in force was built.
    pub fn names_changed(&self) -> bool {
        self.names.changes() != self.names_seen
    }

    /// What is in force, with the addresses that host names have now; none when that cannot be built, such as while a
    /// file that it names is being replaced. Then the change is still to be made.
    pub fn renew(&mut self, current: &Snapshot) -> Option<Snapshot> {
        let names_seen = self.names.changes();
        let documents = self.documents.clone()?;
        // What is read here must not hide a change of files from those who wait for one.
        let (mut files, mut diagnostics) = (Files::default(), Diagnostics::new());
        let registry = Arc::new(self.registry(&documents, &mut files, &mut diagnostics));
        if diagnostics.has_errors() {
            return None;
        }
        self.names_seen = names_seen;
        self.generation += 1;
        let (chain, overload) = (Arc::clone(&current.chain), Arc::clone(&current.overload));
        let (generation, gateway_ports, built) = (self.generation, current.gateway_ports.clone(), current.built);
        Some(Snapshot { generation, chain, registry, overload, gateway_ports, documents, built })
    }

    /// Everything that requests may be sent to: what documents declare, what the settings name, and the rules of both. The
    /// files that rules name are read through `files`.
    pub(super) fn registry(
        &self,
        documents: &[Arc<Document>],
        files: &mut Files,
        diagnostics: &mut Diagnostics,
    ) -> Registry {
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
}
