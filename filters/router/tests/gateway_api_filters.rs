//! Filters of HTTPRoutes: the Gateway API's conformance tables for headers, redirects, rewrites, mirrors and CORS.

mod support;

use sluicegate_router::Router;
use sluicegate_sdk::testing::TestRequest;
use support::gateway::{at, edge, filtered, get, listener, open, route, route_to, sent, tls_listener};
use support::{answered, header, header_words, router, words};

const AUTHORITY: &str = "example.org";

fn routed(rules: &str) -> Router {
    router(&(open() + &route("r", rules)))
}

/// What the request's edits are beside the rule's name.
fn edits(router: &Router, path: &str) -> Vec<String> {
    let words = words(&sent(router, &get(AUTHORITY, path)).edits);
    words.into_iter().filter(|word| !word.starts_with("route: ")).collect()
}

fn location(router: &Router, request: &TestRequest) -> (u16, String) {
    let answer = answered(router, request);
    (answer.status, header(&answer, "location").unwrap_or_default())
}

const HEADERS: [(&str, &str, &[&str]); 5] = [
    ("/set", "set: [{name: X-Header-Set, value: set-overwrites-values}]", &["set x-header-set=set-overwrites-values"]),
    ("/add", "add: [{name: X-Header-Add, value: add-appends-values}]", &["add x-header-add=add-appends-values"]),
    ("/remove", "remove: [X-Header-Remove]", &["remove x-header-remove"]),
    (
        "/multiple",
        "set: [{name: X-Set-1, value: a}, {name: X-Set-2, value: b}], add: [{name: X-Add-1, value: c}], remove: [X-R-1, X-R-2]",
        &["remove x-r-1", "remove x-r-2", "set x-set-1=a", "set x-set-2=b", "add x-add-1=c"],
    ),
    ("/literal", "set: [{name: X-A, value: '%REQ(x)% 100%'}]", &["set x-a=%REQ(x)% 100%"]),
];

#[test]
fn headers_of_the_request_and_of_the_response_are_changed() {
    for (kind, field) in
        [("RequestHeaderModifier", "requestHeaderModifier"), ("ResponseHeaderModifier", "responseHeaderModifier")]
    {
        let filters = |changes: &str| format!("{{type: {kind}, {field}: {{{changes}}}}}");
        let rules: String = HEADERS.iter().map(|(path, changes, _)| filtered(path, &filters(changes))).collect();
        let router = routed(&rules);
        for (path, _, expected) in HEADERS {
            let forward = sent(&router, &get(AUTHORITY, path));
            let (request, response) = (words(&forward.edits), header_words(&forward.response_edits));
            let changed = if kind == "RequestHeaderModifier" { &request[1..] } else { &response };
            assert_eq!(changed, expected, "{kind} {path}");
        }
    }
}

#[test]
fn filters_of_a_backend_follow_those_of_the_rule() {
    let set = |value: &str| {
        format!("{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: x-a, value: {value}}}]}}}}")
    };
    let rules = format!(
        "- filters: [{}]\n  backendRefs: [{{name: v1, port: 8080, filters: [{}]}}]",
        set("of-rule"),
        set("of-backend")
    );
    assert_eq!(edits(&routed(&rules), "/"), ["set x-a=of-rule", "set x-a=of-backend"]);
}

#[test]
fn each_backend_has_its_own_headers() {
    let backend = |name: &str| {
        format!(
            "{{name: {name}, port: 8080, weight: 10, filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: backend, value: {name}}}]}}}}]}}"
        )
    };
    let router = routed(&format!("- backendRefs: [{}, {}]", backend("v1"), backend("v2")));
    for number in 0..50 {
        let forward = sent(&router, &get(AUTHORITY, "/").attribute("request.id", &number.to_string()));
        let service = forward.destination.host.split('.').next().unwrap_or_default().to_owned();
        assert_eq!(words(&forward.edits)[1..], [format!("set backend={service}")]);
    }
}

fn redirect(fields: &str) -> String {
    format!("{{type: RequestRedirect, requestRedirect: {{{fields}}}}}")
}

/// A rule that only redirects what a prefix takes.
fn redirecting(prefix: &str, fields: &str) -> String {
    format!("- matches: [{{path: {{value: {prefix}}}}}]\n  filters: [{}]\n", redirect(fields))
}

#[test]
fn redirects_change_host_path_and_status() {
    let prefix = "path: {type: ReplacePrefixMatch, replacePrefixMatch: /replacement-prefix}";
    let full = "path: {type: ReplaceFullPath, replaceFullPath: /full-path-replacement}";
    for (path, fields, asked, expected) in [
        ("/a", "hostname: example.net".to_owned(), "/a", (302, "http://example.net/a")),
        ("/a", "hostname: example.net, statusCode: 301".to_owned(), "/a?b=c", (301, "http://example.net/a?b=c")),
        (
            "/original-prefix",
            prefix.to_owned(),
            "/original-prefix/lemon",
            (302, "http://example.org/replacement-prefix/lemon"),
        ),
        ("/full", full.to_owned(), "/full/path/original", (302, "http://example.org/full-path-replacement")),
        ("/p", format!("hostname: example.net, {prefix}"), "/p/x", (302, "http://example.net/replacement-prefix/x")),
        (
            "/f",
            format!("hostname: example.net, statusCode: 301, {full}"),
            "/f/x",
            (301, "http://example.net/full-path-replacement"),
        ),
        ("/a", "statusCode: 303, scheme: https".to_owned(), "/a", (303, "https://example.org/a")),
        ("/a", "statusCode: 307, scheme: https".to_owned(), "/a", (307, "https://example.org/a")),
        ("/a", "statusCode: 308, scheme: https".to_owned(), "/a", (308, "https://example.org/a")),
    ] {
        let router = routed(&redirecting(path, &fields));
        let found = location(&router, &get("example.org:80", asked));
        assert_eq!((found.0, found.1.as_str()), expected, "{fields}");
    }
}

#[test]
fn the_port_of_a_redirect_comes_from_the_filter_or_the_new_scheme_or_the_listener() {
    let listeners = listener("a", 80, "") + &listener("b", 8080, "") + &tls_listener("c", "");
    for (port, fields, expected) in [
        (80, "", "http://example.org"),
        (80, "port: 80", "http://example.org"),
        (80, "port: 8080", "http://example.org:8080"),
        (80, "scheme: https", "https://example.org"),
        (80, "scheme: https, port: 443", "https://example.org"),
        (80, "scheme: https, port: 8443", "https://example.org:8443"),
        (8080, "", "http://example.org:8080"),
        (8080, "port: 80", "http://example.org"),
        (8080, "scheme: https", "https://example.org"),
        (443, "", "https://example.org"),
        (443, "port: 443", "https://example.org"),
        (443, "port: 8443", "https://example.org:8443"),
        (443, "scheme: http", "http://example.org"),
        (443, "scheme: http, port: 80", "http://example.org"),
        (443, "scheme: http, port: 8080", "http://example.org:8080"),
    ] {
        let fields = if fields.is_empty() {
            "hostname: example.org".to_owned()
        } else {
            format!("hostname: example.org, {fields}")
        };
        for fields in [fields.clone(), fields.replace("hostname: example.org, ", "")] {
            let router = router(&(edge(&listeners) + &route("r", &redirecting("/", &fields))));
            let scheme = if port == 443 { "https" } else { "http" };
            let request = TestRequest::get("/a").authority(&format!("example.org:{port}")).scheme(scheme);
            assert_eq!(location(&router, &at(request, port)).1, format!("{expected}/a"), "{port} {fields}");
        }
    }
}

#[test]
fn a_backend_may_redirect() {
    let redirect = redirect("path: {type: ReplaceFullPath, replaceFullPath: /redirected-full}");
    let rules = format!(
        "- matches: [{{path: {{value: /full}}}}]\n  backendRefs: [{{name: v1, port: 8080, filters: [{redirect}]}}]"
    );
    let found = location(&routed(&rules), &get(AUTHORITY, "/full/original"));
    assert_eq!(found, (302, "http://example.org/redirected-full".to_owned()));
}

fn rewrite(fields: &str) -> String {
    format!("{{type: URLRewrite, urlRewrite: {{{fields}}}}}")
}

#[test]
fn rewrites_change_host_and_path() {
    let prefix = |to: &str| rewrite(&format!("path: {{type: ReplacePrefixMatch, replacePrefixMatch: {to}}}"));
    let full = rewrite("path: {type: ReplaceFullPath, replaceFullPath: /one}");
    let rules = filtered("/prefix/one", &prefix("/one"))
        + &filtered("/strip-prefix", &prefix("/"))
        + &filtered("/strip-slash/", &prefix("''"))
        + &filtered("/full/one", &full)
        + &filtered("/host", &rewrite("hostname: one.example.org"))
        + &filtered(
            "/both",
            &format!(
                "{}, {{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: x-a, value: b}}]}}}}",
                rewrite("hostname: test.example.org")
            ),
        );
    let router = routed(&rules);
    for (path, expected) in [
        ("/prefix/one/two", vec!["path /one/two"]),
        ("/strip-prefix/three", vec!["path /three"]),
        ("/strip-prefix", vec!["path /"]),
        ("/strip-slash/three", vec!["path /three"]),
        ("/strip-slash", vec!["path /"]),
        ("/full/one/two", vec!["path /one"]),
        ("/host", vec!["authority one.example.org"]),
        ("/both", vec!["authority test.example.org", "set x-a=b"]),
    ] {
        assert_eq!(edits(&router, path), expected, "{path}");
    }
}

#[test]
fn a_backend_may_rewrite() {
    let to = rewrite("path: {type: ReplacePrefixMatch, replacePrefixMatch: /rewritten-prefix}");
    let rules = format!(
        "- matches: [{{path: {{value: /prefix}}}}]\n  backendRefs: [{{name: v1, port: 8080, filters: [{to}]}}]"
    );
    assert_eq!(edits(&routed(&rules), "/prefix/original"), ["path /rewritten-prefix/original"]);
}

fn mirror(service: &str, more: &str) -> String {
    format!("{{type: RequestMirror, requestMirror: {{backendRef: {{name: {service}, port: 8080}}{more}}}}}")
}

#[test]
fn copies_go_to_every_mirror() {
    let router = routed(&filtered("/", &format!("{}, {}", mirror("v2", ""), mirror("v3", ""))));
    let mirrors = sent(&router, &get(AUTHORITY, "/")).mirrors;
    let hosts: Vec<&str> = mirrors.iter().filter_map(|mirror| mirror.destination.host.split('.').next()).collect();
    assert_eq!(hosts, ["v2", "v3"]);
}

#[test]
fn a_share_of_the_requests_is_copied() {
    for (more, percent) in [
        (", percent: 20", 20),
        (", fraction: {numerator: 25, denominator: 50}", 50),
        (", fraction: {numerator: 35}", 35),
        (", percent: 0", 0),
        ("", 100),
    ] {
        let router = routed(&filtered("/", &mirror("v2", more)));
        let copied = |number: &u32| {
            let request = get(AUTHORITY, "/").attribute("request.id", &format!("{number:032x}"));
            !sent(&router, &request).mirrors.is_empty()
        };
        let count = (0..500).filter(copied).count();
        assert!(support::gateway::near(count, percent), "{count} of 500 for {more}");
    }
}

fn cors(policy: &str) -> Router {
    routed(&filtered("/", &format!("{{type: CORS, cors: {{{policy}}}}}")))
}

fn preflight(origin: &str, method: &str, headers: &str) -> TestRequest {
    let request = at(TestRequest::new("OPTIONS", "/").authority(AUTHORITY), 80);
    let request = request.header("origin", origin).header("access-control-request-method", method);
    if headers.is_empty() { request } else { request.header("access-control-request-headers", headers) }
}

#[test]
fn a_preflight_of_an_allowed_origin_is_told_everything() {
    let router = cors(
        "allowOrigins: ['https://www.foo.com', 'https://*.bar.com'], allowMethods: [GET, OPTIONS], allowHeaders: [x-header-1, x-header-2], exposeHeaders: [x-header-3, x-header-4], allowCredentials: true, maxAge: 3600",
    );
    for origin in ["https://www.foo.com", "https://www.bar.com", "https://xpto.www.bar.com"] {
        let answer = answered(&router, &preflight(origin, "GET", "x-header-1, x-header-2"));
        assert_eq!(answer.status, 200);
        for (name, expected) in [
            ("access-control-allow-origin", origin),
            ("access-control-allow-methods", "GET,OPTIONS"),
            ("access-control-allow-headers", "x-header-1,x-header-2"),
            ("access-control-expose-headers", "x-header-3,x-header-4"),
            ("access-control-max-age", "3600"),
            ("access-control-allow-credentials", "true"),
        ] {
            assert_eq!(header(&answer, name).as_deref(), Some(expected), "{origin} {name}");
        }
    }
    for origin in ["https://foobar.com", "https://bar.com", "http://www.bar.com", "https://www.bar.com:8443"] {
        let answer = answered(&router, &preflight(origin, "GET", ""));
        assert_eq!((answer.status, header(&answer, "access-control-allow-origin")), (200, None), "{origin}");
        assert_eq!(header(&answer, "access-control-expose-headers"), None, "{origin}");
    }
    let of = |origin: &str| header_words(&sent(&router, &get(AUTHORITY, "/").header("origin", origin)).response_edits);
    assert!(of("https://www.foo.com").contains(&"set access-control-allow-origin=https://www.foo.com".to_owned()));
    assert!(of("https://foobar.com").is_empty());
}

#[test]
fn stars_of_a_cors_policy_become_what_was_asked_for() {
    let router = cors("allowOrigins: ['*'], allowMethods: ['*'], allowHeaders: ['*'], allowCredentials: true");
    let answer = answered(&router, &preflight("https://other.foo.com:12345", "PUT", "x-a, x-b"));
    for (name, expected) in [
        ("access-control-allow-origin", "https://other.foo.com:12345"),
        ("access-control-allow-methods", "PUT"),
        ("access-control-allow-headers", "x-a, x-b"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "5"),
    ] {
        assert_eq!(header(&answer, name).as_deref(), Some(expected), "{name}");
    }
    let without = cors("allowOrigins: ['*'], allowMethods: [PUT], allowCredentials: false");
    let answer = answered(&without, &preflight("https://any.example", "PUT", ""));
    assert_eq!(header(&answer, "access-control-allow-credentials"), None);
    assert_eq!(header(&answer, "access-control-allow-methods").as_deref(), Some("PUT"));
}

#[test]
fn a_redirect_to_https_of_a_host_stays_with_its_host() {
    let yaml =
        open() + &route_to("r", "{name: edge}", "a.example", &redirecting("/", "scheme: https, statusCode: 301"));
    assert_eq!(location(&router(&yaml), &get("a.example", "/x?y")), (301, "https://a.example/x?y".to_owned()));
}

#[test]
fn a_redirect_of_a_service_s_caller_keeps_the_port_that_the_caller_knows() {
    let yaml = route_to("r", "{name: shop, group: '', kind: Service}", "", &redirecting("/", "hostname: b.example"));
    let router = router(&yaml);
    for (authority, expected) in [("shop", "http://b.example/a"), ("shop:8080", "http://b.example:8080/a")] {
        let request = TestRequest::get("/a").authority(authority).attribute("listener.name", "mesh");
        assert_eq!(location(&router, &request.attribute("listener.port", "15001")).1, expected, "{authority}");
    }
}
