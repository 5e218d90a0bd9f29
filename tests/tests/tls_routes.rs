//! TLS that a Gateway passes on undecrypted: the name that the client asks for decides where it goes.

#![allow(clippy::expect_used, reason = "a test that cannot go on panics")]

use sluicegate_tests::{Authority, Options, Proxy, Tls, Upstream, wait_until};
use std::net::SocketAddr;
use std::time::Duration;

/// Long enough for a change on a busy machine.
const IN_EFFECT: Duration = Duration::from_secs(20);

fn istio(server: &str, rules: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge}}\nspec:\n  servers:\n  - {{port: {{number: 443, name: tls, protocol: TLS}}, {server}}}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: shop}}\nspec:\n  hosts: ['*.example']\n  gateways: [edge]\n  tls:\n{rules}"
    )
}

fn rule(name: &str, service: &str) -> String {
    format!("  - {{match: [{{sniHosts: [{name}], port: 443}}], route: [{{destination: {{host: {service}}}}}]}}\n")
}

fn gateway_api(routes: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: edge}}\nspec:\n  gatewayClassName: sluicegate\n  listeners:\n  - {{name: tls, port: 443, protocol: TLS, tls: {{mode: Passthrough}}}}\n{routes}"
    )
}

fn tls_route(name: &str, hostname: &str, backends: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: TLSRoute\nmetadata: {{name: {name}}}\nspec:\n  parentRefs: [{{name: edge}}]\n  hostnames: ['{hostname}']\n  rules: [{{backendRefs: [{backends}]}}]\n"
    )
}

fn start(manifest: String, services: &[(&str, SocketAddr)]) -> Proxy {
    let options = Options::new().argument("--gateway-port").argument("443=127.0.0.1:0").manifest("edge.yaml", manifest);
    let with = |options: Options, (name, address): &(&str, SocketAddr)| options.upstream(name, *address);
    Proxy::start(services.iter().fold(options, with))
}

/// Where port 443 is listened on.
fn listener(proxy: &Proxy) -> SocketAddr {
    let config = proxy.ask_admin("/config").json();
    let listeners = config["listeners"].as_array().expect("a list").clone();
    let found = listeners.into_iter().find(|listener| listener["port"] == 443).expect("port 443 is open");
    found["address"].as_str().and_then(|text| text.parse().ok()).expect("an address")
}

/// The certificate that a client is shown who asks for this name; none when it is refused.
fn shown(proxy: &Proxy, authority: &Authority, name: &str) -> Option<Vec<u8>> {
    let mut client = Tls::to(name, authority).connect(listener(proxy)).ok()?;
    assert_eq!(client.status_of(&format!("https://{name}/")), 200);
    Some(client.certificate)
}

#[test]
fn rules_of_a_virtual_service_choose_the_service_by_name() {
    let authority = Authority::new();
    let (a, any) = (authority.issue(&["a.example"]), authority.issue(&["*.shop.example"]));
    let (one, two) = (Upstream::secure(&a, None), Upstream::secure(&any, None));
    let rules = rule("'*.shop.example'", "any") + &rule("a.example", "one");
    let manifest = istio("hosts: ['*'], tls: {mode: PASSTHROUGH}", &rules);
    let proxy = start(manifest, &[("one", one.address()), ("any", two.address())]);
    assert_eq!(shown(&proxy, &authority, "a.example"), Some(a.der()));
    assert_eq!(shown(&proxy, &authority, "b.shop.example"), Some(any.der()));
    assert_eq!(one.requests()[0].server_name.as_deref(), Some("a.example"));
    let error = Tls::to("other.org", &authority).connect(listener(&proxy)).expect_err("no handshake");
    assert!(error.contains("UnrecognisedName"), "{error}");
}

#[test]
fn a_tls_route_chooses_the_service_and_follows_changes() {
    let authority = Authority::new();
    let pair = authority.issue(&["shop.example"]);
    let (one, two) = (Upstream::secure(&pair, None), Upstream::secure(&pair, None));
    let manifest =
        |service: &str| gateway_api(&tls_route("shop", "shop.example", &format!("{{name: {service}, port: 443}}")));
    let proxy = start(manifest("one"), &[("one", one.address()), ("two", two.address())]);
    assert_eq!(shown(&proxy, &authority, "shop.example"), Some(pair.der()));
    assert_eq!((one.arrived(), two.arrived()), (1, 0));
    proxy.manifests().write("edge.yaml", manifest("two"));
    wait_until(IN_EFFECT, || {
        assert!(shown(&proxy, &authority, "shop.example").is_some(), "a change loses no connection");
        two.arrived() > 0
    });
}

#[test]
fn a_name_whose_service_is_not_there_is_refused() {
    let authority = Authority::new();
    let proxy = start(gateway_api(&tls_route("shop", "shop.example", "{name: nobody, port: 443}")), &[]);
    let error = Tls::to("shop.example", &authority).connect(listener(&proxy)).expect_err("no handshake");
    assert!(error.contains("UnrecognisedName"), "{error}");
}

#[test]
fn names_that_sidecars_write_say_where_they_lead() {
    let authority = Authority::new();
    let name = "outbound_.443_._.shop.default.svc.cluster.local";
    let pair = authority.issue(&[name]);
    let upstream = Upstream::secure(&pair, None);
    let manifest = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  servers:\n  - {port: {number: 443, name: tls, protocol: TLS}, hosts: ['*.local'], tls: {mode: AUTO_PASSTHROUGH}}\n";
    let proxy = start(manifest.to_owned(), &[("shop:443", upstream.address())]);
    assert_eq!(shown(&proxy, &authority, name), Some(pair.der()));
}
