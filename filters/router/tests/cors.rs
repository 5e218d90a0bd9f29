//! What browsers of other origins are told.

mod support;

use sluicegate_sdk::testing::TestRequest;
use support::gateway::{at, filtered, open, route, sent};
use support::{answered, continued, forwarded, get, header, header_words, outcome, router, shop};

const POLICY: &str = "
- route: [{destination: {host: stock}}]
  headers: {response: {set: {access-control-allow-origin: 'https://rule'}}}
  corsPolicy:
    allowOrigins: [{exact: 'https://a.example'}, {prefix: 'https://b.'}, {regex: 'https://[a-z]+\\.c'}]
    allowMethods: [POST, GET]
    allowHeaders: [x-a, x-b]
    exposeHeaders: [x-c, x-d]
    maxAge: 24h
    allowCredentials: true";

fn preflight(origin: &str) -> TestRequest {
    TestRequest::new("OPTIONS", "/")
        .authority("shop")
        .header("origin", origin)
        .header("access-control-request-method", "DELETE")
        .header("access-control-request-headers", "x-asked, x-too")
}

fn lines(answer: &sluicegate_sdk::Answer) -> Vec<String> {
    let line = |header: &sluicegate_sdk::Header| format!("{}: {}", header.name, String::from_utf8_lossy(&header.value));
    answer.headers.iter().map(line).collect()
}

#[test]
fn a_preflight_of_an_allowed_origin_is_answered_without_the_service() {
    for origin in ["https://a.example", "https://b.anything", "https://xyz.c"] {
        let answer = answered(&router(&shop(POLICY)), &preflight(origin));
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        assert_eq!(
            lines(&answer),
            [
                format!("access-control-allow-origin: {origin}"),
                "access-control-allow-credentials: true".to_owned(),
                "access-control-allow-methods: POST,GET".to_owned(),
                "access-control-allow-headers: x-a,x-b".to_owned(),
                "access-control-max-age: 86400".to_owned(),
            ]
        );
    }
}

#[test]
fn a_star_is_what_was_asked_for_and_the_origin_is_never_one() {
    let rule = "- route: [{destination: {host: stock}}]
  corsPolicy: {allowOrigins: [{exact: '*'}], allowMethods: ['*'], allowHeaders: ['*']}";
    let answer = answered(&router(&shop(rule)), &preflight("https://any"));
    assert_eq!(
        lines(&answer),
        [
            "access-control-allow-origin: https://any",
            "access-control-allow-methods: DELETE",
            "access-control-allow-headers: x-asked, x-too",
        ]
    );
    let deprecated = rule.replace("allowOrigins: [{exact: '*'}]", "allowOrigin: ['*']");
    assert_eq!(lines(&answered(&router(&shop(&deprecated)), &preflight("https://any"))), lines(&answer));
}

#[test]
fn a_preflight_of_another_origin_goes_to_the_service_unless_it_is_ignored() {
    for origin in ["https://a.example:443", "HTTPS://A.EXAMPLE", "https://evil", "null"] {
        let forward = forwarded(&router(&shop(POLICY)), &preflight(origin));
        assert_eq!(header_words(&forward.response_edits), ["set access-control-allow-origin=https://rule"], "{origin}");
    }
    let ignoring = router(&shop(&format!("{POLICY}\n    unmatchedPreflights: IGNORE")));
    let answer = answered(&ignoring, &preflight("https://evil"));
    assert_eq!((answer.status, header(&answer, "access-control-allow-origin")), (200, None));
    assert_eq!(header(&answer, "access-control-allow-methods").as_deref(), Some("POST,GET"));
}

#[test]
fn what_is_no_preflight_goes_to_the_service() {
    let router = router(&shop(POLICY));
    let options = || TestRequest::new("OPTIONS", "/").authority("shop");
    for request in [
        options(),
        options().header("origin", "https://a.example"),
        options().header("origin", "https://a.example").header("access-control-request-method", ""),
        options().header("origin", "").header("access-control-request-method", "GET"),
        get("/").header("origin", "https://a.example").header("access-control-request-method", "GET"),
    ] {
        assert_eq!(outcome(&router, &request), "stock", "{request:?}");
    }
}

#[test]
fn the_response_to_an_allowed_origin_says_so_whatever_the_rule_or_the_service_say() {
    let router = router(&shop(POLICY));
    let told = |request: &TestRequest| header_words(&forwarded(&router, request).response_edits);
    assert_eq!(
        told(&get("/").header("origin", "https://a.example")),
        [
            "set access-control-allow-origin=https://rule",
            "set access-control-allow-origin=https://a.example",
            "set access-control-allow-credentials=true",
            "set access-control-expose-headers=x-c,x-d",
        ]
    );
    assert_eq!(told(&get("/").header("origin", "https://evil")).len(), 1);
    assert_eq!(told(&get("/")).len(), 1);
}

#[test]
fn aborts_answers_redirects_and_compositions_are_told_of_too() {
    let cors = "corsPolicy: {allowOrigins: [{exact: 'https://a'}]}";
    let abort = "fault: {abort: {httpStatus: 500, percentage: {value: 100}}}";
    for rule in [
        format!("- route: [{{destination: {{host: stock}}}}]\n  {abort}\n  {cors}"),
        format!("- directResponse: {{status: 200}}\n  {cors}"),
        format!("- redirect: {{uri: /x}}\n  {cors}"),
    ] {
        let answer = answered(&router(&shop(&rule)), &get("/").header("origin", "https://a"));
        assert_eq!(header(&answer, "access-control-allow-origin").as_deref(), Some("https://a"), "{rule}");
    }
    let composed = format!("- route: [{{destination: {{host: a}}}}, {{destination: {{host: b}}}}]\n  {cors}");
    let continuation = continued(&router(&shop(&composed)), &get("/").header("origin", "https://a"));
    assert_eq!(header_words(&continuation.response_edits), ["set access-control-allow-origin=https://a"]);
}

#[test]
fn a_preflight_is_answered_before_any_fault() {
    let rule = format!("{POLICY}\n  fault: {{abort: {{httpStatus: 500, percentage: {{value: 100}}}}}}");
    assert_eq!(outcome(&router(&shop(&rule)), &preflight("https://a.example")), "200");
}

#[test]
fn a_star_of_what_may_be_read_is_not_sent_where_credentials_are_allowed() {
    for (credentials, expected) in [(true, None), (false, Some("*"))] {
        let policy = format!("allowOrigins: ['*'], exposeHeaders: ['*'], allowCredentials: {credentials}");
        let yaml = open() + &route("r", &filtered("/", &format!("{{type: CORS, cors: {{{policy}}}}}")));
        let router = router(&yaml);
        let told = answered(&router, &at(preflight("https://a"), 80));
        assert_eq!(header(&told, "access-control-expose-headers").as_deref(), expected, "{credentials}");
        let edits = header_words(&sent(&router, &at(get("/").header("origin", "https://a"), 80)).response_edits);
        let exposed = edits.iter().find_map(|edit| edit.strip_prefix("set access-control-expose-headers="));
        assert_eq!(exposed, expected, "{credentials}");
    }
}
