//! What is in the workspace and where its products go, as cargo itself tells it.

use crate::command;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The directory of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    filters: Vec<Filter>,
}

/// A package that compiles to a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// The package's name.
    pub(crate) package: String,
    /// The directory's name, which the component's file gets.
    pub(crate) name: String,
    /// The library's file name as cargo writes it, without extension.
    pub(crate) library: String,
    /// Whether it is only there for the tests, or for an example.
    pub(crate) for_tests: bool,
    /// Cargo's profile: `profile` in `package.metadata.filter`, or `filter`.
    pub(crate) profile: String,
}

impl Workspace {
    /// Asks cargo about the workspace of the current directory.
    pub(crate) fn load() -> Result<Self> {
        let text = command::output(command::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        Self::from_metadata(&text).context("`cargo metadata` printed something unexpected")
    }

    fn from_metadata(text: &str) -> Result<Self> {
        let metadata: Value = serde_json::from_str(text)?;
        let path = |name: &str| -> Result<PathBuf> {
            Ok(PathBuf::from(metadata[name].as_str().with_context(|| format!("there is no {name}"))?))
        };
        let (root, target) = (path("workspace_root")?, path("target_directory")?);
        let packages = metadata["packages"].as_array().context("there are no packages")?;
        let mut filters: Vec<Filter> = packages.iter().filter_map(|package| Filter::of(package, &root)).collect();
        filters.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { root, target, filters })
    }

    /// The filters that the product ships.
    pub(crate) fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.filters.iter().filter(|filter| !filter.for_tests)
    }

    /// The filters that only tests and benchmarks load.
    pub(crate) fn test_filters(&self) -> impl Iterator<Item = &Filter> {
        self.filters.iter().filter(|filter| filter.for_tests)
    }

    /// Where the components of the test filters go.
    pub(crate) fn test_filter_directory(&self) -> PathBuf {
        self.target.join("test-filters")
    }
}

impl Filter {
    /// The filter that a package of `cargo metadata` is, if it is one.
    fn of(package: &Value, root: &Path) -> Option<Self> {
        let directory = Path::new(package["manifest_path"].as_str()?).parent()?;
        let parent = directory.parent()?;
        let for_tests = parent == root.join("tests/filters") || parent == root.join("examples");
        if !for_tests && parent != root.join("filters") {
            return None;
        }
        let holds = |target: &&Value, kind: &str| {
            target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|one| one.as_str() == Some(kind)))
        };
        let library = package["targets"].as_array()?.iter().find(|target| holds(target, "cdylib"))?;
        Some(Self {
            package: package["name"].as_str()?.to_owned(),
            name: directory.file_name()?.to_str()?.to_owned(),
            library: library["name"].as_str()?.replace('-', "_"),
            for_tests,
            profile: package["metadata"]["filter"]["profile"].as_str().unwrap_or("filter").to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "workspace_root": "/w", "target_directory": "/w/target",
        "packages": [
            {"name": "sluicegate", "manifest_path": "/w/host/Cargo.toml",
             "targets": [{"name": "sluicegate", "kind": ["lib"]}]},
            {"name": "sluicegate-router", "manifest_path": "/w/filters/router/Cargo.toml",
             "targets": [{"name": "sluicegate_router", "kind": ["cdylib", "rlib"]}]},
            {"name": "test-headers", "manifest_path": "/w/tests/filters/headers/Cargo.toml",
             "metadata": {"filter": {"profile": "filter-with-lines"}},
             "targets": [{"name": "test-headers", "kind": ["cdylib"]}]}
        ]}"#;

    #[test]
    fn filters_are_told_apart_by_their_directory() {
        let workspace = Workspace::from_metadata(METADATA).unwrap();
        let names: Vec<_> = workspace.filters().map(|filter| filter.name.as_str()).collect();
        assert_eq!(names, ["router"]);
        let test_filter = workspace.test_filters().next().unwrap();
        assert_eq!((test_filter.package.as_str(), test_filter.library.as_str()), ("test-headers", "test_headers"));
        let profiles: Vec<_> = workspace.filters.iter().map(|filter| filter.profile.as_str()).collect();
        assert_eq!(profiles, ["filter-with-lines", "filter"]);
    }

    #[test]
    fn this_workspace_has_its_stock_filters() {
        let workspace = Workspace::load().unwrap();
        let names: Vec<_> = workspace.filters().map(|filter| filter.name.as_str()).collect();
        for stock in ["bridge", "composer", "router"] {
            assert!(names.contains(&stock), "{stock} is not among {names:?}");
        }
    }
}
