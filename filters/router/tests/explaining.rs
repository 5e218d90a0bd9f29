//! Why each rule won or lost.

mod support;

use sluicegate_sdk::Explain;
use sluicegate_sdk::testing::TestRequest;
use support::{get, router, shop};

fn reasons(http: &str, request: &TestRequest) -> Vec<String> {
    let explanation = router(&shop(http)).explain(&request.request());
    explanation.candidates.into_iter().map(|candidate| candidate.reason).collect()
}

#[test]
fn each_condition_says_why_it_does_not_hold() {
    let request = get("/x?q=1").header("h", "v").attribute("listener.port", "8080");
    for (block, expected) in [
        ("uri: {exact: /y}", "path /x is not /y"),
        ("uri: {regex: '/y+'}", "path /x does not match the expression /y+"),
        ("uri: {prefix: /Y}, ignoreUriCase: true", "path /x does not start with /Y in any case"),
        ("method: {exact: POST}", "method GET is not POST"),
        ("scheme: {exact: https}", "scheme http is not https"),
        ("authority: {exact: 'shop:80'}", "authority shop is not shop:80"),
        ("port: 80", "port 8080 is not 80"),
        ("headers: {x-user: {}}", "header x-user is absent"),
        ("headers: {h: {exact: w}}", "header h \"v\" is not w"),
        ("withoutHeaders: {h: {}}", "header h \"v\" is present, which it must not"),
        (
            "withoutHeaders: {g: {regex: '.*'}}",
            "header g counts as empty and matches the expression .*, which it must not",
        ),
        ("queryParams: {q: {exact: '2'}}", "query parameter q \"1\" is not 2"),
        ("queryParams: {r: {}}", "query parameter r is absent"),
        ("sourceLabels: {a: b}", "this proxy has no labels that `sourceLabels` could match"),
    ] {
        let rule = format!("- match: [{{{block}}}]\n  route: [{{destination: {{host: a}}}}]");
        assert_eq!(reasons(&rule, &request), [expected], "{block}");
    }
}

#[test]
fn the_winner_says_what_it_does_and_later_rules_were_not_asked() {
    let http = "
- match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}]
  route:
  - {destination: {host: one.example, port: {number: 80}}, weight: 3}
  - {destination: {host: two.example, subset: v2}, weight: 0}
  - {destination: {host: two.example, subset: v2}, weight: 0}
- redirect: {uri: /c}";
    let found = reasons(http, &get("/b"));
    assert_eq!(
        found,
        [
            "path /b does not start with /a",
            "matches and forwards to one.example:80",
            "matches too, but an earlier rule has taken the request"
        ]
    );
}

#[test]
fn the_share_of_a_weighted_destination_is_told() {
    let http = "- route: [{destination: {host: a.example}, weight: 75}, {destination: {host: b.example}, weight: 25}]";
    let found = reasons(http, &get("/")).concat();
    let of_a = "matches and forwards to a.example, which has 75 of 100 and was picked by the request's id (others: b.example 25 of 100)";
    let of_b = "matches and forwards to b.example, which has 25 of 100 and was picked by the request's id (others: a.example 75 of 100)";
    assert!(found == of_a || found == of_b, "{found}");
    let picked = support::forwarded(&router(&shop(http)), &get("/")).destination.host;
    assert!(found.starts_with(&format!("matches and forwards to {picked},")), "{found} but {picked}");
}

#[test]
fn redirects_answers_and_compositions_are_told() {
    for (rule, expected) in [
        ("- redirect: {uri: /c}", "matches and redirects with 301 to http://shop/c"),
        ("- directResponse: {status: 204}", "matches and answers 204 with 0 bytes"),
    ] {
        assert_eq!(reasons(rule, &get("/")), [expected]);
    }
    let composed = reasons("- route: [{destination: {host: a.example}}, {destination: {host: b.example}}]", &get("/"));
    assert_eq!(composed, ["matches and composes the answers of a.example and b.example"]);
}

#[test]
fn faults_mirrors_headers_and_cors_are_told() {
    let route = "- route: [{destination: {host: a.example}, headers: {request: {add: {x-b: '1'}}}}]
  headers: {request: {set: {x-a: '1'}, remove: [x-c]}, response: {remove: [server]}}
  corsPolicy: {allowOrigins: [{exact: 'https://b'}]}
  mirror: {host: m.example}
  mirrorPercentage: {value: 100}";
    let delay = "fault: {delay: {fixedDelay: 2s, percentage: {value: 100}}}";
    let told = reasons(&format!("{route}\n  {delay}"), &get("/").header("origin", "https://b")).concat();
    assert_eq!(
        told,
        "matches and forwards to a.example; waits 2000 ms before, as a fault is injected; \
         copies to m.example (100 %); request headers: remove x-c, set x-a, add x-b; response headers: remove server; \
         allows the browser's origin"
    );
    let abort = "fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}, delay: {fixedDelay: 1s, percentage: {value: 0.5}}}";
    let told = reasons(&format!("{route}\n  {abort}"), &get("/")).concat();
    assert!(told.starts_with("matches and aborts with UNAVAILABLE, as a fault is injected; "), "{told}");
    assert!(told.contains("; of the requests 0.5 % are delayed; response headers: remove server"), "{told}");
    let preflight = TestRequest::new("OPTIONS", "/").authority("shop").header("origin", "https://b");
    let preflight = preflight.header("access-control-request-method", "PUT");
    assert_eq!(reasons(route, &preflight), ["matches and answers the preflight itself"]);
    let direct = "- directResponse: {status: 204}\n  headers: {response: {set: {x-a: '1'}}}";
    assert_eq!(reasons(direct, &get("/")), ["matches and answers 204 with 0 bytes; response headers: set x-a"]);
}

#[test]
fn rules_that_were_not_asked_say_why() {
    let http = "
- match: [{gateways: [mesh], uri: {exact: /a}}, {gateways: [edge], uri: {exact: /b}}]
  route: [{destination: {host: one.example}}]
- route: [{destination: {host: two.example}}]
- route: [{destination: {host: three.example}}]";
    let gateway = "---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
";
    let spec = format!("hosts: [shop]\ngateways: [edge, mesh]\nhttp:{http}");
    let explanation = router(&(support::document("shop", &spec) + gateway)).explain(&get("/").request());
    let told: Vec<String> = explanation
        .candidates
        .iter()
        .map(|candidate| {
            format!("{}: {}", candidate.name.replace("VirtualService default/shop, ", ""), candidate.reason)
        })
        .collect();
    assert_eq!(
        told,
        [
            "rule 1, match 1: path / is not /a",
            "rule 2, match 1: matches and forwards to two.example",
            "rule 1, match 2: it counts on default/edge only",
            "rule 3, match 1: an earlier rule of the resource takes every request",
        ]
    );
}

#[test]
fn a_document_of_another_namespace_than_a_gateway_s_host_allows_says_so() {
    let document = |name: &str, namespace: &str| {
        let to = "hosts: [a.example]\ngateways: [default/edge]\nhttp: [{route: [{destination: {host: a.example}}]}]";
        support::document(name, to)
            .replace(&format!("  name: {name}\n"), &format!("  name: {name}\n  namespace: {namespace}\n"))
    };
    let gateway = "---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [./a.example]}]}
";
    let router = router(&(document("a", "default") + &document("b", "other") + gateway));
    let request =
        get("/").authority("a.example").attribute("listener.name", "gateway").attribute("listener.port", "80");
    let explanation = router.explain(&request.request());
    assert_eq!(explanation.candidates[1].reason, "no server here serves a.example for the namespace other");
}

#[test]
fn documents_of_the_same_host_say_why_they_do_not_have_it() {
    let to = |hosts: &str, gateways: &str| {
        format!("hosts: [{hosts}]\ngateways: [{gateways}]\nhttp: [{{route: [{{destination: {{host: a.example}}}}]}}]")
    };
    let gateway = "---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
";
    let yaml = [
        support::document("a", &to("www.example.com", "mesh")),
        support::document("b", &to("www.example.com", "mesh")),
        support::document("c", &to("'*.example.com'", "mesh")),
        support::document("d", &to("www.example.com", "edge")),
        support::document("e", &to("other.example.com", "mesh")),
        gateway.to_owned(),
    ];
    let explanation = router(&yaml.concat()).explain(&get("/").authority("www.example.com").request());
    let reasons: Vec<&str> = explanation.candidates.iter().map(|candidate| candidate.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "matches and forwards to a.example",
            "www.example.com belongs to VirtualService default/a, which is older",
            "its host *.example.com is less specific than www.example.com",
            "it counts on default/edge only",
        ]
    );
}
