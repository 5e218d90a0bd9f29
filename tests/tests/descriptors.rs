//! Without descriptors left, connections wait and nothing ends.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Directory, Options, Proxy, Request, Upstream, sluice, wait_until};
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// Long enough for whatever is on its way.
const SOON: Duration = Duration::from_secs(30);
/// What the proxy may have open: enough to start, and for some dozen connections.
const DESCRIPTORS: usize = 96;

#[test]
fn without_descriptors_connections_wait_until_there_are_some_and_it_is_said_once() {
    let (shop, directory) = (Upstream::start(), Directory::new());
    let script = format!("#!/bin/sh\nulimit -n {DESCRIPTORS}\nexec {} \"$@\"\n", sluice().display());
    directory.write("limited", script);
    fs::set_permissions(directory.file("limited"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let options = Options::new().upstream("shop", shop.address()).program(directory.file("limited"));
    let proxy = Proxy::start(options);
    let (mut admin, mut before) = (sluicegate_tests::Client::connect(proxy.admin()), proxy.connect());
    assert_eq!(before.send(Request::get("http://shop/")).expect("it is served").status, 200);
    let mut failures = move || {
        let metrics = admin.send(Request::get("http://localhost/metrics")).expect("the admin answers").text();
        let count =
            metrics.lines().find_map(|line| line.strip_prefix("sluicegate_accept_failures_total ")?.parse().ok());
        count.unwrap_or(0_u64)
    };
    assert_eq!(failures(), 0);
    let many: Vec<_> =
        (0..DESCRIPTORS + 20).map(|_| TcpStream::connect(proxy.address()).expect("it listens")).collect();
    wait_until(SOON, || failures() > 2);
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
