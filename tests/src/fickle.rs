//! A proxy with the filter `fickle`, of which there are many versions (`tests/filters/fickle`), and what is said of them.

use crate::{Options, Proxy, Request, Upstream, artifact, wait_until};
use serde_json::Value;
use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

/// A proxy in front of the service `shop`, whose filter `fickle` is in its first version, `good`.
#[derive(Debug)]
pub struct Fickle {
    /// The proxy.
    pub proxy: Proxy,
}

impl Fickle {
    /// Starts it with the specification of the filter's document.
    pub fn start(spec: &str, upstream: &Upstream) -> Self {
        Self::with(Options::new().manifest("filter.yaml", document(spec)), upstream)
    }

    /// Starts it with these options beside.
    pub fn with(options: Options, upstream: &Upstream) -> Self {
        let options = options.filter("fickle").upstream("shop", upstream.address());
        Self { proxy: Proxy::start(options.argument("--access-log").argument("off")) }
    }

    /// The component of a version.
    pub fn version(word: &str) -> Vec<u8> {
        artifact::rewritten(&fs::read(artifact::test_filter("fickle")).expect("it was built"), "FICKLE:=", word)
    }

    /// Puts a version in the place of the one that is there.
    pub fn replace(&self, word: &str) {
        self.proxy.filters().replace("fickle.wasm", Self::version(word));
    }

    /// Puts a version in the place of the one that is there, and tells how long after its rename it decides on requests.
    ///
    /// # Panics
    /// When it does not within the limit.
    pub fn in_force(&self, word: &str, limit: Duration) -> Duration {
        let (version, mut connection) = (Self::version(word), self.proxy.connect());
        self.proxy.filters().replace("fickle.wasm", version);
        wait_until(limit, || {
            let answer = connection.send(Request::get("http://shop/")).expect("an answer");
            answer.header("x-fickle") == Some(word)
        })
    }

    /// Changes the filter's document.
    pub fn specify(&self, spec: &str) {
        self.proxy.manifests().replace("filter.yaml", document(spec));
    }

    /// The version that decides on a request; none when no version does.
    pub fn shown(&self) -> Option<String> {
        self.proxy.get("http://shop/").header("x-fickle").map(str::to_owned)
    }

    /// What became of versions, the oldest first.
    pub fn history(&self) -> Vec<Value> {
        let history = self.proxy.ask_admin("/filters/history?filter=fickle").json();
        history[0]["entries"].as_array().cloned().unwrap_or_default()
    }

    /// The same in a word each.
    pub fn events(&self) -> Vec<String> {
        self.history().iter().map(|entry| entry["event"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What is known of the filter.
    pub fn state(&self) -> Value {
        let filters = self.proxy.ask_admin("/filters").json();
        let mut filters = filters.as_array().expect("a list").iter();
        filters.find(|filter| filter["name"] == "fickle").cloned().unwrap_or_default()
    }

    /// The stage of the version that is tried or watched; empty when none is.
    pub fn stage(&self) -> String {
        self.state()["rollout"]["stage"].as_str().unwrap_or_default().to_owned()
    }

    /// Runs a command of `sluice filter`, and gives its exit code and all that it prints.
    pub fn act(&self, action: &str) -> (Option<i32>, String) {
        let output = self.run(&["filter", action, "fickle"]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Runs a command about this proxy.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let admin = self.proxy.admin().to_string();
        Command::new(artifact::sluice()).args(arguments).args(["--admin", &admin]).output().expect("it runs")
    }
}

fn document(spec: &str) -> String {
    format!("apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata:\n  name: fickle\nspec: {spec}\n")
}
