//! Subscribers as they come: over TLS, with long answers, and with answers that nobody can have any more.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::Value;
use sluicegate_tests::{Authority, Behaviour, Directory, Eventing, Options, Proxy, Request, Upstream, wait_until};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

fn event(id: &str) -> Request {
    let request = Request::post("http://orders/", "data").header("ce-specversion", "1.0").header("ce-id", id);
    request.header("ce-source", "/test").header("ce-type", "test")
}

/// The figures of the one subscription.
fn figures(proxy: &Proxy) -> Value {
    proxy.ask_admin("/events").json()[0]["subscriptions"][0].clone()
}

/// A channel, and a subscriber at a URI.
fn at(uri: &str) -> String {
    let subscription = format!(
        "apiVersion: messaging.knative.dev/v1
kind: Subscription
metadata: {{name: one}}
spec:
  channel: {{apiVersion: messaging.knative.dev/v1, kind: Channel, name: orders}}
  subscriber: {{uri: {uri:?}}}
"
    );
    Eventing::new().channel("orders").document(subscription).to_string()
}

#[test]
fn https_is_spoken_over_tls_and_to_nobody_whose_authority_is_a_stranger() {
    let (authority, stranger, directory) = (Authority::new(), Authority::new(), Directory::new());
    let subscriber = Upstream::secure(&authority.issue(&["127.0.0.1"]), None);
    let start = |trusted: &Authority| {
        directory.replace("ca.pem", trusted.certificate());
        let uri = format!("https://{}/", subscriber.address());
        let file = directory.file("ca.pem").display().to_string();
        Proxy::start(Options::new().manifest("events.yaml", at(&uri)).environment("SSL_CERT_FILE", &file))
    };
    let proxy = start(&stranger);
    assert_eq!(proxy.send(event("1")).status, 202);
    wait_until(LONG, || figures(&proxy)["kept"] == 1);
    assert_eq!(subscriber.arrived(), 0);
    let proxy = start(&authority);
    assert_eq!(proxy.send(event("2")).status, 202);
    wait_until(LONG, || figures(&proxy)["delivered"] == 1);
    assert_eq!(subscriber.requests()[0].header("ce-id").as_deref(), Some("2"));
}

#[test]
fn an_answer_of_any_length_counts_by_its_status() {
    let long = |status| Behaviour::Answer { status, headers: Vec::new(), body: "x".repeat(300 << 10).into() };
    let subscriber = Upstream::scripted([long(503), long(200)]);
    let documents = Eventing::new().channel("orders");
    let delivery = "{retry: 1, backoffPolicy: linear, backoffDelay: PT0.02S}";
    let documents = documents.subscription_with("one", "orders", "stock", "{}", delivery);
    let options = Options::new().manifest("events.yaml", documents.to_string());
    let proxy = Proxy::start(options.upstream("stock", subscriber.address()));
    assert_eq!(proxy.send(event("1")).status, 202);
    wait_until(LONG, || figures(&proxy)["delivered"] == 1);
    assert_eq!((subscriber.arrived(), &figures(&proxy)["retried"]), (2, &1.into()));
}

#[test]
fn a_request_whose_event_was_refused_waits_for_no_answer() {
    let orders = "{apiVersion: messaging.knative.dev/v1, kind: Channel, name: orders}";
    let directory = Directory::new();
    // Where the channel's files are to be.
    directory.write("default%2Forders", "in the way");
    let path = directory.path().display().to_string();
    let manifests = Eventing::new().channel("orders").quotes(orders).to_string();
    let options = Options::new().manifest("events.yaml", manifests);
    let arguments = ["--event-store", "file", "--event-directory", &path];
    let proxy = Proxy::start(arguments.into_iter().fold(options, Options::argument));
    let asked = proxy.send(Request::post("http://shop/quotes", "how much?"));
    assert_eq!(asked.status, 503, "{}", asked.text());
    let record = || {
        let log = proxy.log();
        let mut records = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.find(|record| record["url.path"] == "/quotes")
    };
    wait_until(LONG, || record().is_some());
    let record = record().expect("it was there");
    let id = record["sluicegate.request.id"].as_str().expect("it has an id");
    assert_eq!(proxy.get(&format!("http://shop/quotes/replies/{id}")).status, 404);
}
