//! Servers that speak TLS alone, and want a certificate too: events get there and back, and to no impostor.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod durable;

use durable::{accepted, event, ids};
use sluicegate_tests::{Authority, Broker, Directory, Options, Proxy, Store, Upstream, wait_until};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

/// A proxy that keeps events on a server over TLS, trusts one authority and shows a certificate of another.
fn proxy(
    store: Store,
    server: &Broker,
    trusted: &Authority,
    own: &Authority,
    subscriber: &Upstream,
) -> (Proxy, Directory) {
    let (directory, own) = (Directory::new(), own.issue(&["proxy.example"]));
    directory.write("ca.pem", trusted.certificate());
    directory.write("own.pem", own.certificate);
    directory.write("own.key", own.key);
    let address = store.address_with_tls(server.address());
    let server = if store == Store::Nats { format!("servers: ['{address}']") } else { format!("server: '{address}'") };
    let name = store.name();
    let settings =
        format!("events: {{store: {name}, {name}: {{{server}, ca: ca.pem, certificate: own.pem, key: own.key}}}}\n");
    directory.write("sluicegate.yaml", settings);
    let options = Options::new().manifest("events.yaml", durable::manifests());
    let options = options.upstream("inventory:80", subscriber.address());
    let file = directory.file("sluicegate.yaml").display().to_string();
    (Proxy::start(options.argument("--config").argument(file)), directory)
}

#[test]
fn events_go_over_tls_both_ways_and_go_on_after_the_server_was_away() {
    Store::each(|store| {
        let (authority, subscriber) = (Authority::new(), Upstream::start());
        let mut server = Broker::start_with_tls(store, &authority);
        let (proxy, _directory) = proxy(store, &server, &authority, &authority, &subscriber);
        accepted(&mut proxy.connect(), "1", "");
        wait_until(LONG, || !ids(&subscriber).is_empty());
        server.terminate();
        wait_until(LONG, || proxy.send(event("lost", "")).status == 503);
        server.restart();
        accepted(&mut proxy.connect(), "2", "");
        wait_until(LONG, || ids(&subscriber).contains("2"));
    });
}

#[test]
fn nothing_is_sent_to_a_server_of_another_authority_and_nobody_is_let_in_by_another_certificate() {
    Store::each(|store| {
        let (authority, stranger, subscriber) = (Authority::new(), Authority::new(), Upstream::start());
        let server = Broker::start_with_tls(store, &authority);
        for (trusted, own) in [(&stranger, &authority), (&authority, &stranger)] {
            let (proxy, _directory) = proxy(store, &server, trusted, own, &subscriber);
            // As long as it takes to be let in.
            for _ in 0..4 {
                let answer = proxy.send(event("1", ""));
                assert_eq!(answer.status, 503, "{}: {}", store.name(), answer.text());
            }
        }
        assert_eq!(subscriber.arrived(), 0);
    });
}
