//! What an operator says of a filter: where it may reach, which component it is, who has signed it.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sluicegate_tests::{Directory, Options, Proxy, Request, Upstream, sluice, test_filter, wait_until};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// For a change to be in force, on a busy machine.
const SOON: Duration = Duration::from_secs(30);

fn policy(name: &str, spec: &str) -> String {
    format!("apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata:\n  name: {name}\nspec: {spec}\n")
}

fn plan(host: &str) -> Request {
    Request::get("http://anything/")
        .header("x-plan", &format!(r#"{{"calls":[{{"name":"a","to":"{host}","path":"/"}}]}}"#))
}

#[test]
fn a_plan_reaches_the_services_that_are_granted_and_no_other() {
    let (granted, secret) = (Upstream::start(), Upstream::start());
    let options = Options::new().filter("planner").upstream("inventory-eu", granted.address());
    let proxy = Proxy::start(options.upstream("secret", secret.address()));
    let denied = proxy.send(plan("inventory-eu"));
    assert_eq!(denied.status, 503, "{}", denied.text());
    proxy.wait_for_log("add it to `call` of `grants` in its Filter document", SOON);
    proxy.manifests().write("planner.yaml", policy("planner", "{grants: {call: [inventory-*]}}"));
    wait_until(SOON, || proxy.send(plan("inventory-eu")).status == 200);
    assert_eq!(proxy.send(plan("secret")).status, 503);
    assert_eq!((granted.arrived(), secret.arrived()), (1, 0));
    let metrics = proxy.ask_admin("/metrics").text();
    assert!(
        metrics.contains(r#"sluicegate_filter_refusals_total{filter="planner",version="0.1.0",limit="call"}"#),
        "{metrics}"
    );
    let filters = proxy.ask_admin("/filters").json();
    let planner =
        filters.as_array().expect("a list").iter().find(|filter| filter["name"] == "planner").expect("it is there");
    assert_eq!(planner["grants"]["call"], serde_json::json!(["inventory-*"]));
}

#[test]
fn another_digest_is_refused_and_the_version_that_runs_stays() {
    let upstream = Upstream::start();
    let bytes = fs::read(test_filter("headers")).expect("it is built");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    let digest = digest.as_ref().iter().fold(String::new(), |digest, byte| format!("{digest}{byte:02x}"));
    let pinned = policy("headers", &format!("{{digest: 'sha256:{digest}'}}"));
    let options = Options::new().filter("headers").manifest("headers.yaml", pinned);
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    let serves = || proxy.get("http://shop/").header("x-filter-response").is_some();
    assert!(serves());
    proxy.filters().replace("headers.wasm", fs::read(test_filter("declared")).expect("it is built"));
    proxy.wait_for_log(&format!("and its Filter document says `digest: sha256:{digest}`"), SOON);
    assert!(serves());
}

/// A key pair, and its public key as PEM.
fn key() -> (Ed25519KeyPair, String) {
    let pair = Ed25519KeyPair::generate().expect("there is randomness");
    let info: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("it can be written");
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(info.as_ref()));
    (pair, pem)
}

#[test]
fn a_filter_is_loaded_with_a_good_signature_and_one_that_is_not_leaves_it_as_it_is() {
    let (directory, upstream) = (Directory::new(), Upstream::start());
    let (pair, pem) = key();
    directory.write("release.pem", pem);
    let signed = |options: Options| {
        options.argument("--filter-key").argument(directory.file("release.pem")).argument("--require-signature")
    };
    let said = Proxy::try_start(signed(Options::new().filter("headers"))).expect_err("it is not signed");
    assert!(said.contains("headers.wasm.sig, and signatures are required"), "{said}");
    let bytes = fs::read(test_filter("headers")).expect("it is built");
    directory.write("headers.sig", STANDARD.encode(pair.sign(&bytes)));
    let options = Options::new().filter("headers").filter_as("headers.wasm.sig", directory.file("headers.sig"));
    let proxy = Proxy::start(signed(options).upstream("shop", upstream.address()));
    let serves = |header: &str| proxy.get("http://shop/").header(header).is_some();
    assert!(serves("x-filter-response"));
    proxy.filters().replace("headers.wasm", fs::read(test_filter("misbehave")).expect("it is built"));
    proxy.wait_for_log("its signature is of none of the 1 keys that are trusted, or of another file", SOON);
    assert!(serves("x-filter-response"));
}

#[test]
fn wants_are_shown_against_grants_before_anything_runs() {
    let directory = Directory::new();
    let inspect = |manifests: bool| {
        let mut command = Command::new(sluice());
        command.args(["filter", "inspect"]).arg(test_filter("greedy"));
        if manifests {
            command.arg("--manifests").arg(directory.path());
        }
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = inspect(false);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("capability clock: NOT GRANTED, add `capabilities: [clock]`"), "{text}");
    directory.write("greedy.yaml", policy("greedy", "{capabilities: [clock, random]}"));
    let (code, text) = inspect(true);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("capability clock: granted") && text.contains("sha256:"), "{text}");
}
