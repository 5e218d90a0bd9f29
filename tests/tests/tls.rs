//! TLS ends at the proxy as Gateway documents and flags say: by name, by reload, by client certificate.

#![allow(clippy::expect_used, reason = "a test that cannot go on panics")]

use sluicegate_tests::{Authority, Directory, Options, Pair, Proxy, Request, Tls, Upstream, sluice, wait_until};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

/// Long enough for a change on a busy machine.
const IN_EFFECT: Duration = Duration::from_secs(20);

/// Sends whatever comes in by the Gateway to one service.
const ROUTE: &str = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: all}\nspec:\n  hosts: ['*']\n  gateways: [edge]\n  http: [{route: [{destination: {host: shop}}]}]\n";

/// A Gateway of Istio's kind with these servers, and a route for it.
fn gateway(servers: &[String]) -> String {
    let head = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  servers:\n";
    head.to_owned() + &servers.concat() + ROUTE
}

/// A server on port 443, its hosts, and the rest of its `tls`.
fn https(name: &str, hosts: &str, tls: &str) -> String {
    format!("  - {{port: {{number: 443, name: {name}, protocol: HTTPS}}, hosts: [{hosts}], tls: {{{tls}}}}}\n")
}

fn simple(name: &str, host: &str, secret: &str) -> String {
    https(name, host, &format!("mode: SIMPLE, credentialName: {secret}"))
}

/// Ports that the documents declare, each on one that the system chooses.
fn options() -> Options {
    let any = |port: u16| format!("{port}=127.0.0.1:0");
    Options::new().argument("--gateway-port").argument(any(443)).argument("--gateway-port").argument(any(80))
}

/// Where a declared port is listened on.
fn listener(proxy: &Proxy, port: u16) -> Option<SocketAddr> {
    let config = proxy.ask_admin("/config").json();
    let listeners = config["listeners"].as_array().expect("a list").clone();
    let found = listeners.into_iter().find(|listener| listener["port"] == port)?;
    found["address"].as_str()?.parse().ok()
}

#[track_caller]
fn port(proxy: &Proxy, port: u16) -> SocketAddr {
    listener(proxy, port).unwrap_or_else(|| panic!("port {port} is not open"))
}

/// The last change that was refused, as the admin endpoint shows it.
fn refusal(proxy: &Proxy) -> serde_json::Value {
    proxy.ask_admin("/config").json()["last_reload_failure"].clone()
}

#[test]
fn the_server_name_chooses_the_certificate_and_requests_go_on_as_https() {
    let authority = Authority::new();
    let (shop, other) = (authority.issue(&["shop.example"]), authority.issue(&["*.other.example"]));
    let servers = gateway(&[simple("a", "shop.example", "shop"), simple("b", "'*.other.example'", "other")]);
    let upstream = Upstream::start();
    let options = options().manifest("gateway.yaml", servers).manifest("shop.yaml", shop.secret("shop", &[]));
    let options = options.manifest("other.yaml", other.secret("other", &[]));
    let proxy = Proxy::start(options.upstream("*", upstream.address()));
    let address = port(&proxy, 443);
    for (name, pair) in [("shop.example", &shop), ("a.other.example", &other)] {
        let mut client = Tls::to(name, &authority).connect(address).expect("a handshake");
        assert_eq!(client.certificate, pair.der(), "{name}");
        assert_eq!(client.status_of(&format!("https://{name}/")), 200);
    }
    let arrived = &upstream.requests()[0];
    assert_eq!(arrived.header("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(arrived.header("host").as_deref(), Some("shop.example"));
}

#[test]
fn a_server_name_that_nobody_takes_is_refused_in_the_handshake() {
    let authority = Authority::new();
    let pair = authority.issue(&["shop.example", "other.example"]);
    let options = options().manifest("gateway.yaml", gateway(&[simple("a", "shop.example", "shop")]));
    let proxy = Proxy::start(options.manifest("shop.yaml", pair.secret("shop", &[])));
    let error = Tls::to("other.example", &authority).connect(port(&proxy, 443)).expect_err("no handshake");
    assert!(error.contains("UnrecognisedName"), "{error}");
}

#[test]
fn the_protocol_is_http2_where_the_client_offers_it() {
    let authority = Authority::new();
    let pair = authority.issue(&["shop.example"]);
    let upstream = Upstream::start();
    let options = options().manifest("gateway.yaml", gateway(&[simple("a", "'*'", "shop")]));
    let options = options.manifest("shop.yaml", pair.secret("shop", &[])).upstream("*", upstream.address());
    let proxy = Proxy::start(options);
    let address = port(&proxy, 443);
    let table: [(&[&str], Option<&str>); 3] =
        [(&["h2", "http/1.1"], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)];
    for (offered, chosen) in table {
        let mut client = Tls::to("shop.example", &authority).offering(offered).connect(address).expect("a handshake");
        assert_eq!(client.protocol.as_deref(), chosen);
        assert_eq!(client.status_of("https://shop.example/"), 200, "{offered:?}");
    }
    assert!(Tls::to("shop.example", &authority).offering(&["spdy/3"]).connect(address).is_err());
}

#[test]
fn a_request_for_another_server_than_the_handshake_named_is_misdirected() {
    let authority = Authority::new();
    let pair = authority.issue(&["example.org", "second-example.org", "*.wildcard.org", "unknown-example.org"]);
    let listener = |name: &str, hostname: &str| {
        format!(
            "  - {{name: {name}, port: 443, protocol: HTTPS{hostname}, tls: {{certificateRefs: [{{name: shop}}]}}}}\n"
        )
    };
    let listeners = [
        listener("open", ""),
        listener("second", ", hostname: second-example.org"),
        listener("wildcard", ", hostname: '*.wildcard.org'"),
        listener("fourth", ", hostname: fourth-example.wildcard.org"),
    ];
    let head = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  gatewayClassName: sluicegate\n  listeners:\n";
    let route = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: all}\nspec:\n  parentRefs: [{name: edge}]\n  hostnames: [example.org, second-example.org, '*.wildcard.org']\n  rules: [{backendRefs: [{name: shop, port: 80}]}]\n";
    let options = options().manifest("gateway.yaml", head.to_owned() + &listeners.concat() + route);
    let upstream = Upstream::start();
    let options = options.manifest("shop.yaml", pair.secret("shop", &[])).upstream("shop", upstream.address());
    let proxy = Proxy::start(options);
    let table: [(&str, &[(&str, u16)]); 5] = [
        ("example.org", &[("example.org", 200), ("second-example.org", 421), ("unknown-example.org", 404)]),
        ("second-example.org", &[("second-example.org", 200), ("example.org", 421), ("unknown-example.org", 421)]),
        (
            "third-example.wildcard.org",
            &[
                ("third-example.wildcard.org", 200),
                ("fifth-example.wildcard.org:443", 200),
                ("fourth-example.wildcard.org", 421),
                ("second-example.org", 421),
            ],
        ),
        ("fourth-example.wildcard.org", &[("fourth-example.wildcard.org", 200), ("fifth-example.wildcard.org", 421)]),
        ("unknown-example.org", &[("example.org", 200), ("unknown-example.org", 404)]),
    ];
    for protocol in ["h2", "http/1.1"] {
        for (name, requests) in table {
            let tls = Tls::to(name, &authority).offering(&[protocol]);
            let mut client = tls.connect(port(&proxy, 443)).expect("a handshake");
            for (host, status) in requests {
                assert_eq!(client.status_of(&format!("https://{host}/")), *status, "{protocol} {name} {host}");
            }
        }
    }
}

#[test]
fn a_renewed_certificate_is_for_new_connections_and_open_ones_go_on() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(&["shop.example"]), authority.issue(&["shop.example"]));
    let upstream = Upstream::start();
    let options = options().manifest("gateway.yaml", gateway(&[simple("a", "shop.example", "shop")]));
    let options = options.manifest("shop.yaml", old.secret("shop", &[])).upstream("*", upstream.address());
    let proxy = Proxy::start(options);
    let address = port(&proxy, 443);
    let tls = Tls::to("shop.example", &authority);
    let mut open = tls.connect(address).expect("a handshake");
    assert_eq!((open.status_of("https://shop.example/"), &open.certificate), (200, &old.der()));
    proxy.manifests().replace("shop.yaml", new.secret("shop", &[]));
    wait_until(IN_EFFECT, || tls.connect(address).expect("a handshake").certificate == new.der());
    assert_eq!(open.status_of("https://shop.example/"), 200);
    assert_eq!(port(&proxy, 443), address);
}

#[test]
fn a_bad_secret_is_refused_with_its_place_and_the_old_one_stays() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(&["shop.example"]), authority.issue(&["shop.example"]));
    let options = options().manifest("gateway.yaml", gateway(&[simple("a", "shop.example", "shop")]));
    let proxy = Proxy::start(options.manifest("shop.yaml", old.secret("shop", &[])));
    let mixed = Pair { certificate: new.certificate.clone(), key: old.key.clone() };
    proxy.manifests().replace("shop.yaml", mixed.secret("shop", &[]));
    wait_until(IN_EFFECT, || !refusal(&proxy).is_null());
    let found = refusal(&proxy)["diagnostics"][0].clone();
    assert_eq!(found["code"], "SG0707");
    let line = 7 + new.certificate.lines().count();
    let origin = found["origin"].as_str().expect("a place");
    assert!(origin.ends_with(&format!("shop.yaml:{line}:3")), "{origin}");
    let client = Tls::to("shop.example", &authority).connect(port(&proxy, 443)).expect("a handshake");
    assert_eq!(client.certificate, old.der());
    for pair in [&old, &new] {
        let secret = pair.key.lines().nth(1).expect("a key has lines");
        assert!(!proxy.log().contains(secret) && !proxy.ask_admin("/config").text().contains(secret), "a key is shown");
    }
}

#[test]
fn a_proxy_with_a_bad_secret_does_not_start_and_shows_no_key() {
    let authority = Authority::new();
    let (one, other) = (authority.issue(&["shop.example"]), authority.issue(&["shop.example"]));
    let mixed = Pair { certificate: one.certificate, key: other.key };
    let options = options().manifest("gateway.yaml", gateway(&[simple("a", "shop.example", "shop")]));
    let said = Proxy::try_start(options.manifest("shop.yaml", mixed.secret("shop", &[]))).expect_err("no start");
    assert!(said.contains("SG0707") && said.contains("shop.yaml:"), "{said}");
    assert!(!said.contains("PRIVATE KEY") && !said.contains(mixed.key.lines().nth(1).expect("a line")), "{said}");
}

#[test]
fn clients_without_a_good_certificate_are_kept_out_where_one_is_required() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let pair = authority.issue(&["shop.example", "open.example"]);
    let (known, unknown) = (authority.issue(&["client.example"]), stranger.issue(&["client.example"]));
    let servers = gateway(&[
        https("a", "shop.example", "mode: MUTUAL, credentialName: shop"),
        https("b", "open.example", "mode: OPTIONAL_MUTUAL, credentialName: shop"),
    ]);
    let secret = pair.secret("shop", &[("ca.crt", &authority.certificate())]);
    let upstream = Upstream::start();
    let options = options().manifest("gateway.yaml", servers).manifest("shop.yaml", secret);
    let proxy = Proxy::start(options.upstream("*", upstream.address()));
    let address = port(&proxy, 443);
    // With TLS 1.3 a client is connected before it is refused, and learns it from the first answer.
    let status = |tls: &Tls, host: &str| {
        let answer = tls.connect(address).and_then(|mut client| client.send(Request::get(&format!("https://{host}/"))));
        answer.map(|answer| answer.status).ok()
    };
    let shop = Tls::to("shop.example", &authority);
    assert_eq!(status(&shop.clone().showing(&known), "shop.example"), Some(200));
    assert_eq!(status(&shop.clone().showing(&unknown), "shop.example"), None);
    assert_eq!(status(&shop, "shop.example"), None);
    let open = Tls::to("open.example", &authority);
    assert_eq!(status(&open, "open.example"), Some(200));
    assert_eq!(status(&open.clone().showing(&known), "open.example"), Some(200));
    assert_eq!(status(&open.clone().showing(&unknown), "open.example"), None);
    // Nor does a detour over the server that asks for none lead there.
    for protocol in ["h2", "http/1.1"] {
        assert_eq!(status(&open.clone().offering(&[protocol]), "shop.example"), Some(421));
    }
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn a_gateway_of_the_gateway_api_asks_clients_for_certificates_on_some_ports() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (known, unknown) = (authority.issue(&["client.example"]), stranger.issue(&["client.example"]));
    let validation = "validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: clients}]}";
    let listener = |name: &str, port: u16| {
        format!("  - {{name: {name}, port: {port}, protocol: HTTPS, tls: {{certificateRefs: [{{name: shop}}]}}}}\n")
    };
    let edge = format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  gatewayClassName: sluicegate
  tls: {{frontend: {{default: {{{validation}}}, perPort: [{{port: 8443, tls: {{}}}}]}}}}
  listeners:
{}{}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: all}}
spec:
  parentRefs: [{{name: edge}}]
  rules: [{{backendRefs: [{{name: shop, port: 80}}]}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: clients}}
data:
  ca.crt: |
    {}
",
        listener("closed", 443),
        listener("open", 8443),
        authority.certificate().trim_end().replace('\n', "\n    "),
    );
    let upstream = Upstream::start();
    let options = options().argument("--gateway-port").argument("8443=127.0.0.1:0").manifest("gateway.yaml", edge);
    let options = options.manifest("shop.yaml", authority.issue(&["shop.example"]).secret("shop", &[]));
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    let status = |tls: &Tls, declared: u16| {
        let client = tls.connect(port(&proxy, declared));
        let answer = client.and_then(|mut client| client.send(Request::get("https://shop.example/")));
        answer.map(|answer| answer.status).ok()
    };
    let shop = Tls::to("shop.example", &authority);
    assert_eq!(status(&shop.clone().showing(&known), 443), Some(200));
    assert_eq!(status(&shop.clone().showing(&unknown), 443), None);
    assert_eq!(status(&shop, 443), None);
    assert_eq!(status(&shop, 8443), Some(200));
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn listeners_come_and_go_and_leave_the_connections_of_others_alone() {
    let authority = Authority::new();
    let pair = authority.issue(&["shop.example"]);
    let plain = "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}\n".to_owned();
    let secure = simple("a", "'*'", "shop");
    let upstream = Upstream::start();
    let options = options().manifest("gateway.yaml", gateway(std::slice::from_ref(&plain)));
    let options = options.manifest("shop.yaml", pair.secret("shop", &[])).upstream("*", upstream.address());
    let proxy = Proxy::start(options);
    let mut mesh = proxy.connect();
    assert_eq!(mesh.send(Request::get("http://shop.example/")).expect("an answer").status, 200);
    let mut first = sluicegate_tests::Client::connect(port(&proxy, 80));
    assert_eq!(first.send(Request::get("http://shop.example/")).expect("an answer").status, 200);
    assert_eq!(listener(&proxy, 443), None);

    proxy.manifests().replace("gateway.yaml", gateway(&[plain, secure.clone()]));
    wait_until(IN_EFFECT, || listener(&proxy, 443).is_some());
    let mut second = Tls::to("shop.example", &authority).connect(port(&proxy, 443)).expect("a handshake");
    assert_eq!(second.status_of("https://shop.example/"), 200);
    assert_eq!(first.send(Request::get("http://shop.example/")).expect("an answer").status, 200);

    proxy.manifests().replace("gateway.yaml", gateway(&[secure]));
    let closed = port(&proxy, 80);
    wait_until(IN_EFFECT, || !first.is_open());
    assert!(std::net::TcpStream::connect(closed).is_err());
    assert_eq!(second.status_of("https://shop.example/"), 200);
    assert_eq!(mesh.send(Request::get("http://shop.example/")).expect("an answer").status, 200);
}

#[test]
fn a_port_that_is_taken_refuses_the_change_and_at_the_start_the_proxy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let number = taken.local_addr().expect("it is bound").port();
    let server = |port: u16, name: &str| {
        format!("  - {{port: {{number: {port}, name: {name}, protocol: HTTP}}, hosts: ['*']}}\n")
    };
    let upstream = Upstream::start();
    let options = options().manifest("gateway.yaml", gateway(&[server(80, "a")])).upstream("*", upstream.address());
    let proxy = Proxy::start(options);
    let mut open = sluicegate_tests::Client::connect(port(&proxy, 80));
    proxy.manifests().replace("gateway.yaml", gateway(&[server(80, "a"), server(number, "b")]));
    wait_until(IN_EFFECT, || !refusal(&proxy).is_null());
    let found = refusal(&proxy)["diagnostics"][0].clone();
    assert_eq!(found["code"], "SG0713");
    assert!(found["origin"].as_str().is_some_and(|origin| origin.ends_with("gateway.yaml:7:21")), "{found}");
    assert_eq!(open.send(Request::get("http://shop.example/")).expect("an answer").status, 200);
    let options = self::options().manifest("gateway.yaml", gateway(&[server(number, "b")]));
    let said = Proxy::try_start(options).expect_err("no start");
    assert!(said.contains("SG0713") && said.contains("--gateway-port"), "{said}");
}

#[test]
fn files_of_the_command_line_are_followed_when_they_change() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
    let files = sluicegate_tests::Directory::new();
    files.write("cert.pem", &old.certificate);
    files.write("key.pem", &old.key);
    let upstream = Upstream::start();
    let options = Options::new().argument("--listen-tls").argument("127.0.0.1:0");
    let options = options.argument("--tls-certificate").argument(files.file("cert.pem"));
    let options = options.argument("--tls-key").argument(files.file("key.pem"));
    let proxy = Proxy::start(options.upstream("*", upstream.address()));
    let config = proxy.ask_admin("/config").json();
    assert_eq!((&config["listeners"][0]["name"], &config["listeners"][0]["tls"]), (&"mesh".into(), &true.into()));
    let address: SocketAddr = config["listeners"][0]["address"].as_str().expect("it").parse().expect("an address");
    let tls = Tls::to("localhost", &authority);
    let mut open = tls.connect(address).expect("a handshake");
    assert_eq!((open.status_of("https://localhost/"), &open.certificate), (200, &old.der()));
    // A certificate whose key has not come yet leaves the old pair in force.
    files.replace("cert.pem", &new.certificate);
    wait_until(IN_EFFECT, || !refusal(&proxy).is_null());
    assert_eq!(tls.connect(address).expect("a handshake").certificate, old.der());
    files.replace("key.pem", &new.key);
    wait_until(IN_EFFECT, || tls.connect(address).expect("a handshake").certificate == new.der());
    assert_eq!(open.status_of("https://localhost/"), 200);
}

#[test]
fn connections_are_passed_on_undecrypted_to_the_service_that_the_client_names() {
    let authority = Authority::new();
    let pair = authority.issue(&["shop.example", "gone.example"]);
    let service = Upstream::start();
    let behind = options().manifest("gateway.yaml", gateway(&[simple("a", "'*'", "shop")]));
    let behind = behind.manifest("shop.yaml", pair.secret("shop", &[])).upstream("*", service.address());
    let behind = Proxy::start(behind);
    let server = "  - {port: {number: 443, name: a, protocol: TLS}, hosts: ['*.example'], tls: {mode: PASSTHROUGH}}\n";
    let options = options().manifest("gateway.yaml", gateway(&[server.to_owned()]));
    let proxy = Proxy::start(options.upstream("shop.example", port(&behind, 443)));
    let mut client =
        Tls::to("shop.example", &authority).offering(&["h2"]).connect(port(&proxy, 443)).expect("a handshake");
    assert_eq!(client.certificate, pair.der());
    assert_eq!(client.status_of("https://shop.example/"), 200);
    assert_eq!(service.requests().len(), 1);
    let error = Tls::to("gone.example", &authority).connect(port(&proxy, 443)).expect_err("no handshake");
    assert!(error.contains("UnrecognisedName"), "{error}");
}

#[test]
fn metrics_tell_of_handshakes_and_of_when_certificates_end() {
    let authority = Authority::new();
    let pair = authority.issue(&["shop.example"]);
    let options = options().manifest("gateway.yaml", gateway(&[simple("a", "shop.example", "shop")]));
    let proxy = Proxy::start(options.manifest("shop.yaml", pair.secret("shop", &[])));
    Tls::to("shop.example", &authority).connect(port(&proxy, 443)).expect("a handshake");
    Tls::to("other.example", &authority).connect(port(&proxy, 443)).expect_err("no handshake");
    let counted = || {
        let text = proxy.ask_admin("/metrics").text();
        text.contains("sluicegate_tls_handshakes_total{result=\"completed\",version=\"1.3\"} 1")
            && text.contains("sluicegate_tls_handshakes_total{result=\"unknown_name\",version=\"\"} 1")
    };
    wait_until(IN_EFFECT, counted);
    let name = "sluicegate_tls_certificate_expiry_timestamp_seconds";
    let series = format!("{name}{{source=\"Secret default/shop\",name=\"shop.example\"}} ");
    let text = proxy.ask_admin("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or_else(|| panic!("{text}"));
    assert!(line.parse::<i64>().is_ok_and(|end| end > 1_700_000_000), "{line}");
}

#[test]
fn what_is_not_tls_gets_no_answer_in_plain() {
    let authority = Authority::new();
    let pair = authority.issue(&["shop.example"]);
    let options = options().manifest("gateway.yaml", gateway(&[simple("a", "'*'", "shop")]));
    let proxy = Proxy::start(options.manifest("shop.yaml", pair.secret("shop", &[])));
    let answer = sluicegate_tests::raw(port(&proxy, 443), "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/"), "{answer:?}");
}

#[test]
fn a_mistake_in_a_gateway_is_said_once_although_proxy_and_router_both_read_it() {
    let directory = Directory::new();
    let listeners = "[{name: a, port: 80, protocol: HTTP, hostnme: a.b}, {name: b, port: 81, protocol: TCP}]";
    let text = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: edge}}\nspec: {{gatewayClassName: s, listeners: {listeners}}}\n"
    );
    for (text, expected) in [(text.clone(), "SG0110"), (text.replace(", hostnme: a.b", ""), "SG0703")] {
        directory.write("gateway.yaml", text);
        let output = Command::new(sluice()).arg("check").arg(directory.path()).args(["-o", "json"]).output();
        let findings = serde_json::from_slice(&output.expect("it runs").stdout).expect("findings");
        let serde_json::Value::Array(findings) = findings else { panic!("no list: {findings}") };
        let codes: Vec<&str> = findings.iter().filter_map(|finding| finding["code"].as_str()).collect();
        assert_eq!(codes, [expected], "{findings:?}");
    }
}
