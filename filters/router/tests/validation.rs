//! Everything that is wrong with a document is reported, with its code and its place.

mod support;

use support::{document, findings, load, shop};

const ROUTE: &str = "route: [{destination: {host: stock}}]";

/// Findings in a rule, as `severity code pointer` with the pointer relative to the rule.
fn in_rule(rule: &str) -> Vec<String> {
    findings(&shop(&format!("- {}", rule.trim_start()))).iter().map(|line| line.replace("/spec/http/0", "")).collect()
}

#[test]
fn hosts_and_gateways_are_checked() {
    let http = "http: [{route: [{destination: {host: stock}}]}]";
    for (spec, expected) in [
        ("hosts: [a_b]", "error SG0201 /spec/hosts/0"),
        ("hosts: [a.*.b]", "error SG0201 /spec/hosts/0"),
        ("hosts: [a, a]", "error SG0202 /spec/hosts/1"),
        ("hosts: [a, a.default.svc.cluster.local]", "error SG0202 /spec/hosts/1"),
        ("hosts: ['*.foo.com', '*.com']", "error SG0202 /spec/hosts/1"),
        ("hosts: ['*']", "error SG0203 /spec/hosts/0"),
        ("hosts: [10.0.0.1]", "error SG0203 /spec/hosts/0"),
        ("hosts: ['*']\ngateways: [mesh, edge]", "error SG0203 /spec/hosts/0"),
        ("hosts: [a]\ngateways: ['a/b/c']", "error SG0201 /spec/gateways/0"),
        ("hosts: [a]\ngateways: [edge.ns.svc.cluster.local]", "warning SG0224 /spec/gateways/0"),
        ("hosts: [a]\nexportTo: ['.']", "note SG0220 /spec/exportTo"),
        ("hosts: [a]\nexportTo: ['*', '.']", "error SG0201 /spec/exportTo/0"),
        ("hosts: [a]\nexportTo: [b, b]", "error SG0201 /spec/exportTo/1"),
        ("hosts: [a]\nexportTo: ['~', b]", "error SG0201 /spec/exportTo/0"),
        ("hosts: [a]\nexportTo: [a_b]", "error SG0201 /spec/exportTo/0"),
        ("gateways: [edge]", "error SG0218 /spec/gateways"),
    ] {
        let found = findings(&document("a", &format!("{spec}\n{http}")));
        assert!(found.contains(&expected.to_owned()), "{spec}: {found:?}");
    }
    for fine in ["hosts: ['*']\ngateways: [edge]", "hosts: [a, b]\ngateways: [ns/edge, ./own, mesh]"] {
        assert!(findings(&document("a", &format!("{fine}\n{http}"))).is_empty(), "{fine}");
    }
}

#[test]
fn a_resource_must_have_rules_and_a_rule_something_to_do() {
    assert_eq!(findings(&document("a", "hosts: [a]")), ["error SG0204 /spec"]);
    assert_eq!(in_rule("match: [{uri: {prefix: /}}]"), ["error SG0204 "]);
}

#[test]
fn fields_that_exclude_each_other_are_refused() {
    let redirect = "redirect: {uri: /x}";
    let direct = "directResponse: {status: 200}";
    for (rule, expected) in [
        (format!("{ROUTE}\n  {redirect}"), "error SG0205 /route"),
        (format!("{redirect}\n  rewrite: {{uri: /y}}"), "error SG0205 /rewrite"),
        (format!("{redirect}\n  fault: {{abort: {{httpStatus: 500}}}}"), "error SG0205 /fault"),
        (format!("{redirect}\n  {direct}"), "error SG0205 /directResponse"),
        (format!("{ROUTE}\n  {direct}"), "error SG0205 /route"),
        (format!("{direct}\n  rewrite: {{uri: /y}}"), "error SG0205 /rewrite"),
        (format!("{ROUTE}\n  delegate: {{name: a}}"), "error SG0205 /route"),
        (format!("{redirect}\n  delegate: {{name: a}}"), "error SG0205 /redirect"),
        (format!("{ROUTE}\n  mirror: {{host: a}}\n  mirrors: [{{destination: {{host: b}}}}]"), "error SG0205 /mirrors"),
    ] {
        let found = in_rule(&rule);
        assert!(found.contains(&expected.to_owned()), "{rule}: {found:?}");
    }
}

#[test]
fn match_blocks_are_checked() {
    for (block, expected) in [
        ("{uri: {}}", "error SG0206 /match/0/uri"),
        ("{uri: {exact: a, prefix: b}}", "error SG0206 /match/0/uri"),
        ("{method: {prefix: ''}}", "error SG0206 /match/0/method/prefix"),
        ("{uri: {regex: ''}}", "error SG0207 /match/0/uri/regex"),
        ("{uri: {regex: '('}}", "error SG0207 /match/0/uri/regex"),
        ("{uri: {regex: 'a)|(?:b'}}", "error SG0207 /match/0/uri/regex"),
        ("{uri: {regex: '(.{1000}){1000}'}}", "error SG0207 /match/0/uri/regex"),
        ("{headers: {h: null}}", "error SG0206 /match/0/headers/h"),
        ("{headers: {'a/b~c': {}}}", "error SG0211 /match/0/headers/a~1b~0c"),
        ("{headers: {h: {regex: '*'}}}", "error SG0207 /match/0/headers/h/regex"),
        ("{queryParams: {q: {regex: '*'}}}", "error SG0207 /match/0/queryParams/q/regex"),
        ("{headers: {uri: {exact: /}}}", "warning SG0220 /match/0/headers/uri"),
        ("{headers: {'@request.auth.claims.a': {exact: b}}}", "error SG0205 /match/0/headers/@request.auth.claims.a"),
        ("{method: {exact: FETCH}}", "warning SG0224 /match/0/method"),
        ("{port: 70000}", "error SG0206 /match/0/port"),
        ("{sourceLabels: {a: b}}", "warning SG0223 /match/0/sourceLabels"),
        ("{sourceNamespace: other}", "warning SG0223 /match/0/sourceNamespace"),
        ("{sourceLabels: {a: b}, gateways: [a]}", "note SG0220 /match/0/sourceLabels"),
        ("{sourceNamespace: other, gateways: [a]}", "note SG0220 /match/0/sourceNamespace"),
        ("{sourceLabels: {a: b}, gateways: [a, mesh]}", "warning SG0223 /match/0/sourceLabels"),
        ("{headers: {'@request.auth.claims': {exact: b}}}", "error SG0211 /match/0/headers/@request.auth.claims"),
        ("{headers: {'@request.auth.claims[a': {exact: b}}}", "error SG0211 /match/0/headers/@request.auth.claims[a"),
        ("{headers: {'@request.auth.claims[a][]': {}}}", "error SG0211 /match/0/headers/@request.auth.claims[a][]"),
        ("{uri: {regex: /A}, ignoreUriCase: true}", "note SG0220 /match/0/ignoreUriCase"),
        ("{gateways: [a]}", "warning SG0223 /match/0/gateways/0"),
    ] {
        let found = in_rule(&format!("match: [{block}]\n  {ROUTE}"));
        assert!(found.contains(&expected.to_owned()), "{block}: {found:?}");
    }
    let long = in_rule(&format!("match: [{{uri: {{prefix: /{}}}}}]\n  {ROUTE}", "a".repeat(1024)));
    assert_eq!(long, ["error SG0206 /match/0/uri/prefix"]);
}

#[test]
fn rules_for_tls_and_tcp_are_checked_and_noted() {
    let to = "route: [{destination: {host: a}}]";
    for (rules, expected) in [
        (format!("tls: [{{match: [{{sniHosts: [a.b]}}], {to}}}]"), vec!["note SG0220 /spec/tls"]),
        (format!("tls: [{{match: [{{sniHosts: [c.d]}}], {to}}}]"), vec!["error SG0233 /spec/tls/0/match/0/sniHosts/0"]),
        (
            format!("tls: [{{match: [{{sniHosts: [10.0.0.1]}}], {to}}}]"),
            vec!["warning SG0233 /spec/tls/0/match/0/sniHosts/0"],
        ),
        (format!("tls: [{{match: [{{sniHosts: []}}], {to}}}]"), vec!["error SG0233 /spec/tls/0/match/0/sniHosts"]),
        (format!("tls: [{{{to}}}]"), vec!["error SG0233 /spec/tls/0"]),
        ("tls: [{match: [{sniHosts: [a.b]}]}]".to_owned(), vec!["error SG0204 /spec/tls/0/route"]),
        (format!("tcp: [{{{to}}}]"), vec!["note SG0220 /spec/tcp"]),
        (
            format!("tcp: [{{match: [{{destinationSubnets: [x]}}], {to}}}]"),
            vec!["error SG0233 /spec/tcp/0/match/0/destinationSubnets/0"],
        ),
        (
            format!("tcp: [{{match: [{{sourceSubnet: 10.0.0.0/99}}], {to}}}]"),
            vec!["error SG0233 /spec/tcp/0/match/0/sourceSubnet"],
        ),
        (format!("tcp: [{{match: [{{port: 0}}], {to}}}]"), vec!["error SG0233 /spec/tcp/0/match/0/port"]),
        (
            format!("tcp: [{{match: [{{gateways: [a/b/c]}}], {to}}}]"),
            vec!["error SG0201 /spec/tcp/0/match/0/gateways/0"],
        ),
        ("tcp: [{route: [{}]}]".to_owned(), vec!["error SG0208 /spec/tcp/0/route/0"]),
        (
            "tcp: [{route: [{destination: {host: a}, weight: -1}]}]".to_owned(),
            vec!["error SG0209 /spec/tcp/0/route/0/weight"],
        ),
        (
            "tcp: [{route: [{destination: {host: a}}, {destination: {host: b}}]}]".to_owned(),
            vec!["error SG0209 /spec/tcp/0/route"],
        ),
    ] {
        let found = findings(&document("a", &format!("hosts: ['*.b']\n{rules}")));
        let beside_the_note: Vec<&String> =
            found.iter().filter(|line| found.len() == 1 || !line.starts_with("note")).collect();
        assert_eq!(beside_the_note, expected, "{rules}");
    }
}

#[test]
fn destinations_and_weights_are_checked() {
    for (route, expected) in [
        ("{}", "error SG0208 /route/0"),
        ("{destination: {host: ''}}", "error SG0208 /route/0/destination/host"),
        ("{destination: {host: '*'}}", "error SG0208 /route/0/destination/host"),
        ("{destination: {host: '*.a'}}", "warning SG0208 /route/0/destination/host"),
        ("{destination: {host: a, port: {}}}", "error SG0208 /route/0/destination/port"),
        ("{destination: {host: a, port: {number: 0}}}", "error SG0208 /route/0/destination/port"),
        ("{destination: {host: a}, weight: -1}", "error SG0209 /route/0/weight"),
        ("{destination: {host: a}, weight: 0}, {destination: {host: b}, weight: 0}", "error SG0209 /route"),
        ("{destination: {host: a}, weight: 0}, {destination: {host: b}}", "error SG0209 /route"),
        ("{destination: {host: a}}, {destination: {host: b}}", "note SG0210 /route"),
    ] {
        assert_eq!(in_rule(&format!("route: [{route}]")), [expected], "{route}");
    }
    assert!(in_rule("route: [{destination: {host: a}, weight: 55}, {destination: {host: b}, weight: 50}]").is_empty());
    assert!(in_rule("route: [{destination: {host: a}, weight: 5}, {destination: {host: b}}]").is_empty());
}

#[test]
fn headers_are_checked() {
    for (headers, expected) in [
        ("request: {set: {':path': x}}", "error SG0211 /headers/request/set/:path"),
        ("request: {set: {'a b': x}}", "error SG0211 /headers/request/set/a b"),
        ("request: {remove: [host]}", "error SG0211 /headers/request/remove/0"),
        ("request: {remove: [Connection]}", "error SG0211 /headers/request/remove/0"),
        ("request: {set: {content-length: '1'}}", "error SG0211 /headers/request/set/content-length"),
        ("response: {set: {Host: x}}", "error SG0211 /headers/response/set/Host"),
        ("request: {set: {a: 'abc%123'}}", "error SG0212 /headers/request/set/a"),
        ("request: {add: {a: '%START_TIME%%'}}", "error SG0212 /headers/request/add/a"),
        ("response: {add: {a: '%UNKNOWN%'}}", "error SG0212 /headers/response/add/a"),
        ("request: {set: {a: '%DYNAMIC_METADATA(a:b)%'}}", "error SG0212 /headers/request/set/a"),
        ("request: {set: {a: '%RESP(b)%'}}", "warning SG0212 /headers/request/set/a"),
        ("request: {add: {a: '%UPSTREAM_HOST%'}}", "warning SG0212 /headers/request/add/a"),
        ("request: {set: {a: \"x\\ny\"}}", "error SG0212 /headers/request/set/a"),
        ("request: {set: {host: 'a b'}}", "error SG0217 /headers/request/set/host"),
        ("request: {set: {host: a}, add: {':authority': b}}", "error SG0205 /headers/request/add/:authority"),
    ] {
        assert_eq!(in_rule(&format!("{ROUTE}\n  headers: {{{headers}}}")), [expected], "{headers}");
    }
    let twice = format!("{ROUTE}\n  headers: {{request: {{set: {{host: a}}}}}}\n  rewrite: {{authority: b}}");
    assert_eq!(in_rule(&twice), ["error SG0205 /rewrite/authority"]);
}

#[test]
fn timeouts_and_retries_are_checked() {
    for (fields, expected) in [
        ("timeout: 0s", "error SG0213 /timeout"),
        ("timeout: soon", "error SG0213 /timeout"),
        ("retries: {attempts: 1, perTryTimeout: 0.5ms}", "error SG0213 /retries/perTryTimeout"),
        ("retries: {attempts: 0, retryOn: 5xx}", "error SG0214 /retries"),
        ("retries: {perTryTimeout: 1s}", "error SG0214 /retries"),
        ("retries: {attempts: -1}", "error SG0214 /retries/attempts"),
        ("retries: {attempts: 1, retryOn: sometimes}", "error SG0214 /retries/retryOn"),
        ("retries: {attempts: 1, retryOn: '99'}", "error SG0214 /retries/retryOn"),
        ("retries: {attempts: 1, retryOn: '5xx, reset'}", "warning SG0224 /retries/retryOn"),
        ("retries: {attempts: 1, retryOn: retriable-headers}", "note SG0220 /retries/retryOn"),
        ("retries: {attempts: 1, retryOn: http3-post-connect-failure}", "note SG0220 /retries/retryOn"),
        ("retries: {attempts: 1, retryRemoteLocalities: true}", "note SG0220 /retries/retryRemoteLocalities"),
    ] {
        assert_eq!(in_rule(&format!("{ROUTE}\n  {fields}")), [expected], "{fields}");
    }
}

#[test]
fn redirects_answers_and_rewrites_are_checked() {
    for (rule, expected) in [
        ("redirect: {}", "error SG0215 /redirect"),
        ("redirect: {uri: /x, prefixRewrite: /y}", "error SG0205 /redirect"),
        ("redirect: {port: 80, derivePort: FROM_REQUEST_PORT}", "error SG0205 /redirect"),
        ("redirect: {port: 0}", "error SG0215 /redirect/port"),
        ("redirect: {scheme: ftp}", "error SG0215 /redirect/scheme"),
        ("redirect: {uri: x}", "error SG0215 /redirect/uri"),
        ("redirect: {uri: /, redirectCode: 200}", "error SG0215 /redirect/redirectCode"),
        ("redirect: {uri: /, redirectCode: 304}", "error SG0215 /redirect/redirectCode"),
        ("match: [{uri: {exact: /a}}]\n  redirect: {prefixRewrite: /b}", "error SG0215 /match/0/uri"),
        ("directResponse: {status: 600}", "error SG0216 /directResponse/status"),
        ("directResponse: {status: 200, body: {}}", "error SG0205 /directResponse/body"),
        ("directResponse: {status: 200, body: {bytes: '%'}}", "error SG0216 /directResponse/body/bytes"),
        ("route: [{destination: {host: a}}]\n  rewrite: {uri: ''}", "error SG0217 /rewrite"),
        ("route: [{destination: {host: a}}]\n  rewrite: {uri: '/a?b'}", "error SG0217 /rewrite/uri"),
        ("route: [{destination: {host: a}}]\n  rewrite: {authority: 'a b'}", "error SG0217 /rewrite/authority"),
        (
            "route: [{destination: {host: a}}]\n  rewrite: {uri: /a, uriRegexRewrite: {match: a, rewrite: b}}",
            "error SG0205 /rewrite",
        ),
        (
            "route: [{destination: {host: a}}]\n  rewrite: {uriRegexRewrite: {match: a}}",
            "error SG0217 /rewrite/uriRegexRewrite",
        ),
        (
            "route: [{destination: {host: a}}]\n  rewrite: {uriRegexRewrite: {match: a, rewrite: '\\1'}}",
            "error SG0217 /rewrite/uriRegexRewrite/rewrite",
        ),
        (
            "route: [{destination: {host: a}}]\n  rewrite: {uriRegexRewrite: {match: '(', rewrite: b}}",
            "error SG0207 /rewrite/uriRegexRewrite/match",
        ),
    ] {
        assert_eq!(in_rule(rule), [expected], "{rule}");
    }
    assert!(in_rule("match: [{method: {exact: GET}}]\n  redirect: {prefixRewrite: /b}").is_empty());
    let body = |size: usize| format!("directResponse: {{status: 200, body: {{string: {}}}}}", "a".repeat(size));
    assert_eq!(in_rule(&body((1 << 20) + 1)), ["error SG0216 /directResponse/body"]);
    assert_eq!(in_rule(&body((100 << 10) + 1)), ["warning SG0216 /directResponse/body"]);
}

#[test]
fn faults_are_checked() {
    let share = "percentage: {value: 50}";
    for (fault, expected) in [
        ("{}".to_owned(), "error SG0219 /fault"),
        (format!("{{abort: {{httpStatus: 99, {share}}}}}"), "error SG0219 /fault/abort/httpStatus"),
        (format!("{{abort: {{httpStatus: 600, {share}}}}}"), "error SG0219 /fault/abort/httpStatus"),
        (format!("{{abort: {{grpcStatus: unavailable, {share}}}}}"), "error SG0219 /fault/abort/grpcStatus"),
        (format!("{{abort: {{http2Error: x, {share}}}}}"), "error SG0219 /fault/abort/http2Error"),
        (format!("{{abort: {{{share}}}}}"), "error SG0205 /fault/abort"),
        (format!("{{abort: {{httpStatus: 500, grpcStatus: OK, {share}}}}}"), "error SG0205 /fault/abort"),
        ("{abort: {httpStatus: 500}}".to_owned(), "warning SG0219 /fault/abort"),
        (
            "{abort: {httpStatus: 500, percentage: {value: 0.00001}}}".to_owned(),
            "error SG0219 /fault/abort/percentage/value",
        ),
        (format!("{{delay: {{{share}}}}}"), "error SG0219 /fault/delay"),
        (format!("{{delay: {{exponentialDelay: 1s, {share}}}}}"), "error SG0219 /fault/delay/exponentialDelay"),
        (format!("{{delay: {{fixedDelay: 0s, {share}}}}}"), "error SG0213 /fault/delay/fixedDelay"),
        (format!("{{delay: {{fixedDelay: 6m, {share}}}}}"), "warning SG0219 /fault/delay/fixedDelay"),
        ("{delay: {fixedDelay: 1s}}".to_owned(), "warning SG0219 /fault/delay"),
        (
            "{delay: {fixedDelay: 1s, percentage: {value: 101}}}".to_owned(),
            "error SG0219 /fault/delay/percentage/value",
        ),
        ("{delay: {fixedDelay: 1s, percentage: {value: -1}}}".to_owned(), "error SG0219 /fault/delay/percentage/value"),
        ("{delay: {fixedDelay: 1s, percent: 50}}".to_owned(), "warning SG0224 /fault/delay/percent"),
    ] {
        assert_eq!(in_rule(&format!("{ROUTE}\n  fault: {fault}")), [expected], "{fault}");
    }
    let whole = in_rule(&format!("{ROUTE}\n  fault: {{delay: {{fixedDelay: 1s, percent: 101}}}}"));
    assert_eq!(whole, ["warning SG0224 /fault/delay/percent", "error SG0219 /fault/delay/percent"]);
    let fine = "fault: {delay: {fixedDelay: 5s, percentage: {value: 0.1}}, abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}";
    assert!(in_rule(&format!("{ROUTE}\n  {fine}")).is_empty());
}

#[test]
fn mirrors_are_checked() {
    for (fields, expected) in [
        ("mirror: {host: '*'}", vec!["error SG0208 /mirror/host"]),
        ("mirror: {host: a, port: {}}", vec!["error SG0208 /mirror/port"]),
        ("mirror: {host: a}\n  mirrorPercentage: {value: 101}", vec!["error SG0219 /mirrorPercentage/value"]),
        ("mirror: {host: a}\n  mirrorPercentage: {value: -1}", vec!["error SG0219 /mirrorPercentage/value"]),
        ("mirror: {host: a}\n  mirrorPercent: 50", vec!["warning SG0224 /mirrorPercent"]),
        ("mirrorPercent: 101", vec!["warning SG0224 /mirrorPercent", "error SG0219 /mirrorPercent"]),
        ("mirrors: [{}]", vec!["error SG0208 /mirrors/0"]),
        (
            "mirrors: [{destination: {host: a}, percentage: {value: 100.1}}]",
            vec!["error SG0219 /mirrors/0/percentage/value"],
        ),
        ("mirror: {host: a}\n  mirrorPercentage: {value: 0.00001}", vec![]),
    ] {
        assert_eq!(in_rule(&format!("{ROUTE}\n  {fields}")), expected, "{fields}");
    }
    let many = ["{destination: {host: a}}"; 9].join(", ");
    assert_eq!(in_rule(&format!("{ROUTE}\n  mirrors: [{many}]")), ["error SG0219 /mirrors"]);
    assert_eq!(in_rule("redirect: {uri: /x}\n  mirror: {host: a}"), ["note SG0220 /mirror"]);
}

#[test]
fn cors_policies_are_checked() {
    for (policy, expected) in [
        ("allowOrigins: [{}]", "error SG0206 /corsPolicy/allowOrigins/0"),
        ("allowOrigins: [{prefix: ''}]", "error SG0206 /corsPolicy/allowOrigins/0/prefix"),
        ("allowOrigins: [{regex: '('}]", "error SG0207 /corsPolicy/allowOrigins/0/regex"),
        ("allowOrigin: ['https://a']", "warning SG0224 /corsPolicy/allowOrigin"),
        ("allowMethods: [GET, get]", "error SG0219 /corsPolicy/allowMethods/1"),
        ("allowHeaders: ['a b']", "error SG0211 /corsPolicy/allowHeaders/0"),
        ("exposeHeaders: ['a:b']", "error SG0211 /corsPolicy/exposeHeaders/0"),
        ("maxAge: 0s", "error SG0213 /corsPolicy/maxAge"),
        ("maxAge: 1.5s", "error SG0213 /corsPolicy/maxAge"),
    ] {
        assert_eq!(in_rule(&format!("{ROUTE}\n  corsPolicy: {{{policy}}}")), [expected], "{policy}");
    }
    let fine = "allowOrigins: [{exact: 'https://a'}], allowMethods: ['*'], allowHeaders: [x-a, '*'], maxAge: 24h, unmatchedPreflights: IGNORE";
    assert!(in_rule(&format!("{ROUTE}\n  corsPolicy: {{{fine}}}")).is_empty());
}

#[test]
fn what_a_composition_cannot_have_is_noted() {
    let composed = "route: [{destination: {host: a}}, {destination: {host: b}}]";
    let delay = "fault: {delay: {fixedDelay: 1s, percentage: {value: 100}}}";
    for (fields, expected) in [
        ("retries: {attempts: 1}", "note SG0220 /retries"),
        (delay, "note SG0220 /fault/delay"),
        ("mirror: {host: c}", "note SG0220 /mirror"),
        ("mirrors: [{destination: {host: c}}]", "note SG0220 /mirrors"),
    ] {
        assert_eq!(in_rule(&format!("{composed}\n  {fields}")), ["note SG0210 /route", expected], "{fields}");
    }
}

#[test]
fn a_delegate_without_a_name_is_refused() {
    assert_eq!(in_rule("delegate: {}"), ["error SG0218 /delegate"]);
}

#[test]
fn rules_that_no_request_gets_to_are_warned_of() {
    let after = format!("- {ROUTE}\n- match: [{{uri: {{prefix: /a}}}}]\n  {ROUTE}");
    assert_eq!(findings(&shop(&after)), ["warning SG0221 /spec/http/1"]);
    let twice = format!("- match: [{{name: a, uri: {{exact: /a}}}}, {{name: b, uri: {{exact: /a}}}}]\n  {ROUTE}");
    assert_eq!(findings(&shop(&twice)), ["warning SG0221 /spec/http/0/match/1"]);
    let behind = format!("- match: [{{uri: {{prefix: /}}}}, {{uri: {{exact: /a}}}}]\n  {ROUTE}");
    assert_eq!(findings(&shop(&behind)), ["warning SG0221 /spec/http/0/match/1"]);
    let elsewhere = format!("- match: [{{gateways: [mesh]}}]\n  {ROUTE}\n- match: [{{uri: {{exact: /a}}}}]\n  {ROUTE}");
    assert!(findings(&shop(&elsewhere)).is_empty(), "a block for one gateway leaves the others to the rules behind it");
}

#[test]
fn everything_is_reported_at_once_and_with_help() {
    let yaml = shop("- timeout: soon\n  route: [{destination: {host: '*'}, weight: -1}]\n- redirect: {}");
    let (_, diagnostics) = load(&yaml);
    let diagnostics = diagnostics.into_wit();
    let codes: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect();
    assert_eq!(codes, ["SG0213", "SG0209", "SG0208", "SG0215"]);
    assert!(diagnostics.iter().all(|diagnostic| diagnostic.help.as_ref().is_some_and(|help| !help.is_empty())));
}

#[test]
fn a_document_that_the_schema_would_refuse_is_refused_here_too() {
    assert_eq!(findings(&document("a", "host: [a]")), ["error SG0200 /spec"]);
}
