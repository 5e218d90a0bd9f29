//! TLS to services as DestinationRules say: whom the proxy takes for the service, and what it shows.

#![allow(clippy::expect_used, reason = "a test that cannot go on panics")]

use sluicegate_tests::{Authority, Directory, Options, Pair, Proxy, Upstream, sluice, wait_until};
use std::process::Command;
use std::time::Duration;

/// Long enough for a change on a busy machine.
const IN_EFFECT: Duration = Duration::from_secs(20);

/// A rule for the service `payments` with this `tls`.
fn rule(tls: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: payments}}\nspec:\n  host: payments.example\n  trafficPolicy:\n    tls: {{{tls}}}\n"
    )
}

/// A proxy whose rule for the service has this `tls`; its authority's certificate lies beside it as `ca.pem`.
fn proxy(upstream: &Upstream, authority: &Authority, tls: &str) -> Proxy {
    let options = Options::new().manifest("rule.yaml", rule(tls)).manifest("ca.pem", authority.certificate());
    Proxy::start(options.upstream("payments.example", upstream.address()))
}

fn status(proxy: &Proxy) -> u16 {
    proxy.get("http://payments.example/").status
}

#[test]
fn a_server_of_the_named_authority_is_asked_for_by_the_services_name() {
    let authority = Authority::new();
    let upstream = Upstream::secure(&authority.issue(&["payments.example"]), None);
    let proxy = proxy(&upstream, &authority, "mode: SIMPLE, caCertificates: ca.pem");
    assert_eq!(status(&proxy), 200);
    let arrived = &upstream.requests()[0];
    assert_eq!(arrived.server_name.as_deref(), Some("payments.example"));
    assert_eq!(arrived.header("host").as_deref(), Some("payments.example"));
    assert_eq!(arrived.certificate, None);
}

#[test]
fn the_name_that_the_rule_gives_is_sent_and_looked_for() {
    let authority = Authority::new();
    let upstream = Upstream::secure(&authority.issue(&["internal.example"]), None);
    let proxy = proxy(&upstream, &authority, "mode: SIMPLE, caCertificates: ca.pem, sni: internal.example");
    assert_eq!(status(&proxy), 200);
    assert_eq!(upstream.requests()[0].server_name.as_deref(), Some("internal.example"));
}

#[test]
fn a_server_of_another_name_or_authority_gets_no_request() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let table = [
        (authority.issue(&["other.example"]), "caCertificates: ca.pem"),
        (authority.issue(&["payments.example"]), "caCertificates: ca.pem, subjectAltNames: [vault.example]"),
        (stranger.issue(&["payments.example"]), "caCertificates: ca.pem"),
    ];
    for (pair, tls) in table {
        let upstream = Upstream::secure(&pair, None);
        let proxy = proxy(&upstream, &authority, &format!("mode: SIMPLE, {tls}"));
        assert_eq!(status(&proxy), 503, "{tls}");
        assert_eq!(upstream.arrived(), 0, "{tls}");
        proxy.wait_for_log("certificate", IN_EFFECT);
    }
}

#[test]
fn one_of_the_names_that_the_rule_lists_is_enough() {
    let authority = Authority::new();
    let upstream = Upstream::secure(&authority.issue(&["vault.example"]), None);
    let names = "subjectAltNames: [other.example, vault.example]";
    let proxy = proxy(&upstream, &authority, &format!("mode: SIMPLE, caCertificates: ca.pem, {names}"));
    assert_eq!(status(&proxy), 200);
    assert_eq!(upstream.requests()[0].server_name.as_deref(), Some("payments.example"));
}

#[test]
fn anyone_is_taken_for_the_service_when_the_rule_says_so() {
    let stranger = Authority::new();
    let upstream = Upstream::secure(&stranger.issue(&["other.example"]), None);
    assert_eq!(status(&proxy(&upstream, &Authority::new(), "mode: SIMPLE, insecureSkipVerify: true")), 200);
}

/// A proxy that shows this certificate, from files or from a Secret.
fn showing(upstream: &Upstream, authority: &Authority, own: &Pair, secret: bool) -> Proxy {
    let options = Options::new().upstream("payments.example", upstream.address());
    let options = if secret {
        let text = own.secret("client", &[("ca.crt", &authority.certificate())]);
        options.manifest("secret.yaml", text).manifest("rule.yaml", rule("mode: MUTUAL, credentialName: client"))
    } else {
        let files = "clientCertificate: own.pem, privateKey: own.key, caCertificates: ca.pem";
        let options = options.manifest("own.pem", own.certificate.clone()).manifest("own.key", own.key.clone());
        options
            .manifest("ca.pem", authority.certificate())
            .manifest("rule.yaml", rule(&format!("mode: MUTUAL, {files}")))
    };
    Proxy::start(options)
}

#[test]
fn a_service_that_asks_for_a_certificate_gets_the_proxys() {
    let authority = Authority::new();
    let (pair, own) = (authority.issue(&["payments.example"]), authority.issue(&["edge.example"]));
    for secret in [false, true] {
        let upstream = Upstream::secure(&pair, Some(&authority));
        assert_eq!(status(&showing(&upstream, &authority, &own, secret)), 200);
        assert_eq!(upstream.requests()[0].certificate, Some(own.der()));
    }
}

#[test]
fn a_service_that_does_not_know_the_certificate_gets_no_request() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let upstream = Upstream::secure(&authority.issue(&["payments.example"]), Some(&authority));
    assert_eq!(status(&showing(&upstream, &authority, &stranger.issue(&["edge.example"]), true)), 503);
    assert_eq!(status(&proxy(&upstream, &authority, "mode: SIMPLE, caCertificates: ca.pem")), 503);
    assert_eq!(upstream.arrived(), 0);
}

#[test]
fn a_changed_rule_is_in_force_for_the_next_request() {
    let authority = Authority::new();
    let upstream = Upstream::secure(&authority.issue(&["internal.example"]), None);
    let proxy = proxy(&upstream, &authority, "mode: SIMPLE, caCertificates: ca.pem");
    assert_eq!(status(&proxy), 503);
    proxy.manifests().write("rule.yaml", rule("mode: SIMPLE, caCertificates: ca.pem, sni: internal.example"));
    wait_until(IN_EFFECT, || status(&proxy) == 200);
    proxy.manifests().write("rule.yaml", rule("mode: DISABLE"));
    wait_until(IN_EFFECT, || status(&proxy) != 200);
}

#[test]
fn certificates_of_a_mesh_are_refused_with_what_to_write_instead() {
    let directory = Directory::new();
    directory.write("rule.yaml", rule("mode: ISTIO_MUTUAL"));
    let mut check = Command::new(sluice());
    check.arg("check").args(["--upstream", "payments.example=127.0.0.1:1", "--manifests"]).arg(directory.path());
    let output = check.output().expect("sluice runs");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("ISTIO_MUTUAL") && text.contains("mode: MUTUAL"), "{text}");
}
