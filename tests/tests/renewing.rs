//! Files that documents name are renewed by others, and whatever else is wrong they take effect.

#![allow(clippy::expect_used, reason = "a test that cannot go on panics")]

use sluicegate_tests::{Authority, Directory, Options, Proxy, Tls, test_filter, wait_until};
use std::net::SocketAddr;
use std::time::Duration;

/// Long enough for a change on a busy machine.
const IN_EFFECT: Duration = Duration::from_secs(20);
/// Files are looked at twice a second: several looks, and the reloads that each could lead to.
const SEVERAL_LOOKS: Duration = Duration::from_millis(2500);

/// Which the filter does not take.
const SETTINGS: &str =
    "apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata: {name: unfit}\nspec: {settings: {configure: trap}}\n";

/// A Gateway whose certificate is in files.
fn gateway(files: &Directory) -> String {
    let (certificate, key) = (files.file("tls.crt"), files.file("tls.key"));
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge}}\nspec:\n  servers:\n  - port: {{number: 443, name: a, protocol: HTTPS}}\n    hosts: ['*']\n    tls: {{mode: SIMPLE, serverCertificate: {}, privateKey: {}}}\n",
        certificate.display(),
        key.display(),
    )
}

fn listener(proxy: &Proxy) -> SocketAddr {
    let config = proxy.ask_admin("/config").json();
    let listeners = config["listeners"].as_array().expect("a list");
    let found = listeners.iter().find(|listener| listener["port"] == 443).expect("port 443 is open");
    found["address"].as_str().expect("an address").parse().expect("an address")
}

fn generation(proxy: &Proxy) -> u64 {
    proxy.ask_admin("/config").json()["generation"].as_u64().expect("a number")
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test's own thread is no worker")]
fn nothing_that_is_broken_keeps_a_certificate_from_being_renewed_or_has_anything_loaded_over_and_over() {
    let authority = Authority::new();
    let unfit = std::fs::read(test_filter("failing")).expect("it was built");
    let manifests: fn(&Proxy) -> &Directory = Proxy::manifests;
    let broken = [
        (manifests, "broken.yaml", b"kind: [".to_vec()),
        (
            manifests,
            "broken.yaml",
            b"apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: b}\n".to_vec(),
        ),
        (Proxy::filters, "unfit.wasm", unfit),
    ];
    for (directory, file, broken) in broken {
        let files = Directory::new();
        let show = |pair: &sluicegate_tests::Pair| {
            files.replace("tls.crt", &pair.certificate);
            files.replace("tls.key", &pair.key);
        };
        let (old, new) = (authority.issue(&["shop.example"]), authority.issue(&["shop.example"]));
        show(&old);
        let options = Options::new().argument("--gateway-port").argument("443=127.0.0.1:0");
        let options = options.manifest("gateway.yaml", gateway(&files)).manifest("unfit.yaml", SETTINGS);
        let proxy = Proxy::start(options);
        let (address, tls) = (listener(&proxy), Tls::to("shop.example", &authority));
        let shown = || tls.connect(address).expect("a handshake").certificate;
        assert_eq!(shown(), old.der());
        directory(&proxy).write(file, broken);
        wait_until(IN_EFFECT, || !proxy.ask_admin("/config").json()["last_reload_failure"].is_null());
        show(&new);
        wait_until(IN_EFFECT, || shown() == new.der());
        let before = generation(&proxy);
        std::thread::sleep(SEVERAL_LOOKS);
        assert_eq!(generation(&proxy), before, "{file}");
    }
}
