use super::*;
use crate::manifest::{Diagnostics, parse};
use crate::upstream::registry::{Names, Readiness};
use std::path::Path;

/// Knows two names.
struct Hosts;

impl LookUp for Hosts {
    fn look_up(&self, name: &str) -> Result<Vec<std::net::IpAddr>, String> {
        match name {
            "localhost" => Ok(vec![[127, 0, 0, 1].into()]),
            "both.example" => {
                Ok(vec![[10, 0, 0, 1].into(), [10, 0, 0, 2].into(), std::net::Ipv6Addr::LOCALHOST.into()])
            }
            _ => Err("there is no such name".into()),
        }
    }
}

/// The registry, with its policies, and the findings.
pub(super) fn registry_of(text: &str) -> (Registry, Vec<String>) {
    let mut diagnostics = Diagnostics::new();
    let documents = parse(Path::new("a.yaml"), text.as_bytes(), "default", &mut diagnostics);
    assert!(diagnostics.is_empty(), "{:?}", diagnostics.lines());
    let documents: Vec<_> = documents.into_iter().map(Arc::new).collect();
    assert!(documents.iter().all(|document| claims(document) || crate::manifest::secret::is(document)));
    let mut registry = Registry::new(Names::default());
    build(&documents, &mut registry, &Hosts, &mut diagnostics);
    apply_policies(&documents, &mut registry, &mut |path| std::fs::read(path), &mut diagnostics);
    diagnostics.sort();
    let findings = diagnostics.iter().map(|found| match &found.help {
        Some(help) => format!("{} | {help}", found.line()),
        None => found.line(),
    });
    (registry, findings.collect())
}

/// The registry as lines `name:port -> endpoints`, and the findings.
fn build_from(text: &str) -> (Vec<String>, Vec<String>) {
    let (registry, findings) = registry_of(text);
    let mut lines: Vec<String> = registry
        .services()
        .flat_map(|service| {
            service.ports.iter().map(|port| {
                let ready = port.endpoints.iter().filter(|endpoint| endpoint.readiness == Readiness::Ready);
                let addresses: Vec<_> = ready.map(|endpoint| endpoint.address.to_string()).collect();
                format!("{}:{} -> {}", service.name, port.number.unwrap_or(0), addresses.join(" "))
            })
        })
        .collect();
    lines.sort();
    (lines, findings)
}

fn service(ports: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: shop, namespace: store}}\nspec:\n  selector: {{app: shop}}\n  clusterIP: None\n  ports: {ports}\n"
    )
}

fn slice(ports: &str, endpoints: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: shop-1\n  namespace: store\n  labels: {{kubernetes.io/service-name: shop}}\naddressType: IPv4\nports: {ports}\nendpoints: {endpoints}\n"
    )
}

fn entry(spec: &str) -> String {
    format!("apiVersion: networking.istio.io/v1beta1\nkind: ServiceEntry\nmetadata: {{name: e}}\nspec: {spec}\n")
}

#[test]
fn host_schemas_compile() {
    for text in [
        include_str!("service.schema.json"),
        include_str!("endpoint_slice.schema.json"),
        include_str!("service_entry.schema.json"),
        include_str!("destination_rule.schema.json"),
        include_str!("health_check.schema.json"),
    ] {
        assert!(compile("a kind", text).is_ok_and(|schema| !schema.findings(&serde_json::json!([])).is_empty()));
    }
}

#[test]
fn a_service_has_the_ready_endpoints_of_its_slices() {
    let endpoints = "[{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false}}, {addresses: [10.0.0.3], conditions: {ready: true, serving: true}}]";
    let text = service("[{port: 80, targetPort: 8080}]") + &slice("[{port: 8080}]", endpoints);
    let (services, findings) = build_from(&text);
    assert_eq!(findings, [""; 0]);
    assert_eq!(services, ["shop.store.svc.cluster.local:80 -> 10.0.0.1:8080 10.0.0.3:8080"]);
}

#[test]
fn an_endpoint_that_ends_serves_when_no_other_does_and_not_ready_ones_when_they_are_published() {
    let endpoints = "[{addresses: [10.0.0.1], conditions: {ready: false}}, {addresses: [10.0.0.2], conditions: {ready: false, serving: true, terminating: true}}]";
    let text = service("[{port: 80}]") + &slice("[{port: 8080}]", endpoints);
    let serving = |text: &str| {
        let registry = registry_of(text).0;
        let cluster = registry.find("shop.store", None).unwrap();
        cluster.members().iter().map(|member| member.endpoint.address.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(serving(&text), ["10.0.0.2:8080"]);
    let published = text.replace("clusterIP: None", "publishNotReadyAddresses: true");
    assert_eq!(serving(&published), ["10.0.0.1:8080", "10.0.0.2:8080"]);
}

#[test]
fn labels_of_slices_and_labels_and_weights_of_entries_reach_the_endpoints() {
    let text = service("[{port: 80}]")
        + &slice("[{port: 8080}]", "[{addresses: [10.0.0.1]}]").replace("{kubernetes", "{version: v2, kubernetes")
        + "---\n"
        + &entry(
            "{hosts: [api.example.com], resolution: STATIC, ports: [{number: 80, name: http}], endpoints: [{address: 10.0.0.2, weight: 3, labels: {version: v3}}, {address: 10.0.0.3, weight: 0}]}",
        );
    let (registry, findings) = registry_of(&text);
    assert!(findings.is_empty(), "{findings:?}");
    let described = |host: &str| {
        let cluster = registry.find(host, None).unwrap();
        cluster
            .members()
            .iter()
            .map(|member| format!("{} {:?}", member.endpoint.weight, member.endpoint.labels))
            .collect::<Vec<_>>()
    };
    assert_eq!(described("shop.store"), [r#"1 {"version": "v2"}"#]);
    assert_eq!(described("api.example.com"), [r#"3 {"version": "v3"}"#, "1 {}"]);
}

#[test]
fn ports_are_matched_by_name_then_by_target_then_as_the_only_one() {
    let table = [
        ("[{name: web, port: 80}]", "[{name: web, port: 8080}]", 8080),
        ("[{name: web, port: 80, targetPort: http}]", "[{name: http, port: 8081}, {name: admin, port: 9}]", 8081),
        ("[{port: 80, targetPort: http}]", "[{name: http, port: 8082}, {name: admin, port: 9}]", 8082),
        ("[{name: web, port: 80, targetPort: 8083}]", "[{name: x, port: 9}, {name: y, port: 8083}]", 8083),
        ("[{port: 80}]", "[{name: http, port: 8084}]", 8084),
        ("[{port: 80}]", "[{name: dns, port: 53, protocol: UDP}, {name: http, port: 8085}]", 8085),
    ];
    for (ports, slice_ports, number) in table {
        let (services, findings) = build_from(&(service(ports) + &slice(slice_ports, "[{addresses: [10.0.0.1]}]")));
        assert_eq!(findings, [""; 0], "{ports}");
        assert_eq!(services, [format!("shop.store.svc.cluster.local:80 -> 10.0.0.1:{number}")], "{ports}");
    }
}

#[test]
fn what_keeps_a_service_without_endpoints_is_said() {
    let (services, findings) = build_from(&service("[{port: 80}]"));
    assert_eq!(services, ["shop.store.svc.cluster.local:80 -> "]);
    assert!(findings[0].starts_with("a.yaml:3:18: warning[SG0504]: the Service has no endpoints: no EndpointSlice"));
    let text = service("[{name: web, port: 80}]") + &slice("[{name: other, port: 9}]", "[{addresses: [10.0.0.1]}]");
    let (_, findings) = build_from(&text);
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].starts_with("a.yaml:7:11: warning[SG0505]: no EndpointSlice of the Service has a port for port 80")
    );
    assert!(findings[0].ends_with("| give the slice (a.yaml:9) a port named `web`"), "{findings:?}");
}

#[test]
fn mistakes_in_services_and_slices_are_all_said_at_once() {
    let text = service("[{port: 80, tragetPort: 8080}, {port: soon}]")
        + &slice("[{port: 8080}]", "[{addresses: [10.0.0.256, '::1']}]")
        + &slice("[]", "[]").replace("service-name: shop", "service: shop").replace("shop-1", "shop-2")
        + &slice("[]", "[]").replace("service-name: shop", "service-name: shpo").replace("shop-1", "shop-3");
    let (_, findings) = build_from(&text);
    let expected = [
        "a.yaml:7:22: error[SG0110]: unknown field `tragetPort` | did you mean `targetPort`?",
        "a.yaml:7:48: error[SG0111]: expected an integer, found the string \"soon\"",
        "a.yaml:17:26: error[SG0501]: `10.0.0.256` is not an IP address | an EndpointSlice of type IPv4 or IPv6 holds IP addresses",
        "a.yaml:17:38: error[SG0501]: `::1` is not an address of type IPv4",
        "a.yaml:21:1: error[SG0502]: the slice has no label `kubernetes.io/service-name`, so it belongs to no Service | write `labels: {kubernetes.io/service-name: NAME}` under `metadata`",
        "a.yaml:34:40: warning[SG0503]: there is no Service `shpo` in namespace `store` | did you mean `shop`?",
    ];
    assert_eq!(findings, expected);
}

#[test]
fn static_entries_take_addresses_and_ports_as_written() {
    let text = entry(
        "{hosts: [api.example.com, b.example.com], resolution: STATIC, ports: [{number: 80, name: http, targetPort: 8080}, {number: 443, name: tls}], endpoints: [{address: 10.0.0.1}, {address: '::1', ports: {http: 9000}}]}",
    );
    let (services, findings) = build_from(&text);
    assert_eq!(findings, [""; 0]);
    assert_eq!(services[0], "api.example.com:443 -> 10.0.0.1:443 [::1]:443");
    assert_eq!(services[1], "api.example.com:80 -> 10.0.0.1:8080 [::1]:9000");
    assert_eq!(services.len(), 4);
}

#[test]
fn dns_entries_are_resolved_while_loading() {
    let text = entry("{hosts: [localhost], resolution: DNS, ports: [{number: 9000, name: http}]}");
    let (services, findings) = build_from(&text);
    assert_eq!(findings, [""; 0]);
    assert_eq!(services, ["localhost.default.svc.cluster.local:9000 -> 127.0.0.1:9000"]);
}

#[test]
fn a_name_with_addresses_of_both_families_pairs_them_and_is_one_endpoint_where_only_one_is_wanted() {
    for (resolution, addresses) in [("DNS", 2), ("DNS_ROUND_ROBIN", 1)] {
        let ports = "ports: [{number: 80, name: http}]";
        let (registry, findings) =
            registry_of(&entry(&format!("{{hosts: [both.example], resolution: {resolution}, {ports}}}")));
        assert_eq!(findings, [""; 0]);
        let endpoints = &registry.service("both.example").unwrap().ports[0].endpoints;
        assert_eq!(endpoints.len(), addresses, "{endpoints:?}");
        assert!(endpoints.iter().all(|endpoint| endpoint.alternatives.is_some()), "{endpoints:?}");
    }
}

#[test]
fn a_name_that_does_not_resolve_is_left_out_with_a_warning() {
    let text = entry(
        "{hosts: [a.example], resolution: DNS, ports: [{number: 80, name: http}], endpoints: [{address: nowhere.invalid}, {address: 10.0.0.1}]}",
    );
    let (services, findings) = build_from(&text);
    assert_eq!(services, ["a.example:80 -> 10.0.0.1:80"]);
    assert!(findings[0].contains("warning[SG0509]: `nowhere.invalid` could not be resolved"), "{findings:?}");
}

#[test]
fn an_entry_without_ports_is_taken_and_serves_nothing() {
    for spec in [
        "{hosts: ['*x']}",
        "{hosts: [a.b], workloadSelector: {}}",
        "{hosts: [a.b], addresses: [1.1.1.1/32], ports: []}",
    ] {
        let (services, findings) = build_from(&entry(spec));
        assert!(services.is_empty(), "{spec}: {services:?}");
        assert_eq!(findings.len(), 1, "{spec}: {findings:?}");
        assert!(findings[0].starts_with("a.yaml:4:1: warning[SG0507]: the entry has no port"), "{spec}: {findings:?}");
    }
}

#[test]
fn what_istio_refuses_of_an_entry_is_refused_whether_it_has_ports_or_not() {
    let table = [
        ("{hosts: ['*']}", "4:16: error[SG0508]: `*` is no host"),
        ("{hosts: [a.b], workloadSelector: {labels: {v: '*'}}}", "4:53: error[SG0507]: a wildcard selects nothing"),
        (
            "{hosts: [a.b], workloadSelector: {}, endpoints: [{address: 1.2.3.4}]}",
            "4:22: error[SG0507]: `workloadSelector` and",
        ),
        ("{hosts: [a.b], addresses: [1.2.3.4/16], resolution: DNS}", "4:34: error[SG0507]: `1.2.3.4/16` is a range"),
        (
            "{hosts: [a.b], resolution: NONE, endpoints: [{address: 1.2.3.4}]}",
            "4:34: error[SG0507]: resolution NONE takes",
        ),
        (
            "{hosts: [a.b], resolution: DNS_ROUND_ROBIN, endpoints: [{address: a.b}, {address: b.c}]}",
            "4:34: error[SG0507]: resolution DNS_R",
        ),
    ];
    for (spec, expected) in table {
        let (_, findings) = build_from(&entry(spec));
        assert_eq!(findings.len(), 1, "{spec}: {findings:?}");
        assert!(findings[0].starts_with(&format!("a.yaml:{expected}")), "{spec}: {findings:?}");
    }
}

#[test]
fn entries_whose_fields_do_not_go_together_are_refused() {
    let ports = "ports: [{number: 80, name: http}]";
    let table = [
        (format!("{{hosts: [a.b], {ports}}}"), "4:1: error[SG0506]: the entry gives no address: with resolution NONE"),
        (format!("{{hosts: [a.b], resolution: STATIC, {ports}}}"), "4:34: error[SG0507]: resolution STATIC needs"),
        (format!("{{hosts: [a.b], resolution: STATI, {ports}}}"), "4:34: error[SG0113]: expected one of"),
        (format!("{{hosts: ['*.b'], resolution: STATIC, {ports}, endpoints: [{{address: 10.0.0.1}}]}}"), "4:16: error[SG0508]"),
        (format!("{{hosts: [a.b], resolution: STATIC, {ports}, endpoints: [{{address: b.c}}]}}"), "4:99: error[SG0501]: `b.c` is not an IP"),
        (format!("{{hosts: [a.b], resolution: STATIC, {ports}, endpoints: [{{address: 'unix:///x'}}]}}"), "4:99: error[SG0501]: `unix:///x` is a Unix"),
        (format!("{{hosts: [a.b], resolution: DNS, {ports}, workloadSelector: {{}}}}"), "4:74: error[SG0507]: `workloadSelector`"),
        ("{hosts: [a.b], resolution: STATIC, ports: [{number: 80, name: a}, {number: 80, name: b}], endpoints: [{address: 10.0.0.1}]}".into(), "4:73: error[SG0510]: another port has the same number"),
    ];
    for (spec, expected) in table {
        let (_, findings) = build_from(&entry(&spec));
        assert_eq!(findings.len(), 1, "{spec}: {findings:?}");
        assert!(findings[0].starts_with(&format!("a.yaml:{expected}")), "{spec}: {findings:?}");
    }
}
