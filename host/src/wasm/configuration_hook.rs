//! The hook `configuration`, with or without updates.
//!
//! Documents are handed over from where they are kept: what takes thousands of them must not copy each for every instance.

use super::bindings::sluicegate::filter::types::{Diagnostic, Environment, ResourceDocument};
use super::host_api::State;
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Func, Instance, InstancePre};

const CONFIGURATION: &str = "sluicegate:filter/configuration@0.1.0";
const UPDATE: &str = "sluicegate:filter/configuration-update@0.1.0";

/// Where the hook is in a component.
pub(super) struct ConfigurationIndices {
    configure: ComponentExportIndex,
    update: Option<ComponentExportIndex>,
}

/// The hook of an instance.
pub(super) struct ConfigurationHook {
    configure: Func,
    update: Option<Func>,
}

type Configure<'a> = (&'a Environment, &'a str, &'a [Arc<ResourceDocument>]);
type Update<'a> = (&'a [u32], u32, &'a [&'a Arc<ResourceDocument>]);

impl ConfigurationIndices {
    /// Finds the hook among a component's exports, whose interfaces `exported` knows by name.
    pub(super) fn find(pre: &InstancePre<State>, exported: impl Fn(&str) -> bool) -> wasmtime::Result<Option<Self>> {
        let component = pre.component();
        let function = |interface: &str, name: &str| {
            let interface = component.get_export_index(None, interface);
            let function = interface.and_then(|interface| component.get_export_index(Some(&interface), name));
            function.ok_or_else(|| wasmtime::Error::msg(format!("there is no function {name} of that interface")))
        };
        if !exported("configuration") {
            return Ok(None);
        }
        let configure = function(CONFIGURATION, "configure")?;
        let update = exported("configuration-update").then(|| function(UPDATE, "update")).transpose()?;
        Ok(Some(Self { configure, update }))
    }

    /// Whether there are updates.
    pub(super) fn has_update(&self) -> bool {
        self.update.is_some()
    }

    pub(super) fn load(&self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<ConfigurationHook> {
        let mut function = |index: &ComponentExportIndex| {
            let function = instance.get_func(&mut *store, index);
            function.ok_or_else(|| wasmtime::Error::msg("a hook of the configuration is not a function"))
        };
        let hook = ConfigurationHook {
            configure: function(&self.configure)?,
            update: self.update.as_ref().map(&mut function).transpose()?,
        };
        // A component whose types are others is refused before anything is served.
        hook.configure.typed::<Configure<'_>, (Vec<Diagnostic>,)>(&*store)?;
        if let Some(update) = &hook.update {
            update.typed::<Update<'_>, (Option<Vec<Diagnostic>>,)>(&*store)?;
        }
        Ok(hook)
    }
}

impl ConfigurationHook {
    /// Hands over everything.
    pub(super) fn configure(
        &self,
        store: &mut Store<State>,
        environment: &Environment,
        settings: &str,
        documents: &[Arc<ResourceDocument>],
    ) -> wasmtime::Result<Vec<Diagnostic>> {
        let configure = self.configure.typed::<Configure<'_>, (Vec<Diagnostic>,)>(&*store)?;
        Ok(configure.call(store, (environment, settings, documents))?.0)
    }

    /// Hands over what is different; none where the filter has no updates or does not want this one.
    pub(super) fn update(
        &self,
        store: &mut Store<State>,
        removed: &[u32],
        first: u32,
        added: &[&Arc<ResourceDocument>],
    ) -> wasmtime::Result<Option<Vec<Diagnostic>>> {
        let Some(update) = &self.update else { return Ok(None) };
        let update = update.typed::<Update<'_>, (Option<Vec<Diagnostic>>,)>(&*store)?;
        Ok(update.call(store, (removed, first, added))?.0)
    }
}
