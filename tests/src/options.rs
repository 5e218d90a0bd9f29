//! How a test's proxy is set up.

use crate::artifact;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a proxy starts with; everything not named here is as in `sluice run` without flags.
#[derive(Debug, Default)]
pub struct Options {
    pub(crate) program: Option<PathBuf>,
    pub(crate) manifests: Vec<(String, Vec<u8>)>,
    pub(crate) filters: Vec<(String, PathBuf)>,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(String, String)>,
}

impl Options {
    /// Nothing but the stock filters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a manifest.
    #[must_use]
    pub fn manifest(mut self, file: &str, content: impl Into<Vec<u8>>) -> Self {
        self.manifests.push((file.to_owned(), content.into()));
        self
    }

    /// Adds a filter of `tests/filters`.
    #[must_use]
    pub fn filter(self, name: &str) -> Self {
        self.filter_as(&format!("{name}.wasm"), artifact::test_filter(name))
    }

    /// Lets a filter reach every service and channel.
    #[must_use]
    pub fn granted(self, name: &str) -> Self {
        let head = "apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata:\n";
        let grants = "  grants: {forward: ['*'], call: ['*'], publish: ['*']}\n";
        self.manifest(&format!("{name}-grants.yaml"), format!("{head}  name: {name}\nspec:\n{grants}"))
    }

    /// Adds any component, under a file name of its own.
    #[must_use]
    pub fn filter_as(mut self, file: &str, component: impl Into<PathBuf>) -> Self {
        self.filters.push((file.to_owned(), component.into()));
        self
    }

    /// Makes a service known, as `NAME` or `NAME:PORT`.
    #[must_use]
    pub fn upstream(self, name: &str, address: SocketAddr) -> Self {
        self.argument("--upstream").argument(format!("{name}={address}"))
    }

    /// Sets the number of workers; one unless it is set, so that figures and orders are the same each time.
    #[must_use]
    pub fn workers(self, number: usize) -> Self {
        self.argument("--workers").argument(number.to_string())
    }

    /// Adds one word to the command line.
    #[must_use]
    pub fn argument(mut self, word: impl Into<OsString>) -> Self {
        self.arguments.push(word.into());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs this program instead of the proxy that was built.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }
}
