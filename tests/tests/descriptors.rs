//! With few descriptors, or none left, connections wait and nothing ends.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Behaviour, Client, Directory, Options, Proxy, Request, Upstream, sluice, wait_until};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// Long enough for whatever is on its way.
const SOON: Duration = Duration::from_secs(30);
/// What the proxy may have open: enough to start, and for some dozen connections.
const DESCRIPTORS: usize = 96;

/// A proxy that may have so few, in front of two services.
fn limited(shop: &Upstream, other: &Upstream) -> (Proxy, Directory) {
    let directory = Directory::new();
    let script = format!("#!/bin/sh\nulimit -n {DESCRIPTORS}\nexec {} \"$@\"\n", sluice().display());
    directory.write("limited", script);
    fs::set_permissions(directory.file("limited"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let options = Options::new().upstream("shop", shop.address()).upstream("other", other.address());
    (Proxy::start(options.program(directory.file("limited"))), directory)
}

/// How often connections could not be accepted, as it is by now.
fn accept_failures(proxy: &Proxy) -> impl FnMut() -> u64 + use<> {
    let mut admin = Client::connect(proxy.admin());
    move || {
        let metrics = admin.send(Request::get("http://localhost/metrics")).expect("the admin answers").text();
        let count =
            metrics.lines().find_map(|line| line.strip_prefix("sluicegate_accept_failures_total ")?.parse().ok());
        count.unwrap_or(0)
    }
}

#[test]
fn without_descriptors_connections_wait_until_there_are_some_and_it_is_said_once() {
    let (shop, slow) = (Upstream::start(), Upstream::with(Behaviour::text("late").after(4 * SOON)));
    let (proxy, _directory) = limited(&shop, &slow);
    let (mut failures, mut before) = (accept_failures(&proxy), proxy.connect());
    assert_eq!(before.send(Request::get("http://shop/")).expect("it is served").status, 200);
    assert_eq!(failures(), 0);
    // Each of them takes a descriptor, and its request another. One after the other, or connections would have all that they may
    // before there are requests.
    let mut many = Vec::new();
    while failures() <= 2 {
        let mut stream = TcpStream::connect(proxy.address()).expect("it listens");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: other\r\n\r\n").expect("it is open");
        many.push(stream);
        assert!(many.len() < DESCRIPTORS, "there are still some");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let said = || proxy.log().lines().filter(|line| line.contains("cannot accept connections")).count();
    wait_until(SOON, || said() > 0);
    assert_eq!(said(), 1, "{}", proxy.log());
    assert_eq!(before.send(Request::get("http://shop/")).expect("who was there is served").status, 200);
    drop(many);
    wait_until(SOON, || {
        assert_eq!(proxy.get("http://shop/").status, 200);
        proxy.log().contains("connections are accepted again")
    });
    assert_eq!(said(), 1, "{}", proxy.log());
}

#[test]
fn connections_leave_descriptors_for_their_requests() {
    let (shop, other) = (Upstream::start(), Upstream::start());
    let (proxy, _directory) = limited(&shop, &other);
    assert!(proxy.log().contains("descriptors suffice for fewer connections"), "{}", proxy.log());
    let (mut failures, mut before) = (accept_failures(&proxy), proxy.connect());
    assert_eq!(before.send(Request::get("http://shop/")).expect("it is served").status, 200);
    let many: Vec<_> = (0..2 * DESCRIPTORS).map(|_| TcpStream::connect(proxy.address()).expect("it listens")).collect();
    let mut last = proxy.connect();
    assert_eq!(before.send(Request::get("http://other/")).expect("who was there is served").status, 200);
    assert_eq!(failures(), 0);
    drop(many);
    assert_eq!(last.send(Request::get("http://other/")).expect("its turn has come").status, 200);
}
