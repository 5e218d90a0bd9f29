//! A channel whose events outlive the proxy, and its one subscriber.
#![allow(dead_code, reason = "each test uses its part")]

use sluicegate_tests::{Client, Directory, Eventing, Options, Proxy, Request, Store, Upstream, wait_until};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

/// A channel and a subscription that retries for as long as it takes, in the order of keys.
pub(crate) fn manifests() -> String {
    let annotations = "{sluicegate.dev/ordering: key, sluicegate.dev/concurrency: '8'}";
    let delivery = "{retry: 1000000, backoffPolicy: linear, backoffDelay: PT0.02S, backoffMax: PT0.1S}";
    let (channel, subscription) = ("orders-channel", "orders-to-inventory");
    let documents = Eventing::new().channel(channel);
    documents.subscription_with(subscription, channel, "inventory", annotations, delivery).to_string()
}

/// What is kept from one proxy to the next.
pub(crate) struct Kept {
    arguments: Vec<String>,
    directory: Directory,
}

impl Kept {
    pub(crate) fn in_files() -> Self {
        Self::at(Directory::new())
    }

    pub(crate) fn at(directory: Directory) -> Self {
        let path = directory.path().display().to_string();
        let arguments = ["--event-store", "file", "--event-directory", &path].map(str::to_owned).to_vec();
        Self { arguments, directory }
    }

    /// On a server, or on what leads to it.
    pub(crate) fn on(store: Store, address: SocketAddr) -> Self {
        Self { arguments: store.arguments(address).to_vec(), directory: Directory::new() }
    }

    /// A proxy with this subscriber.
    pub(crate) fn options(&self, subscriber: SocketAddr) -> Options {
        let options = Options::new().manifest("events.yaml", manifests()).upstream("inventory:80", subscriber);
        self.arguments.iter().fold(options, Options::argument)
    }

    /// The file that was written to last.
    pub(crate) fn last_file(&self) -> PathBuf {
        let channel = self.directory.file("default%2Forders-channel");
        let entries = std::fs::read_dir(channel).expect("the channel has a directory");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        files.sort();
        files.pop().expect("a file")
    }
}

/// An event with an id and a key.
pub(crate) fn event(id: &str, key: &str) -> Request {
    with(id, "data").header("ce-partitionkey", if key.is_empty() { id } else { key })
}

/// An event of 8 KiB.
pub(crate) fn large(id: &str) -> Request {
    with(id, &"x".repeat(8 << 10)).header("ce-partitionkey", id)
}

/// Events in one request, with numbers as ids.
pub(crate) fn batch(numbers: Range<usize>) -> Request {
    let events: Vec<serde_json::Value> = numbers
        .map(|id| {
            let data = "x".repeat(100);
            serde_json::json!({"specversion": "1.0", "id": id.to_string(), "source": "/t", "type": "t", "data": data})
        })
        .collect();
    let body = serde_json::to_vec(&events).expect("JSON");
    Request::post("http://orders-channel/", body).header("content-type", "application/cloudevents-batch+json")
}

fn with(id: &str, data: &str) -> Request {
    Request::post("http://orders-channel/", data.to_owned())
        .header("ce-specversion", "1.0")
        .header("ce-id", id)
        .header("ce-source", "/test")
        .header("ce-type", "test")
        .header("content-type", "text/plain")
}

/// Publishes an event until it is taken: the first ones wait for the store to be ready.
#[track_caller]
pub(crate) fn accepted(client: &mut Client, id: &str, key: &str) {
    wait_until(LONG, || client.send(event(id, key)).expect("the proxy answers").status == 202);
}

/// Numbers without those that were there before.
pub(crate) fn firsts(numbers: &[usize]) -> Vec<usize> {
    let mut known = BTreeSet::new();
    numbers.iter().copied().filter(|number| known.insert(*number)).collect()
}

/// The ids that a subscriber has seen.
pub(crate) fn ids(subscriber: &Upstream) -> BTreeSet<String> {
    subscriber.requests().iter().filter_map(|request| request.header("ce-id")).collect()
}

/// How many events the channel says it took.
pub(crate) fn acknowledged(proxy: &Proxy) -> u64 {
    proxy.ask_admin("/events").json()[0]["received"].as_u64().expect("a number")
}
