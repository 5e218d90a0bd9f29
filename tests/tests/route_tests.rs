//! `sluice test`: what a configuration would do with requests is tested without a socket.
#![allow(clippy::expect_used, reason = "a test that cannot go on panics")]

use serde_json::Value;
use sluicegate_tests::{Authority, Directory, Eventing, sluice};
use std::path::Path;
use std::process::{Command, Output};

const SHOP: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: shop
spec:
  hosts: [shop.example]
  http:
  - name: old
    match: [{uri: {prefix: /old/}}]
    redirect: {prefixRewrite: /new/, redirectCode: 308}
  - match: [{uri: {prefix: /new/}}]
    rewrite: {uri: /, authority: inner.example}
    timeout: 2s
    retries: {attempts: 3, retryOn: 5xx}
    headers:
      request: {set: {x-shop: '1'}, remove: [x-internal]}
      response: {set: {x-frame-options: deny}, remove: [server]}
    route: [{destination: {host: stock, port: {number: 80}}}]
  - directResponse: {status: 410, body: {string: gone}}
";

/// Runs a file of tests beside the manifest above.
fn tested(tests: &str, arguments: &[&str]) -> (Directory, Output) {
    let directory = Directory::new();
    directory.write("shop.yaml", SHOP);
    directory.write("routes.yaml", tests);
    let mut command = Command::new(sluice());
    command.arg("test").arg(directory.file("routes.yaml")).args(arguments);
    let output = command.output().expect("it runs");
    (directory, output)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn every_part_of_a_decision_can_be_expected() {
    let tests = "
manifests: [shop.yaml]
tests:
- request: GET http://shop.example/new/teapot?size=2
  headers: {x-internal: '1', x-user: [ada, bob]}
  upstream: {status: 201, headers: {server: secret, etag: '\"1\"'}, body: made}
  expect:
    filter: router
    route: rule 2
    destination: stock.default.svc.cluster.local:80
    authority: inner.example
    path: /teapot?size=2
    headers: {x-shop: '1', x-internal: null, x-user: [ada, bob]}
    timeout: 2s
    retries: 3
    status: 201
    response-headers: {x-frame-options: deny, server: null, etag: '\"1\"'}
    body: made
- request: http://shop.example/old/teapot
  expect: {status: 308, location: 'http://shop.example/new/teapot', route: default/shop}
- request: http://shop.example/
  expect: {status: 410, body: gone}
- request: http://elsewhere.example/
  expect: {status: 404}
";
    let (_directory, output) = tested(tests, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).ends_with("\n4 passed, 0 failed\n"), "{}", said(&output));
}

#[test]
fn a_failure_is_a_finding_that_shows_both_sides() {
    let tests = "
manifests: [shop.yaml]
tests:
- name: new things come from the stock
  request: GET http://shop.example/new/teapot
  expect: {destination: 'stock:81', path: /new/teapot, headers: {x-shop: null}}
- request: GET http://shop.example/
  expect: {destination: stock}
";
    let (directory, output) = tested(tests, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = said(&output);
    let place = format!("--> {}:4:3", directory.file("routes.yaml").display());
    for part in [
        "FAIL  new things come from the stock",
        &place,
        "- stock:81\n        + stock.default.svc.cluster.local:80",
        "- /new/teapot\n        + /teapot",
        "headers.x-shop\n        - absent\n        + 1",
        "VirtualService default/shop, rule 2",
        "none: it was answered 410",
        "0 passed, 2 failed",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn machines_get_json() {
    let tests = "
manifests: [shop.yaml]
tests:
- {request: 'http://shop.example/', expect: {status: 200}}
";
    let (_directory, output) = tested(tests, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!((&report["passed"], &report["failed"]), (&0.into(), &1.into()));
    let mismatch = &report["tests"][0]["mismatches"][0];
    assert_eq!(mismatch["what"], "status");
    assert_eq!((&mismatch["expected"], &mismatch["found"]), (&"200".into(), &"410".into()));
}

#[test]
fn a_mistake_in_the_tests_is_usage_and_has_its_place() {
    let tests = "tests:\n- request: GET http://shop.example/\n  expect: {pth: /}\n";
    let (directory, output) = tested(tests, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let place = format!("{}:3:12", directory.file("routes.yaml").display());
    assert!(said(&output).contains(&place), "{}", said(&output));
    assert!(said(&output).contains("did you mean `path`?"), "{}", said(&output));
    let missing = Command::new(sluice()).args(["test", "no-such-file.yaml"]).output().expect("it runs");
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn manifests_that_are_refused_are_a_finding() {
    let tests = "tests:\n- {request: 'http://shop.example/', expect: {status: 200}}\n";
    let directory = Directory::new();
    directory.write("broken.yaml", SHOP.replace("hosts", "hots"));
    let manifests = directory.file("broken.yaml").display().to_string();
    let (_directory, output) = tested(tests, &["--manifests", &manifests]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("hots"), "{}", said(&output));
}

#[test]
fn the_shop_is_tested() {
    let routes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop/routes.yaml");
    let output = Command::new(sluice()).arg("test").arg(routes).output().expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
}

const EDGE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: sluicegate
  listeners:
  - {name: plain, port: 80, protocol: HTTP}
  - {name: inner, port: 8080, protocol: HTTP}
  - name: shop
    port: 443
    protocol: HTTPS
    hostname: shop.example
    tls: {certificateRefs: [{name: shop}]}
  - name: cart
    port: 443
    protocol: HTTPS
    hostname: cart.example
    tls: {certificateRefs: [{name: shop}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: moved}
spec:
  parentRefs: [{name: edge, sectionName: plain}]
  hostnames: [shop.example]
  rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: edge, port: 443}, {name: edge, port: 8080}]
  hostnames: [shop.example]
  rules: [{backendRefs: [{name: stock, port: 80}]}]
";

/// A directory with Gateways, and with routes for some of their listeners.
fn edge() -> Directory {
    let directory = Directory::new();
    let secret = Authority::new().issue(&["shop.example", "cart.example"]).secret("shop", &[]);
    directory.write("secret.yaml", secret);
    directory.write("edge.yaml", EDGE);
    directory
}

#[test]
fn a_test_names_the_listener_of_a_gateway() {
    let directory = edge();
    let tests = "
manifests: [edge.yaml, secret.yaml]
tests:
- {name: lowest, request: http://shop.example/, expect: {status: 302, location: 'https://shop.example/'}}
- {name: of the scheme, request: https://shop.example/, expect: {destination: 'stock:80'}}
- {name: of the url, request: 'http://shop.example:8080/', expect: {destination: 'stock:80'}}
- {name: named, request: http://shop.example/, listener: 8080, expect: {destination: 'stock:80'}}
- {name: another name, request: https://shop.example/, listener: {port: 443, sni: cart.example}, expect: {status: 421}}
- {name: own, request: http://shop.example/, listener: {mesh: true}, expect: {status: 404}}
";
    directory.write("routes.yaml", tests);
    let mut command = Command::new(sluice());
    command.arg("test").arg(directory.file("routes.yaml")).args(["--upstream", "stock=127.0.0.1:9000"]);
    let output = command.output().expect("it runs");
    let said = said(&output);
    assert!(said.contains("6 passed, 0 failed"), "{said}");
}

#[test]
fn explain_names_the_listener_of_a_gateway() {
    let directory = edge();
    let explain = |arguments: &[&str]| {
        let mut command = Command::new(sluice());
        command.arg("explain").args(["--upstream", "stock=127.0.0.1:9000", "--manifests"]);
        let output = command.arg(directory.path()).args(arguments).output().expect("it runs");
        said(&output)
    };
    let plain = explain(&["http://shop.example/"]);
    assert!(plain.contains("at port 80 of a Gateway") && plain.contains("302"), "{plain}");
    let inner = explain(&["--listener-port", "8080", "http://shop.example/"]);
    assert!(inner.contains("at port 8080 of a Gateway") && inner.contains("127.0.0.1:9000"), "{inner}");
    let other = explain(&["--listener-port", "443", "--sni", "cart.example", "https://shop.example/"]);
    assert!(other.contains("at port 443 of a Gateway for cart.example") && other.contains("421"), "{other}");
    let own = explain(&["--mesh", "https://shop.example/"]);
    assert!(!own.contains("of a Gateway"), "{own}");
    let wrong = explain(&["--sni", "127.0.0.1", "https://shop.example/"]);
    assert!(wrong.contains("`127.0.0.1` is not a server name"), "{wrong}");
}

#[test]
fn an_answer_is_what_a_client_would_get_be_it_for_head_grpc_or_by_an_event() {
    let orders = "{apiVersion: messaging.knative.dev/v1, kind: Channel, name: orders}";
    let bridge = Eventing::new().channel("orders").quotes(orders).to_string();
    let tests = "
manifests: [shop.yaml, bridge.yaml]
tests:
- request: HEAD http://shop.example/
  expect: {status: 410, body: ''}
- request: POST http://shop.example/
  headers: {content-type: application/grpc}
  expect: {status: 200, response-headers: {grpc-status: '2'}, body: ''}
- request: POST http://shop/quotes
  expect: {channels: [default/orders]}
- name: an event answers
  request: POST http://shop/quotes
  expect: {status: 202}
";
    let directory = Directory::new();
    directory.write("shop.yaml", SHOP);
    directory.write("bridge.yaml", bridge);
    directory.write("routes.yaml", tests);
    let output = Command::new(sluice()).arg("test").arg(directory.file("routes.yaml")).output().expect("it runs");
    assert!(said(&output).ends_with("\n3 passed, 1 failed\n"), "{}", said(&output));
    assert!(said(&output).contains("it was given to default/orders"), "{}", said(&output));
}

#[test]
fn explain_refuses_what_run_refuses() {
    let (manifests, filters) = (Directory::new(), Directory::new());
    manifests.write("shop.yaml", SHOP);
    filters.write("auth.wasm", "no component");
    let mut command = Command::new(sluice());
    command.arg("explain").arg("--manifests").arg(manifests.path()).arg("--filters").arg(filters.path());
    command.arg("http://shop.example/");
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("auth.wasm"), "{}", said(&output));
}
