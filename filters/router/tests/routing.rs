//! What a rule makes of a request: destinations, edits, timeouts, retries, composition, answers.

mod support;

use sluicegate_sdk::{Destination, RetryCondition};
use std::collections::BTreeMap;
use support::{
    answered, continued, document, findings, forwarded, get, header, header_words, outcome, router, shop, words,
};

#[test]
fn a_destination_gets_its_full_name_port_and_subset() {
    let forward =
        forwarded(&router(&shop("- route: [{destination: {host: Stock, port: {number: 80}, subset: v2}}]")), &get("/"));
    assert_eq!(forward.destination, Destination::new("stock.default.svc.cluster.local").port(80).subset("v2"));
    let forward =
        forwarded(&router(&shop("- route: [{destination: {host: stock.example.com}, weight: 0}]")), &get("/"));
    assert_eq!(forward.destination, Destination::new("stock.example.com"));
}

#[test]
fn the_route_is_named_for_logs() {
    let name = |rule: &str| words(&forwarded(&router(&shop(rule)), &get("/")).edits).concat();
    let route = "route: [{destination: {host: stock}}]";
    assert_eq!(name(&format!("- {route}")), "route: default/shop/0");
    assert_eq!(name(&format!("- name: all\n  {route}")), "route: all");
    assert_eq!(
        name(&format!("- name: all\n  match: [{{name: root, uri: {{prefix: /}}}}]\n  {route}")),
        "route: all.root"
    );
}

#[test]
fn requests_are_split_by_weight_and_a_weight_of_0_gets_none() {
    let destination = |host: &str, weight: u32| format!("{{destination: {{host: {host}}}, weight: {weight}}}");
    let route = [destination("a", 80), destination("b", 20), destination("c", 0)].join(", ");
    let router = router(&shop(&format!("- route: [{route}]")));
    let mut counts = BTreeMap::new();
    for id in 0..1000 {
        *counts.entry(outcome(&router, &get("/").attribute("request.id", &format!("{id:032x}")))).or_insert(0) += 1;
    }
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert!((750..850).contains(&counts["a"]), "{counts:?}");
}

#[test]
fn the_timeout_is_off_unless_given_and_retries_are_on() {
    use RetryCondition::{ConnectFailure, GrpcStatus, RefusedStream};
    let forward = forwarded(&router(&shop("- route: [{destination: {host: stock}}]")), &get("/"));
    assert_eq!(forward.timeout, None);
    let retries = forward.retries.expect("retries are on");
    assert_eq!((retries.attempts, retries.per_try_timeout, retries.backoff), (2, None, 25));
    assert_eq!(retries.conditions, [ConnectFailure, RefusedStream, GrpcStatus(14), GrpcStatus(1)]);
}

#[test]
fn retries_follow_the_rule() {
    let with = |retries: &str| {
        let rule = format!("- route: [{{destination: {{host: stock}}}}]\n  timeout: 1.5s\n  retries: {retries}");
        forwarded(&router(&shop(&rule)), &get("/"))
    };
    let forward = with(
        "{attempts: 3, perTryTimeout: 500ms, retryOn: 'gateway-error,503,retriable-status-codes', backoff: 100ms}",
    );
    assert_eq!(forward.timeout, Some(1500));
    let retries = forward.retries.expect("retries are on");
    assert_eq!((retries.attempts, retries.per_try_timeout, retries.backoff), (3, Some(500), 100));
    assert_eq!(retries.conditions, [RetryCondition::GatewayError, RetryCondition::Status(503)]);
    assert_eq!(with("{attempts: 0}").retries, None);
    assert!(retries.ignore_previous_hosts);
    let anywhere = with("{attempts: 1, retryIgnorePreviousHosts: false}").retries.expect("retries are on");
    assert!(!anywhere.ignore_previous_hosts);
    let unlimited = with("{attempts: 1, perTryTimeout: 2s}").retries.expect("retries are on");
    assert_eq!(unlimited.per_try_timeout, None);
}

#[test]
fn every_condition_to_retry_on_is_known() {
    use RetryCondition::{
        Conflict, ConnectFailure, GatewayError, GrpcStatus, RateLimited, RefusedStream, Reset, ResetBeforeRequest,
        ServerError, Status,
    };
    for (token, condition) in [
        ("5xx", ServerError),
        ("gateway-error", GatewayError),
        ("reset", Reset),
        ("reset-before-request", ResetBeforeRequest),
        ("connect-failure", ConnectFailure),
        ("retriable-4xx", Conflict),
        ("refused-stream", RefusedStream),
        ("cancelled", GrpcStatus(1)),
        ("deadline-exceeded", GrpcStatus(4)),
        ("resource-exhausted", GrpcStatus(8)),
        ("internal", GrpcStatus(13)),
        ("unavailable", GrpcStatus(14)),
        ("429", Status(429)),
        ("envoy-ratelimited", RateLimited),
    ] {
        let rule =
            format!("- route: [{{destination: {{host: stock}}}}]\n  retries: {{attempts: 1, retryOn: '{token}'}}");
        let retries = forwarded(&router(&shop(&rule)), &get("/")).retries.expect("retries are on");
        assert_eq!(retries.conditions, [condition], "{token}");
    }
}

#[test]
fn the_path_is_rewritten_by_what_matched() {
    for (matching, rewrite, path, expected) in [
        ("uri: {prefix: /pre}", "uri: /x", "/pre/a?k=v", Some("/x/a")),
        ("uri: {prefix: /pre}", "uri: /x", "/prefix/a", Some("/xfix/a")),
        ("uri: {prefix: /pre/}", "uri: /", "/pre/a", Some("/a")),
        ("uri: {exact: /a}", "uri: /x", "/a", Some("/x")),
        ("uri: {regex: '/a.*'}", "uri: /x", "/abc", Some("/x")),
        ("method: {exact: GET}", "uri: /x", "/a", Some("/xa")),
        ("method: {exact: GET}", "uri: /x/", "/a", Some("/x/a")),
        ("uri: {prefix: /api}, ignoreUriCase: true", "uri: /Rewrote", "/API/a", Some("/Rewrote/a")),
        ("uri: {prefix: /same}", "uri: /same", "/same/a", None),
        ("uri: {prefix: /pre/}", "uri: x", "/pre/a", Some("/xa")),
        (
            "uri: {prefix: /}",
            "uriRegexRewrite: {match: '^/s/([^/]+)(/.*)$', rewrite: '\\2/i/\\1'}",
            "/s/foo/v1",
            Some("/v1/i/foo"),
        ),
        ("uri: {prefix: /}", "uriRegexRewrite: {match: '^/s', rewrite: /t}", "/other", None),
    ] {
        let rule =
            format!("- match: [{{{matching}}}]\n  route: [{{destination: {{host: stock}}}}]\n  rewrite: {{{rewrite}}}");
        let edits = words(&forwarded(&router(&shop(&rule)), &get(path)).edits);
        let expected: Vec<String> = expected.map(|path| format!("path {path}")).into_iter().collect();
        assert_eq!(edits.get(1..).expect("the first names the route"), expected, "{matching} {rewrite} {path}");
    }
}

#[test]
fn with_one_destination_removals_come_first_then_what_is_set_its_own_last_then_what_is_added() {
    let rule = "
- route:
  - destination: {host: stock}
    headers: {request: {set: {x-a: own}, remove: [x-c]}, response: {add: {x-r: own}}}
  headers: {request: {set: {x-a: rule}, add: {X-B: '%REQ(x-user)%', x-none: '%REQ(x-absent)%'}, remove: [x-d]}, response: {remove: [server]}}";
    let forward = forwarded(&router(&shop(rule)), &get("/").header("x-user", "maria"));
    let expected = ["remove x-d", "remove x-c", "set x-a=rule", "set x-a=own", "add x-b=maria"];
    assert_eq!(words(&forward.edits).get(1..).expect("the first names the route"), expected);
    assert_eq!(header_words(&forward.response_edits), ["remove server", "add x-r=own"]);
}

#[test]
fn with_weights_the_values_of_the_rule_come_last() {
    let rule = "
- route:
  - {destination: {host: stock}, weight: 1, headers: {request: {set: {x-a: own}}}}
  - {destination: {host: other}, weight: 0}
  headers: {request: {set: {x-a: rule}}}";
    let forward = forwarded(&router(&shop(rule)), &get("/"));
    assert_eq!(words(&forward.edits).get(1..).expect("the first names the route"), ["set x-a=own", "set x-a=rule"]);
}

#[test]
fn the_authority_is_set_by_the_rule_before_the_destination() {
    let rule = |of_rule: &str| {
        let own = "headers: {request: {set: {Host: own}}}";
        let rule = format!("- route: [{{destination: {{host: stock}}, {own}}}]\n  {of_rule}");
        words(&forwarded(&router(&shop(&rule)), &get("/")).edits).last().cloned()
    };
    assert_eq!(rule("timeout: 1s").as_deref(), Some("authority own"));
    assert_eq!(rule("headers: {request: {add: {':authority': rule}}}").as_deref(), Some("authority rule"));
    assert_eq!(rule("rewrite: {authority: 'rewritten:80'}").as_deref(), Some("authority rewritten:80"));
}

#[test]
fn an_authority_that_a_client_made_up_is_not_set() {
    let router =
        router(&shop("- route: [{destination: {host: stock}, headers: {request: {set: {host: '%REQ(x-host)%'}}}}]"));
    let edits = |host: &str| words(&forwarded(&router, &get("/").header("x-host", host)).edits).len();
    assert_eq!((edits("other:80"), edits("a b"), edits("user@other"), edits("")), (2, 1, 1, 1));
}

const COMPOSED: &str = "
- match: [{uri: {prefix: /p}}]
  route:
  - destination: {host: order-service, port: {number: 80}}
  - destination: {host: stock.other.svc.cluster.local, subset: v1}
  timeout: 2s
  rewrite: {uri: /q}
  headers: {request: {set: {x-a: b}}, response: {set: {x-r: s}}}";

#[test]
fn destinations_without_any_weight_are_composed() {
    let continuation = continued(&router(&shop(COMPOSED)), &get("/p/1"));
    assert_eq!(
        words(&continuation.edits),
        [
            "route: default/shop/0",
            r#"compose.destinations: [{"name":"order-service","host":"order-service.default.svc.cluster.local","port":80,"subset":null},{"name":"stock","host":"stock.other.svc.cluster.local","port":null,"subset":"v1"}]"#,
            "compose.timeout: 2000",
            "path /q/1",
            "set x-a=b",
        ]
    );
    assert_eq!(header_words(&continuation.response_edits), ["set x-r=s"]);
    assert_eq!(findings(&shop(COMPOSED)), ["note SG0210 /spec/http/0/route"]);
}

#[test]
fn a_fixed_answer_has_its_body_and_the_headers_of_the_rule() {
    let rule =
        "- directResponse: {status: 418, body: {string: short and stout}}\n  headers: {response: {set: {x-a: b}}}";
    let answer = answered(&router(&shop(rule)), &get("/"));
    assert_eq!((answer.status, answer.body.as_slice()), (418, &b"short and stout"[..]));
    assert_eq!(header(&answer, "content-type").as_deref(), Some("text/plain"));
    assert_eq!(header(&answer, "x-a").as_deref(), Some("b"));
    let bytes = answered(&router(&shop("- directResponse: {status: 200, body: {bytes: AAEC}}")), &get("/"));
    assert_eq!(bytes.body, [0, 1, 2]);
    let empty = answered(&router(&shop("- directResponse: {status: 204}")), &get("/"));
    assert!(empty.body.is_empty() && empty.headers.is_empty());
    let typed = "- directResponse: {status: 200, body: {string: '{}'}}\n  headers: {response: {set: {content-type: application/json}}}";
    let typed = answered(&router(&shop(typed)), &get("/"));
    assert_eq!((typed.headers.len(), header(&typed, "content-type").as_deref()), (1, Some("application/json")));
}

#[test]
fn a_rule_that_delegates_to_nobody_is_passed_over() {
    let yaml = shop("- delegate: {name: other}\n- route: [{destination: {host: stock}}]");
    assert_eq!(outcome(&router(&yaml), &get("/")), "stock");
    assert_eq!(findings(&yaml), ["warning SG0232 /spec/http/0/delegate"]);
}

#[test]
fn a_document_for_tls_alone_owns_its_host_and_answers_404() {
    let yaml = document(
        "db",
        "hosts: [db.example.com]\ntls: [{match: [{sniHosts: [db.example.com]}], route: [{destination: {host: db}}]}]",
    );
    assert_eq!(outcome(&router(&yaml), &get("/").authority("db.example.com")), "404");
}

#[test]
fn a_header_of_the_response_may_be_made_of_the_response() {
    let rule = "
- route: [{destination: {host: stock}}]
  headers: {response: {set: {x-by: '%RESP(Server)% at %UPSTREAM_HOST%', x-for: '%REQ(x-user)%'}, add: {x-at: '%UPSTREAM_HOST%'}}}";
    let forward = forwarded(&router(&shop(rule)), &get("/").header("x-user", "maria"));
    assert_eq!(
        header_words(&forward.response_edits),
        ["set x-by=<server> at <upstream>", "set x-for=maria", "add x-at=<upstream>"]
    );
    let direct = "- directResponse: {status: 200, body: {string: x}}\n  headers: {response: {set: {x-a: '%RESP(content-type)%%UPSTREAM_HOST%'}}}";
    assert_eq!(header(&answered(&router(&shop(direct)), &get("/")), "x-a").as_deref(), Some("text/plain"));
}

#[test]
fn a_header_may_say_when_and_where_a_request_came() {
    let rule = "- route: [{destination: {host: stock}}]
  headers: {request: {set: {x-came: '%START_TIME% on %HOSTNAME% by %PROTOCOL%'}}}";
    let request = get("/").attribute("request.time", "0").attribute("proxy.hostname", "edge");
    let forward = forwarded(&router(&shop(rule)), &request.attribute("protocol", "HTTP/2"));
    let edits = words(&forward.edits);
    assert_eq!(edits.last().map(String::as_str), Some("set x-came=1970-01-01T00:00:00.000Z on edge by HTTP/2"));
}
