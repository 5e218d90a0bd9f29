//! What is wrong with documents of the Gateway API is found where it stands.

mod support;

use support::gateway::{edge, listener, object_with, open, resource, route, schema_objections};
use support::{documents, findings, load};

const BACKEND: &str = "backendRefs: [{name: v1, port: 80}]";

/// The errors of a text, with the filter's codes.
fn errors(yaml: &str) -> Vec<String> {
    findings(yaml).into_iter().filter(|line| line.starts_with("error")).collect()
}

/// The errors of a rule with these fields, as `code pointer`, where the pointer starts at the rule.
fn in_rule(fields: &str) -> Vec<String> {
    let yaml = open() + &route("r", &format!("- {{{fields}}}"));
    let short = |line: String| line.replace("error ", "").replace("/spec/rules/0", "");
    errors(&yaml).into_iter().map(short).collect()
}

fn in_filter(filter: &str) -> Vec<String> {
    let short = |line: String| line.replace("/filters/0", "");
    in_rule(&format!("filters: [{{{filter}}}], {BACKEND}")).into_iter().map(short).collect()
}

#[test]
fn paths_that_no_request_has_are_refused() {
    for (path, fine) in [
        ("{type: Exact, value: /a}", true),
        ("{value: /a/}", true),
        ("{type: RegularExpression, value: '/a[0-9]+'}", true),
        ("{value: a}", false),
        ("{type: Exact, value: //a}", false),
        ("{value: /a/./b}", false),
        ("{value: /a/../b}", false),
        ("{value: /a%2fb}", false),
        ("{value: '/a#b'}", false),
        ("{value: /a/..}", false),
        ("{value: '/my[/]path'}", false),
        ("{type: RegularExpression, value: '/a('}", false),
    ] {
        let found = in_rule(&format!("matches: [{{path: {path}}}], {BACKEND}"));
        let code = if path.contains("Regular") { "SG0207" } else { "SG0241" };
        let expected = if fine { vec![] } else { vec![format!("{code} /matches/0/path/value")] };
        assert_eq!(found, expected, "{path}");
    }
}

#[test]
fn matches_are_checked() {
    for (block, expected) in [
        ("path: {type: Prefix, value: /a}", "SG0241 /matches/0/path/type"),
        ("method: get", "SG0241 /matches/0/method"),
        ("headers: [{name: magic/, value: a}]", "SG0211 /matches/0/headers/0/name"),
        ("headers: [{name: a, value: b}, {name: a, value: c}]", "SG0205 /matches/0/headers/1/name"),
        ("headers: [{name: a}]", "SG0241 /matches/0/headers/0"),
        ("headers: [{name: a, value: '(', type: RegularExpression}]", "SG0207 /matches/0/headers/0/value"),
        ("headers: [{name: a, value: b, type: Prefix}]", "SG0241 /matches/0/headers/0/type"),
        ("queryParams: [{name: a, value: b}, {name: a, value: c}]", "SG0205 /matches/0/queryParams/1/name"),
        ("queryParams: [{name: 'a b', value: b}]", "SG0211 /matches/0/queryParams/0/name"),
    ] {
        assert_eq!(in_rule(&format!("matches: [{{{block}}}], {BACKEND}")), [expected], "{block}");
    }
    let cases = format!("matches: [{{headers: [{{name: a, value: b}}, {{name: A, value: c}}]}}], {BACKEND}");
    let yaml = open() + &route("r", &format!("- {{{cases}}}"));
    assert_eq!(findings(&yaml), ["warning SG0220 /spec/rules/0/matches/0/headers/1/name"]);
}

#[test]
fn filters_are_checked() {
    for (filter, expected) in [
        ("type: RequestHeaderModifier", "SG0240 "),
        ("type: Unknown", "SG0240 /type"),
        ("type: ExtensionRef, extensionRef: {group: a.b, kind: C, name: d}", "SG0240 /type"),
        ("type: ExternalAuth, externalAuth: {}", "SG0240 /type"),
        (
            "type: RequestHeaderModifier, requestHeaderModifier: {remove: [foo, foo]}",
            "SG0205 /requestHeaderModifier/remove/1",
        ),
        (
            "type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}], add: [{name: A, value: b}]}",
            "SG0205 /requestHeaderModifier/add/0/name",
        ),
        (
            "type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: a, value: \"b\\nc\"}]}",
            "SG0212 /responseHeaderModifier/add/0/value",
        ),
        (
            "type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: b}]}",
            "SG0211 /requestHeaderModifier/set/0/name",
        ),
        (
            "type: RequestHeaderModifier, requestHeaderModifier: {remove: [Connection]}",
            "SG0211 /requestHeaderModifier/remove/0",
        ),
        ("type: RequestMirror, requestMirror: {backendRef: {name: v2}}", "SG0208 /requestMirror/backendRef"),
        (
            "type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}, percent: 1, fraction: {numerator: 1}}",
            "SG0205 /requestMirror/fraction",
        ),
        (
            "type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}, percent: 101}",
            "SG0219 /requestMirror/percent",
        ),
        (
            "type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}, fraction: {numerator: 3, denominator: 2}}",
            "SG0219 /requestMirror/fraction",
        ),
        ("type: URLRewrite, urlRewrite: {hostname: '*.a.b'}", "SG0201 /urlRewrite/hostname"),
        ("type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath}}", "SG0205 /urlRewrite/path"),
        (
            "type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replacePrefixMatch: /a}}",
            "SG0205 /urlRewrite/path",
        ),
        ("type: URLRewrite, urlRewrite: {path: {type: Other}}", "SG0240 /urlRewrite/path/type"),
        (
            "type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: '/a?b'}}",
            "SG0217 /urlRewrite/path/replaceFullPath",
        ),
        ("type: CORS, cors: {allowMethods: ['*', GET]}", "SG0205 /cors/allowMethods"),
        ("type: CORS, cors: {allowMethods: [get]}", "SG0219 /cors/allowMethods/0"),
        ("type: CORS, cors: {allowOrigins: [www.foo.com]}", "SG0219 /cors/allowOrigins/0"),
        ("type: CORS, cors: {allowOrigins: ['https://a.*.com']}", "SG0219 /cors/allowOrigins/0"),
        ("type: CORS, cors: {exposeHeaders: ['a b']}", "SG0211 /cors/exposeHeaders/0"),
        ("type: CORS, cors: {maxAge: 0}", "SG0219 /cors/maxAge"),
    ] {
        assert_eq!(in_filter(filter), [expected], "{filter}");
    }
    let wrong_field = in_filter("type: RequestHeaderModifier, requestMirror: {backendRef: {name: v2, port: 80}}");
    assert_eq!(wrong_field, ["SG0240 ", "SG0205 /requestMirror"]);
}

#[test]
fn redirects_are_checked() {
    for (redirect, expected) in [
        ("scheme: ftp", "SG0215 /filters/0/requestRedirect/scheme"),
        ("hostname: '*.a.b'", "SG0201 /filters/0/requestRedirect/hostname"),
        ("hostname: 10.0.0.1", "SG0201 /filters/0/requestRedirect/hostname"),
        ("port: 0", "SG0215 /filters/0/requestRedirect/port"),
        ("statusCode: 300", "SG0215 /filters/0/requestRedirect/statusCode"),
    ] {
        let found = in_rule(&format!("filters: [{{type: RequestRedirect, requestRedirect: {{{redirect}}}}}]"));
        assert_eq!(found, [expected], "{redirect}");
    }
}

#[test]
fn what_excludes_each_other_is_refused() {
    let redirect = "{type: RequestRedirect, requestRedirect: {scheme: https}}";
    let rewrite = "{type: URLRewrite, urlRewrite: {hostname: a.b}}";
    let modifier = "{type: RequestHeaderModifier, requestHeaderModifier: {remove: [a]}}";
    let by_prefix = "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /a}}}";
    let exact = "{path: {type: Exact, value: /b}}";
    let prefix = "{path: {value: /b}}";
    for (fields, expected) in [
        (format!("filters: [{redirect}], {BACKEND}"), "SG0205 /backendRefs"),
        (format!("filters: [{redirect}, {rewrite}]"), "SG0205 /filters/1/urlRewrite"),
        (format!("filters: [{modifier}, {modifier}], {BACKEND}"), "SG0205 /filters/1"),
        (
            format!("matches: [{exact}], filters: [{by_prefix}], {BACKEND}"),
            "SG0205 /filters/0/urlRewrite/path/replacePrefixMatch",
        ),
        (
            format!("matches: [{prefix}, {exact}], filters: [{by_prefix}], {BACKEND}"),
            "SG0205 /filters/0/urlRewrite/path/replacePrefixMatch",
        ),
        (format!("timeouts: {{request: 1s, backendRequest: 2s}}, {BACKEND}"), "SG0205 /timeouts/backendRequest"),
    ] {
        assert_eq!(in_rule(&fields), [expected], "{fields}");
    }
    assert!(in_rule(&format!("matches: [{prefix}], filters: [{by_prefix}], {BACKEND}")).is_empty());
    let mirror = "{type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}}}";
    assert!(in_rule(&format!("filters: [{mirror}, {mirror}], {BACKEND}")).is_empty(), "mirrors may repeat");
}

#[test]
fn backends_timeouts_and_retries_are_checked() {
    for (fields, expected) in [
        ("backendRefs: [{name: foo}]", "SG0208 /backendRefs/0"),
        ("backendRefs: [{name: foo, kind: Service, group: ''}]", "SG0208 /backendRefs/0"),
        ("backendRefs: [{name: foo, port: 800080}]", "SG0208 /backendRefs/0/port"),
        ("backendRefs: [{name: foo, port: 80, group: '*'}]", "SG0208 /backendRefs/0/group"),
        ("backendRefs: [{name: foo, port: 80, kind: '*'}]", "SG0208 /backendRefs/0/kind"),
        ("backendRefs: [{name: 'a/b', port: 80}]", "SG0208 /backendRefs/0/name"),
        ("backendRefs: [{name: foo, port: 80, weight: -1}]", "SG0209 /backendRefs/0/weight"),
        ("backendRefs: [{name: foo, port: 80, weight: 1000001}]", "SG0209 /backendRefs/0/weight"),
        ("backendRefs: [{name: v1, port: 80}], timeouts: {request: 1.5s}", "SG0213 /timeouts/request"),
        ("backendRefs: [{name: v1, port: 80}], retry: {codes: [200]}", "SG0214 /retry/codes/0"),
        ("backendRefs: [{name: v1, port: 80}], retry: {attempts: -1}", "SG0214 /retry/attempts"),
        ("backendRefs: [{name: v1, port: 80}], retry: {backoff: soon}", "SG0213 /retry/backoff"),
        ("backendRefs: [{name: v1, port: 80}], name: Not A Name", "SG0241 /name"),
    ] {
        assert_eq!(in_rule(fields), [expected], "{fields}");
    }
}

#[test]
fn the_limits_of_the_gateway_api_hold() {
    let rules = |count: usize, matches: usize| {
        let block = vec!["{method: GET}"; matches].join(", ");
        format!("- matches: [{block}]\n  {BACKEND}\n").repeat(count)
    };
    for (count, matches, expected) in [
        (16, 8, vec![]),
        (17, 1, vec!["error SG0242 /spec/rules"]),
        (1, 64, vec![]),
        (1, 65, vec!["error SG0242 /spec/rules/0/matches"]),
        (16, 9, vec!["error SG0242 /spec/rules"]),
    ] {
        assert_eq!(errors(&(open() + &route("r", &rules(count, matches)))), expected, "{count} {matches}");
    }
    let hosts: Vec<String> = (0..17).map(|number| format!("a{number}.example")).collect();
    let spec = format!("parentRefs: [{{name: edge}}]\nhostnames: [{}]\nrules: [{{{BACKEND}}}]", hosts.join(", "));
    assert_eq!(errors(&(open() + &resource("HTTPRoute", "default", "r", &spec))), ["error SG0242 /spec/hostnames"]);
    for (count, expected) in [(8, vec![]), (9, vec!["SG0242 /filters"]), (17, vec!["SG0242 /filters"; 2])] {
        let mirrors =
            vec!["{type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}}}"; count].join(", ");
        assert_eq!(in_rule(&format!("filters: [{mirrors}], {BACKEND}")), expected, "{count}");
    }
}

#[test]
fn hosts_and_parents_are_checked() {
    for (fields, expected) in [
        ("hostnames: ['http://a<']", "SG0201 /spec/hostnames/0"),
        ("hostnames: [a.b, '*']", "SG0201 /spec/hostnames/1"),
        ("hostnames: [10.0.0.1]", "SG0201 /spec/hostnames/0"),
        ("hostnames: ['a.b:80']", "SG0201 /spec/hostnames/0"),
        ("parentRefs: [{name: edge}, {name: edge}]", "SG0205 /spec/parentRefs/1"),
        ("parentRefs: [{name: edge}, {name: edge, sectionName: http}]", "SG0205 /spec/parentRefs/1"),
        ("parentRefs: [{name: edge, port: 0}]", "SG0243 /spec/parentRefs/0/port"),
    ] {
        let yaml = open() + &resource("HTTPRoute", "default", "r", &format!("{fields}\nrules: [{{{BACKEND}}}]"));
        assert_eq!(errors(&yaml), [format!("error {expected}")], "{fields}");
    }
}

#[test]
fn calls_of_grpc_are_checked() {
    let errors_of = |rule: &str| {
        let spec = format!("parentRefs: [{{name: edge}}]\nrules: [{{{rule}}}]");
        errors(&(open() + &resource("GRPCRoute", "default", "r", &spec)))
    };
    for (rule, expected) in [
        ("matches: [{method: {}}]", "SG0241 /spec/rules/0/matches/0/method"),
        ("matches: [{method: {type: Prefix, service: a}}]", "SG0241 /spec/rules/0/matches/0/method/type"),
        ("matches: [{method: {service: a/b}}]", "SG0241 /spec/rules/0/matches/0/method/service"),
        ("matches: [{method: {method: a.b}}]", "SG0241 /spec/rules/0/matches/0/method/method"),
        ("matches: [{method: {type: RegularExpression, service: '('}}]", "SG0207 /spec/rules/0/matches/0/method"),
        ("filters: [{type: URLRewrite, urlRewrite: {hostname: a.b}}]", "SG0240 /spec/rules/0/filters/0/type"),
    ] {
        assert_eq!(errors_of(&format!("{rule}, {BACKEND}")), [format!("error {expected}")], "{rule}");
    }
}

#[test]
fn listeners_are_checked() {
    let tls = "tls: {certificateRefs: [{name: c}]}";
    let namespaces = |namespaces: &str| listener("a", 80, &format!(", allowedRoutes: {{namespaces: {namespaces}}}"));
    for (listeners, expected) in [
        (listener("a", 80, ", hostname: a.b") + &listener("b", 80, ""), vec![]),
        (listener("bad>", 80, ""), vec!["SG0245 /name"]),
        ("- {name: a, protocol: TCP, port: 80, hostname: a.b}".into(), vec!["SG0205 /hostname"]),
        ("- {name: a, protocol: UDP, port: 80, hostname: a.b}".into(), vec!["SG0205 /hostname"]),
        ("- {name: a, protocol: TLS, port: 443, tls: {mode: Passthrough}}".into(), vec![]),
        ("- {name: a, protocol: SPDY, port: 443}".into(), vec!["SG0245 /protocol"]),
        ("- {name: a, protocol: example.com/own, port: 443}".into(), vec![]),
        (
            format!("- {{name: a, protocol: HTTPS, port: 443, {tls}}}\n- {{name: b, protocol: TLS, port: 443, {tls}}}"),
            vec![],
        ),
        (namespaces("{from: Selector}"), vec!["SG0245 /allowedRoutes/namespaces"]),
        (namespaces("{from: Some}"), vec!["SG0245 /allowedRoutes/namespaces/from"]),
        (
            namespaces("{from: Selector, selector: {matchExpressions: [{key: a, operator: In}]}}"),
            vec!["SG0245 /allowedRoutes/namespaces/selector/matchExpressions/0"],
        ),
        (
            namespaces("{from: Selector, selector: {matchExpressions: [{key: a, operator: Is}]}}"),
            vec!["SG0245 /allowedRoutes/namespaces/selector/matchExpressions/0/operator"],
        ),
    ] {
        let found = errors(&edge(&listeners)).into_iter().map(|line| line.replace("/spec/listeners/0", ""));
        let expected: Vec<String> = expected.into_iter().map(|line| format!("error {line}")).collect();
        assert_eq!(found.collect::<Vec<_>>(), expected, "{listeners}");
    }
    let both = format!("- {{name: a, protocol: HTTP, port: 443}}\n- {{name: b, protocol: HTTPS, port: 443, {tls}}}");
    assert_eq!(errors(&edge(&both)), ["error SG0205 /spec/listeners/1/protocol"]);
}

#[test]
fn addresses_are_checked() {
    for (address, fine) in [
        ("value: 10.0.0.1", true),
        ("value: '2001:db8::1'", true),
        ("type: Hostname, value: a.example", true),
        ("type: example.com/own, value: any thing", true),
        ("value: '1200:0000:::AB00'", false),
        ("value: 1.1.1", false),
        ("value: 256.255.255.255", false),
        ("value: foo.example", false),
        ("type: Hostname, value: 'foo.example:80'", false),
        ("type: Other, value: a", false),
    ] {
        let spec = format!("gatewayClassName: any\naddresses: [{{{address}}}]\nlisteners:\n{}", listener("a", 80, ""));
        let expected: &[&str] = if fine { &[] } else { &["error SG0245 /spec/addresses/0/value"] };
        assert_eq!(errors(&resource("Gateway", "default", "edge", &spec)), expected, "{address}");
    }
}

#[test]
fn grants_are_checked() {
    let from = "{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}";
    let to = "{group: '', kind: Service}";
    for (spec, expected) in [
        (format!("to: [{to}]"), vec!["error SG0246 /spec"]),
        (format!("from: [{from}]"), vec!["error SG0246 /spec"]),
        (format!("from: [{}]\nto: [{to}]", from.replace(", namespace: a", "")), vec!["error SG0246 /spec/from/0"]),
        (format!("from: [{from}]\nto: [{{group: ''}}]"), vec!["error SG0246 /spec/to/0"]),
        (format!("from: [{from}]\nto: [{to}]"), vec![]),
    ] {
        assert_eq!(errors(&resource("ReferenceGrant", "b", "g", &spec)), expected, "{spec}");
    }
}

#[test]
fn unknown_fields_are_refused_by_the_schemas_and_by_the_types() {
    let route = documents(&resource("HTTPRoute", "default", "r", EVERYTHING_OF_HTTP)).remove(0);
    for pointer in [
        "/spec",
        "/spec/parentRefs/0",
        "/spec/rules/0",
        "/spec/rules/0/matches/0",
        "/spec/rules/0/matches/0/path",
        "/spec/rules/0/matches/0/headers/0",
        "/spec/rules/0/backendRefs/0",
        "/spec/rules/0/filters/0",
        "/spec/rules/0/timeouts",
        "/spec/rules/0/retry",
    ] {
        let document = object_with(&route, pointer, "unknown");
        assert!(!schema_objections(&document).is_empty(), "{pointer}");
        assert_eq!(errors(&document), ["error SG0200 /spec"], "{pointer}");
    }
}

/// Every field that an HTTPRoute has.
const EVERYTHING_OF_HTTP: &str = "
parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: default, name: edge, sectionName: http, port: 80}]
useDefaultGateways: None
hostnames: [a.example]
rules:
- name: one
  matches:
  - path: {type: PathPrefix, value: /a}
    headers: [{type: Exact, name: a, value: b}]
    queryParams: [{type: RegularExpression, name: a, value: b}]
    method: GET
  filters:
  - type: RequestHeaderModifier
    requestHeaderModifier: {set: [{name: a, value: b}], add: [{name: c, value: d}], remove: [e]}
  - type: ResponseHeaderModifier
    responseHeaderModifier: {remove: [e]}
  - type: RequestMirror
    requestMirror: {backendRef: {group: '', kind: Service, name: v2, namespace: default, port: 80}, fraction: {numerator: 1, denominator: 2}}
  - type: RequestMirror
    requestMirror: {backendRef: {name: v2, port: 80}, percent: 5}
  - type: URLRewrite
    urlRewrite: {hostname: b.example, path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}
  - type: CORS
    cors: {allowOrigins: ['https://a.example'], allowCredentials: true, allowMethods: [GET], allowHeaders: [a], exposeHeaders: [b], maxAge: 60}
  backendRefs: [{group: '', kind: Service, name: v1, namespace: default, port: 80, weight: 1, filters: []}]
  timeouts: {request: 2s, backendRequest: 1s}
  retry: {codes: [500], attempts: 1, backoff: 10ms}
  sessionPersistence: {type: Cookie}
- filters:
  - type: RequestRedirect
    requestRedirect: {scheme: https, hostname: c.example, port: 8443, statusCode: 308, path: {type: ReplaceFullPath, replaceFullPath: /c}}
";

const EVERYTHING_OF_GRPC: &str = "
parentRefs: [{name: edge}]
hostnames: [b.example]
rules:
- name: one
  matches: [{method: {type: Exact, service: a.B, method: C}, headers: [{type: Exact, name: a, value: b}]}]
  filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [a]}}]
  backendRefs: [{name: v1, port: 80, weight: 1}]
  sessionPersistence: {}
";

const EVERYTHING_OF_GATEWAY: &str = "
gatewayClassName: any
addresses: [{type: IPAddress, value: 10.0.0.1}]
infrastructure: {labels: {a: b}}
allowedListeners: {namespaces: {from: All}}
tls: {frontend: {}}
listeners:
- name: http
  hostname: '*.example'
  port: 80
  protocol: HTTP
  allowedRoutes:
    kinds: [{group: gateway.networking.k8s.io, kind: HTTPRoute}, {kind: GRPCRoute}]
    namespaces:
      from: Selector
      selector: {matchLabels: {kubernetes.io/metadata.name: default}, matchExpressions: [{key: a, operator: NotIn, values: [b]}]}
- name: https
  port: 443
  protocol: HTTPS
  tls: {mode: Terminate, certificateRefs: [{kind: Secret, group: '', name: c}], options: {a: b}, frontendValidation: {}}
";

const EVERYTHING_OF_GRANT: &str = "
from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}]
to: [{group: '', kind: Service, name: b}]
";

#[test]
fn every_field_is_taken_by_the_schemas_and_by_the_types_in_every_version() {
    let yaml = resource("HTTPRoute", "default", "r", EVERYTHING_OF_HTTP)
        + &resource("GRPCRoute", "default", "g", EVERYTHING_OF_GRPC)
        + &resource("Gateway", "default", "edge", EVERYTHING_OF_GATEWAY)
        + &resource("ReferenceGrant", "default", "g", EVERYTHING_OF_GRANT)
        + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {a: c}}\n";
    assert_eq!(schema_objections(&yaml), Vec::<String>::new());
    let found = load(&yaml).1;
    assert!(!found.has_errors(), "{:#?}", found.lines());
    let older = |kind: &str, version: &str, spec: &str| {
        resource(kind, "default", "r", spec).replace("k8s.io/v1\n", &format!("k8s.io/{version}\n"))
    };
    let older = older("HTTPRoute", "v1beta1", EVERYTHING_OF_HTTP)
        + &older("GRPCRoute", "v1alpha2", EVERYTHING_OF_GRPC)
        + &older("Gateway", "v1beta1", EVERYTHING_OF_GATEWAY)
        + &older("ReferenceGrant", "v1beta1", EVERYTHING_OF_GRANT);
    assert_eq!(schema_objections(&older), Vec::<String>::new());
}

#[test]
fn the_schemas_find_wrong_values_where_they_stand() {
    for (kind, spec, expected) in [
        ("HTTPRoute", "rules: [{matches: [{method: NOTREAL}]}]", "/spec/rules/0/matches/0/method"),
        ("HTTPRoute", "rules: [{filters: [{type: Other}]}]", "/spec/rules/0/filters/0/type"),
        ("HTTPRoute", "rules: [{backendRefs: [{name: a, port: 800080}]}]", "/spec/rules/0/backendRefs/0/port"),
        ("HTTPRoute", "hostnames: a.b", "/spec/hostnames"),
        ("GRPCRoute", "rules: [{filters: [{type: URLRewrite}]}]", "/spec/rules/0/filters/0/type"),
        ("Gateway", "listeners: [{name: a, protocol: HTTP, port: many}]", "/spec/listeners/0/port"),
        ("ReferenceGrant", "from: []", "/spec"),
    ] {
        assert_eq!(schema_objections(&resource(kind, "default", "r", spec)), [expected], "{kind} {spec}");
    }
}
