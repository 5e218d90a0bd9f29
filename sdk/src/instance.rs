//! The one filter of an instance, from its configuration on.

use crate::bindings::imports::sluicegate::filter::types as wit;
use crate::configuration::{Configure, Diagnostics, Resource, ResourceId, Update, Updated};
use serde::de::DeserializeOwned;
use std::cell::{Ref, RefCell};

/// The one configured filter of an instance. An instance runs one call at a time on one thread.
#[derive(Debug)]
pub struct Instance<T>(RefCell<Option<T>>);

#[allow(unsafe_code)]
// SAFETY: the contract's components are single-threaded: the host enters an instance with one call at a time,
// and the type is only ever used in a static of such a component.
unsafe impl<T> Sync for Instance<T> {}

impl<T> Instance<T> {
    /// An instance whose filter is not built yet.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// The filter; one that has no `configuration` hook is built by `Default`.
    pub fn filter(&self) -> Ref<'_, T>
    where
        T: Default,
    {
        if self.0.borrow().is_none() {
            *self.0.borrow_mut() = Some(T::default());
        }
        self.configured()
    }

    /// The filter that `configure` has built.
    ///
    /// # Panics
    /// When the host calls another hook before `configure`, or after it was refused.
    pub fn configured(&self) -> Ref<'_, T> {
        Ref::map(self.0.borrow(), |filter| match filter {
            Some(filter) => filter,
            None => panic!("called before it was configured"),
        })
    }
}

impl<T> Default for Instance<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Configure> Instance<T> {
    /// Builds the filter from what the host hands over.
    pub fn configure(
        &self,
        environment: &wit::Environment,
        settings: &str,
        documents: Vec<wit::ResourceDocument>,
    ) -> Vec<wit::Diagnostic> {
        let mut diagnostics = Diagnostics::default();
        let settings = match read_settings(settings) {
            Ok(settings) => settings,
            Err(error) => {
                diagnostics.settings_error("", "SG0102", format!("the settings do not fit: {error}"));
                return diagnostics.into_wit();
            }
        };
        let resources = numbered(0, documents);
        let filter = T::configure(environment, settings, &resources, &mut diagnostics);
        if !diagnostics.has_errors() {
            let mut known = self.0.borrow_mut();
            if known.is_some() {
                diagnostics.settings_error("", "SG0103", "the instance is configured already");
            } else {
                *known = Some(filter);
            }
        }
        diagnostics.into_wit()
    }
}

impl<T: Update> Instance<T> {
    /// Takes documents out and others in.
    ///
    /// # Panics
    /// When the host calls it before `configure`, or after that was refused.
    pub fn update(
        &self,
        removed: Vec<u32>,
        first: u32,
        added: Vec<wit::ResourceDocument>,
    ) -> Option<Vec<wit::Diagnostic>> {
        let mut filter = self.0.borrow_mut();
        let Some(filter) = filter.as_mut() else { panic!("updated before it was configured") };
        let removed: Vec<ResourceId> = removed.into_iter().map(ResourceId).collect();
        let mut diagnostics = Diagnostics::default();
        match filter.update(&removed, &numbered(first, added), &mut diagnostics) {
            Updated::Done => Some(diagnostics.into_wit()),
            Updated::Afresh => None,
        }
    }
}

fn numbered(first: u32, documents: Vec<wit::ResourceDocument>) -> Vec<Resource> {
    (first..).zip(documents).map(|(index, document)| Resource::new(index, document)).collect()
}

/// Reads the settings as they are, or else, where the operator gives none, as `{}`: a struct whose fields all have
/// defaults then needs no `Option` around it.
fn read_settings<S: DeserializeOwned>(settings: &str) -> Result<S, serde_json::Error> {
    let as_written = serde_json::from_str(settings);
    if as_written.is_err() && settings.trim() == "null" {
        return serde_json::from_str("{}");
    }
    as_written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Limits {
        attempts: u32,
    }

    impl Default for Limits {
        fn default() -> Self {
            Self { attempts: 3 }
        }
    }

    #[test]
    fn absent_settings_are_the_defaults_of_each_field() {
        assert_eq!(read_settings::<Limits>("null").expect("defaults"), Limits { attempts: 3 });
        read_settings::<()>("null").expect("a filter without settings takes none");
        assert_eq!(read_settings::<Option<Limits>>("null").expect("an option"), None);
    }

    #[test]
    fn settings_that_are_there_are_read_as_they_are() {
        assert_eq!(read_settings::<Limits>(r#"{"attempts": 5}"#).expect("settings"), Limits { attempts: 5 });
        let refused = read_settings::<Limits>(r#"{"atempts": 5}"#).expect_err("a misspelt field");
        assert!(refused.to_string().contains("atempts"), "{refused}");
    }

    /// The names of its documents; it takes no document called `odd` and none at all after `last`.
    struct Names(Vec<(u32, String)>);

    impl Configure for Names {
        type Settings = ();

        fn configure(_: &wit::Environment, (): (), resources: &[Resource], _: &mut Diagnostics) -> Self {
            Self(resources.iter().map(|resource| (resource.index, resource.name.clone())).collect())
        }
    }

    impl Update for Names {
        fn update(&mut self, removed: &[ResourceId], added: &[Resource], diagnostics: &mut Diagnostics) -> Updated {
            if self.0.iter().any(|(_, name)| name == "last") {
                return Updated::Afresh;
            }
            if let Some(odd) = added.iter().find(|resource| resource.name == "odd") {
                diagnostics.error(odd, "/metadata/name", "SG0001", "it is odd");
                return Updated::Done;
            }
            self.0.retain(|(index, _)| !removed.contains(&ResourceId(*index)));
            self.0.extend(added.iter().map(|resource| (resource.index, resource.name.clone())));
            Updated::Done
        }
    }

    fn document(name: &str) -> wit::ResourceDocument {
        wit::ResourceDocument {
            api_version: "shop.example/v1".into(),
            kind: "Shop".into(),
            namespace: "default".into(),
            name: name.into(),
            origin: "test.yaml:1".into(),
            json: "{}".into(),
        }
    }

    fn configured(names: &[&str]) -> Instance<Names> {
        let instance = Instance::new();
        let environment = wit::Environment { namespace: "default".into(), cluster_domain: "cluster.local".into() };
        let said = instance.configure(&environment, "null", names.iter().map(|name| document(name)).collect());
        assert!(said.is_empty(), "{said:?}");
        instance
    }

    fn numbers(instance: &Instance<Names>) -> Vec<(u32, String)> {
        instance.configured().0.clone()
    }

    #[test]
    fn documents_of_an_update_are_numbered_from_where_the_host_says() {
        let instance = configured(&["a", "b"]);
        assert_eq!(instance.update(vec![0], 7, vec![document("c"), document("d")]), Some(Vec::new()));
        assert_eq!(numbers(&instance), [(1, "b".to_owned()), (7, "c".to_owned()), (8, "d".to_owned())]);
    }

    #[test]
    fn what_is_wrong_with_an_update_names_the_document_by_its_number() {
        let instance = configured(&["a"]);
        let said =
            instance.update(vec![0], 1, vec![document("b"), document("odd")]).expect("it is refused, not put off");
        assert_eq!(said.iter().map(|one| one.document).collect::<Vec<_>>(), [Some(2)]);
        assert_eq!(numbers(&instance), [(0, "a".to_owned())]);
    }

    #[test]
    fn a_filter_may_ask_to_be_built_anew() {
        assert_eq!(configured(&["last"]).update(vec![0], 1, Vec::new()), None);
    }
}
