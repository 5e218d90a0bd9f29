//! Which listeners serve which routes: the Gateway API's conformance tables for hosts, ports and namespaces.

mod support;

use sluicegate_sdk::testing::TestRequest;
use support::gateway::{at, edge, get, listener, open, problems, resource, route, route_to, rule, tls_listener};
use support::{findings, outcome, router};

fn prefix(path: &str, service: &str) -> String {
    rule(&format!("{{path: {{type: PathPrefix, value: {path}}}}}"), service)
}

fn encrypted(authority: &str, name: &str) -> TestRequest {
    at(TestRequest::get("/").authority(authority), 443).scheme("https").attribute("tls.sni", name)
}

#[test]
fn a_route_is_served_for_the_hosts_that_it_shares_with_a_listener() {
    let listeners = listener("1", 80, ", hostname: very.specific.com")
        + &listener("2", 80, ", hostname: '*.wildcard.io'")
        + &listener("3", 80, ", hostname: '*.anotherwildcard.io'");
    let yaml = edge(&listeners)
        + &route_to(
            "s1",
            "{name: edge}",
            "non.matching.com, '*.nonmatchingwildcard.io', very.specific.com",
            &prefix("/s1", "v1"),
        )
        + &route_to(
            "s2",
            "{name: edge}",
            "non.matching.com, wildcard.io, foo.wildcard.io, bar.wildcard.io, foo.bar.wildcard.io",
            &prefix("/s2", "v2"),
        )
        + &route_to("s3", "{name: edge}", "non.matching.com, '*.specific.com'", &prefix("/s3", "v3"))
        + &route_to("s4", "{name: edge}", "'*.anotherwildcard.io'", &prefix("/s4", "v1"))
        + &route_to("s5", "{name: edge}", "specific.but.wrong.com, wildcard.io", &prefix("/s5", "v2"));
    let router = router(&yaml);
    for (authority, path, expected) in [
        ("very.specific.com", "/s1", "v1"),
        ("very.specific.com:1234", "/s1", "v1"),
        ("non.matching.com", "/s1", "404"),
        ("foo.nonmatchingwildcard.io", "/s1", "404"),
        ("foo.wildcard.io", "/s1", "404"),
        ("very.specific.com", "/non-matching-prefix", "404"),
        ("foo.wildcard.io", "/s2", "v2"),
        ("bar.wildcard.io", "/s2", "v2"),
        ("foo.bar.wildcard.io", "/s2", "v2"),
        ("wildcard.io", "/s2", "404"),
        ("non.matching.com", "/s2", "404"),
        ("very.specific.com", "/s2", "404"),
        ("very.specific.com", "/s3", "v3"),
        ("foo.specific.com", "/s3", "404"),
        ("foo.anotherwildcard.io", "/s4", "v1"),
        ("bar.anotherwildcard.io", "/s4", "v1"),
        ("foo.bar.anotherwildcard.io", "/s4", "v1"),
        ("anotherwildcard.io", "/s4", "404"),
        ("specific.but.wrong.com", "/s5", "404"),
        ("wildcard.io", "/s5", "404"),
    ] {
        assert_eq!(outcome(&router, &get(authority, path)), expected, "{authority}{path}");
    }
    assert_eq!(problems(&yaml), ["warning SG0231 /spec/parentRefs/0"], "only s5 is not accepted");
}

#[test]
fn a_listener_without_a_host_serves_all_hosts_of_the_route_and_no_others() {
    let hosts = "first.com, sub.first.com, second.com, sub.second.com";
    let router = router(&(open() + &route_to("r", "{name: edge}", hosts, &prefix("/", "v2"))));
    for (authority, expected) in [
        ("first.com", "v2"),
        ("sub.first.com", "v2"),
        ("second.com", "v2"),
        ("sub.second.com", "v2"),
        ("third.com", "404"),
        ("sub.third.com", "404"),
    ] {
        assert_eq!(outcome(&router, &get(authority, "/")), expected, "{authority}");
    }
}

#[test]
fn each_route_is_served_by_the_listener_that_it_names() {
    let listeners = listener("1", 80, ", hostname: bar.com")
        + &listener("2", 80, ", hostname: foo.bar.com")
        + &listener("3", 80, ", hostname: '*.bar.com'")
        + &listener("4", 80, ", hostname: '*.foo.com'");
    let to = |name: &str, parents: &str, service: &str| route_to(name, parents, "", &prefix("/", service));
    let yaml = edge(&listeners)
        + &to("a", "{name: edge, sectionName: '1'}", "v1")
        + &to("b", "{name: edge, sectionName: '2'}", "v2")
        + &to("c", "{name: edge, sectionName: '3'}, {name: edge, sectionName: '4'}", "v3");
    let router = router(&yaml);
    for (authority, expected) in [
        ("bar.com", "v1"),
        ("foo.bar.com", "v2"),
        ("baz.bar.com", "v3"),
        ("boo.bar.com", "v3"),
        ("multiple.prefixes.bar.com", "v3"),
        ("multiple.prefixes.foo.com", "v3"),
        ("foo.com", "404"),
        ("no.matching.host", "404"),
    ] {
        assert_eq!(outcome(&router, &get(authority, "/")), expected, "{authority}");
    }
}

#[test]
fn a_host_is_served_only_by_its_most_specific_listener() {
    let names = ["", "*.example.com", "*.foo.example.com", "abc.foo.example.com"];
    let hosts = ["bar.com", "bar.example.com", "bar.foo.example.com", "abc.foo.example.com"];
    let mut yaml = String::new();
    let mut listeners = String::new();
    for (index, name) in names.iter().enumerate() {
        let hostname = if name.is_empty() { String::new() } else { format!(", hostname: '{name}'") };
        listeners += &listener(&format!("l{index}"), 80, &hostname);
        let parents = format!("{{name: edge, sectionName: l{index}}}");
        yaml += &route_to(&format!("r{index}"), &parents, "", &prefix(&format!("/l{index}"), &format!("v{index}")));
    }
    let router = router(&(edge(&listeners) + &yaml));
    for (host_index, host) in hosts.iter().enumerate() {
        for path_index in 0..4 {
            let expected = if host_index == path_index { format!("v{path_index}") } else { "404".to_owned() };
            assert_eq!(outcome(&router, &get(host, &format!("/l{path_index}"))), expected, "{host} /l{path_index}");
        }
    }
}

#[test]
fn routes_are_attached_by_port_and_by_section() {
    let listeners = listener("http", 80, "")
        + &listener("http2", 8080, "")
        + &listener("http3", 8090, "")
        + &listener("other", 8090, ", hostname: bar.com");
    let to = |name: &str, parent: &str, hosts: &str, service: &str| {
        route_to(name, &format!("{{name: edge, {parent}}}"), hosts, &prefix("/", service))
    };
    let yaml = edge(&listeners)
        + &to("a", "port: 80", "foo.com", "v1")
        + &to("b", "port: 8080", "foo.com, bar.com", "v2")
        + &to("c", "port: 8090, sectionName: http3", "foo.com", "v3");
    let router = router(&yaml);
    for (authority, port, expected) in [
        ("foo.com", 80, "v1"),
        ("foo.com", 8080, "v2"),
        ("bar.com", 8080, "v2"),
        ("foo.com", 8090, "v3"),
        ("bar.com", 8090, "404"),
    ] {
        let request = at(TestRequest::get("/").authority(&format!("{authority}:{port}")), port);
        assert_eq!(outcome(&router, &request), expected, "{authority}:{port}");
    }
}

#[test]
fn several_gateways_serve_a_route_of_both_and_each_its_own() {
    let gateway = |name: &str, port: u16| {
        resource(
            "Gateway",
            "default",
            name,
            &format!("gatewayClassName: any\nlisteners:\n{}", listener("http", port, "")),
        )
    };
    let yaml = gateway("one", 80)
        + &gateway("two", 81)
        + &route_to("shared", "{name: one}, {name: two}", "", &prefix("/shared", "v1"))
        + &route_to("first", "{name: one}", "", &prefix("/", "v2"))
        + &route_to("second", "{name: two}", "", &prefix("/", "v3"));
    let router = router(&yaml);
    for (port, path, expected) in [(80, "/shared", "v1"), (80, "/", "v2"), (81, "/shared", "v1"), (81, "/", "v3")] {
        assert_eq!(outcome(&router, &at(TestRequest::get(path).authority("a.b"), port)), expected, "{port}{path}");
    }
}

#[test]
fn a_listener_with_tls_serves_the_name_of_the_handshake_and_turns_requests_for_others_away() {
    let listeners = tls_listener("open", "")
        + &tls_listener("second", ", hostname: second-example.org")
        + &tls_listener("wild", ", hostname: '*.wildcard.org'")
        + &tls_listener("fourth", ", hostname: fourth-example.wildcard.org");
    let to = |name: &str, section: &str, hosts: &str, service: &str| {
        route_to(name, &format!("{{name: edge, sectionName: {section}}}"), hosts, &prefix("/", service))
    };
    let yaml = edge(&listeners)
        + &to("a", "open", "example.org", "v1")
        + &to("b", "second", "second-example.org", "v2")
        + &to("c", "wild", "", "v3")
        + &to("d", "fourth", "", "v1");
    let router = router(&yaml);
    for (name, authority, expected) in [
        ("example.org", "example.org", "v1"),
        ("example.org", "second-example.org", "421"),
        ("example.org", "unknown-example.org", "404"),
        ("second-example.org", "second-example.org", "v2"),
        ("second-example.org", "example.org", "421"),
        ("second-example.org", "unknown-example.org", "421"),
        ("third-example.wildcard.org", "third-example.wildcard.org", "v3"),
        ("third-example.wildcard.org", "fith-example.wildcard.org", "v3"),
        ("third-example.wildcard.org", "fourth-example.wildcard.org", "421"),
        ("third-example.wildcard.org", "second-example.org", "421"),
        ("third-example.wildcard.org", "unknown-example.org", "421"),
        ("fourth-example.wildcard.org", "fourth-example.wildcard.org", "v1"),
        ("fourth-example.wildcard.org", "fith-example.wildcard.org", "421"),
        ("unknown-example.org", "example.org", "v1"),
        ("unknown-example.org", "unknown-example.org", "404"),
    ] {
        assert_eq!(outcome(&router, &encrypted(authority, name)), expected, "{name} {authority}");
    }
    let without_name = at(TestRequest::get("/").authority("second-example.org"), 443).scheme("https");
    assert_eq!(outcome(&router, &without_name), "v2", "a client that sends no name");
}

#[test]
fn a_listener_says_from_which_namespaces_routes_may_come() {
    let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: a}}\n";
    let shop = resource(
        "HTTPRoute",
        "shop",
        "r",
        &format!("parentRefs: [{{name: edge, namespace: default}}]\nrules:\n{}", prefix("/", "v1")),
    );
    for (from, accepted) in [
        ("", false),
        ("{from: Same}", false),
        ("{from: All}", true),
        ("{from: Selector, selector: {matchLabels: {team: a}}}", true),
        ("{from: Selector, selector: {matchLabels: {team: b}}}", false),
        ("{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}", true),
    ] {
        let allowed = if from.is_empty() { String::new() } else { format!(", allowedRoutes: {{namespaces: {from}}}") };
        let yaml = edge(&listener("http", 80, &allowed)) + namespace + &shop;
        assert_eq!(outcome(&router(&yaml), &get("a.b", "/")), if accepted { "v1" } else { "404" }, "{from}");
        let expected: &[&str] = if accepted { &[] } else { &["warning SG0243 /spec/parentRefs/0"] };
        assert_eq!(problems(&yaml), expected, "{from}");
    }
}

#[test]
fn a_listener_says_which_kinds_of_routes_may_come() {
    for (kinds, accepted) in [("[{kind: HTTPRoute}]", true), ("[{kind: GRPCRoute}]", false)] {
        let yaml = edge(&listener("http", 80, &format!(", allowedRoutes: {{kinds: {kinds}}}")))
            + &route("r", &prefix("/", "v1"));
        assert_eq!(outcome(&router(&yaml), &get("a.b", "/")), if accepted { "v1" } else { "404" }, "{kinds}");
    }
    let tcp = edge("- {name: tcp, port: 80, protocol: TCP}\n") + &route("r", &prefix("/", "v1"));
    assert_eq!(problems(&tcp), ["warning SG0243 /spec/parentRefs/0"]);
    assert_eq!(outcome(&router(&tcp), &get("a.b", "/")), "next");
}

#[test]
fn a_parent_that_cannot_be_is_warned_of() {
    for (parent, expected) in [
        ("{name: missing}", "warning SG0230 /spec/parentRefs/0"),
        ("{name: edge, sectionName: missing}", "warning SG0243 /spec/parentRefs/0"),
        ("{name: edge, port: 81}", "warning SG0243 /spec/parentRefs/0"),
        ("{name: edge, sectionName: http, port: 81}", "warning SG0243 /spec/parentRefs/0"),
        ("{name: edge, kind: ListenerSet}", "warning SG0243 /spec/parentRefs/0"),
        ("{name: edge, group: other.example}", "warning SG0243 /spec/parentRefs/0"),
        ("", "warning SG0243 /spec"),
    ] {
        let yaml = open() + &route_to("r", parent, "", &prefix("/", "v1"));
        assert_eq!(findings(&yaml), [expected], "{parent}");
        assert_eq!(outcome(&router(&yaml), &get("a.b", "/")), "404", "{parent}");
    }
}

#[test]
fn without_any_gateway_routes_count_on_the_listeners_of_the_command_line() {
    let yaml = route_to("r", "{name: edge}", "a.example", &prefix("/", "v1"));
    assert_eq!(findings(&yaml), ["note SG0220 /spec/parentRefs"]);
    assert_eq!(outcome(&router(&yaml), &TestRequest::get("/").authority("a.example")), "v1");
    assert_eq!(outcome(&router(&yaml), &TestRequest::get("/").authority("b.example")), "next");
}

#[test]
fn a_route_of_a_service_takes_the_requests_of_its_callers() {
    let parents = "{name: shop, group: '', kind: Service}";
    let yaml = open() + &route_to("r", parents, "ignored.example", &prefix("/a", "v2"));
    let router = router(&yaml);
    for (authority, path, expected) in [
        ("shop", "/a", "v2"),
        ("shop.default", "/a", "v2"),
        ("shop.default.svc.cluster.local:8080", "/a", "v2"),
        ("shop", "/b", "404"),
        ("ignored.example", "/a", "next"),
    ] {
        assert_eq!(outcome(&router, &TestRequest::get(path).authority(authority)), expected, "{authority}{path}");
    }
    assert_eq!(outcome(&router, &get("shop", "/a")), "404", "the Gateway does not serve it");
}

#[test]
fn rules_for_one_port_of_a_service_take_no_requests_for_others() {
    let parent = |port: &str| format!("{{group: '', kind: Service, name: echo{port}}}");
    let text = open()
        + &route_to("eighty", &parent(", port: 80"), "", &rule("{path: {value: /a}}", "a"))
        + &route_to("other", &parent(", port: 8080"), "", &rule("{path: {value: /b}}", "b"))
        + &route_to("all", &parent(""), "", &rule("{path: {value: /c}}", "c"));
    let router = router(&text);
    let outcome = |url: &str| {
        let (authority, path) = url.split_once('/').unwrap();
        let request = TestRequest::get(&format!("/{path}")).authority(authority).attribute("listener.name", "mesh");
        support::outcome(&router, &request)
    };
    for (url, expected) in [
        ("echo/a", "a"),
        ("echo:80/a", "a"),
        ("echo/b", "404"),
        ("echo/c", "c"),
        ("echo:8080/a", "404"),
        ("echo.default.svc.cluster.local:8080/b", "b"),
        ("echo:8080/c", "c"),
        ("echo:9090/a", "404"),
        ("echo:9090/c", "c"),
        ("else:80/a", "next"),
    ] {
        assert_eq!(outcome(url), expected, "{url}");
    }
}

#[test]
fn the_proxy_is_told_what_an_unknown_service_of_a_mesh_route_means() {
    let mesh = route_to("mesh", "{group: '', kind: Service, name: echo}", "", &rule("{}", "a"));
    let router = router(&(open() + &mesh + &route("edge", &rule("{}", "b"))));
    let told = |request: &TestRequest| {
        let edits = support::words(&support::forwarded(&router, request).edits);
        edits.contains(&"destination.unknown: 500".to_owned())
    };
    assert!(told(&TestRequest::get("/").authority("echo").attribute("listener.name", "mesh")));
    assert!(!told(&get("example.com", "/")), "there the proxy knows it by the listener");
}
