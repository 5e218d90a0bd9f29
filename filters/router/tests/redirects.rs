//! Where clients are sent.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use sluicegate_sdk::testing::TestRequest;
use support::{answered, document, header, router, shop};

/// The status and `Location` for `/foo?key=value` on host `b`.
fn location(redirect: &str, port: &str, authority: &str) -> String {
    let spec = format!("hosts: [b]\nhttp: [{{match: [{{uri: {{prefix: /foo}}}}], redirect: {{{redirect}}}}}]");
    let request = TestRequest::get("/foo?key=value").authority(authority).attribute("listener.port", port);
    let answer = answered(&router(&document("b", &spec)), &request);
    format!("{} {}", answer.status, header(&answer, "location").expect("there is a location"))
}

#[test]
fn the_path_is_replaced_and_the_query_kept() {
    for (redirect, expected) in [
        ("uri: /new/path", "301 http://b/new/path?key=value"),
        ("uri: '/new?own=1'", "301 http://b/new?own=1"),
        ("prefixRewrite: /bar", "301 http://b/bar?key=value"),
        ("authority: c", "301 http://c/foo?key=value"),
        ("scheme: https", "301 https://b/foo?key=value"),
        ("uri: /, redirectCode: 0", "301 http://b/?key=value"),
        ("uri: /, redirectCode: 302", "302 http://b/?key=value"),
        ("uri: /, redirectCode: 303", "303 http://b/?key=value"),
        ("uri: /, redirectCode: 307", "307 http://b/?key=value"),
        ("uri: /, redirectCode: 308", "308 http://b/?key=value"),
    ] {
        assert_eq!(location(redirect, "80", "b"), expected, "{redirect}");
    }
}

#[test]
fn the_port_follows_the_table() {
    for (redirect, port, authority, expected) in [
        ("derivePort: FROM_REQUEST_PORT", "80", "b", "http://b/foo"),
        ("derivePort: FROM_REQUEST_PORT", "80", "b:80", "http://b:80/foo"),
        ("derivePort: FROM_REQUEST_PORT", "85", "b", "http://b:85/foo"),
        ("derivePort: FROM_REQUEST_PORT", "85", "b:85", "http://b:85/foo"),
        ("scheme: https, derivePort: FROM_REQUEST_PORT", "80", "b", "https://b:80/foo"),
        ("scheme: https, port: 443", "80", "b", "https://b/foo"),
        ("scheme: https, port: 8443", "80", "b:80", "https://b:8443/foo"),
        ("scheme: https", "80", "b:80", "https://b/foo"),
        ("scheme: https", "8080", "b:8080", "https://b:8080/foo"),
        ("uri: /foo, derivePort: FROM_PROTOCOL_DEFAULT", "85", "b:85", "http://b:85/foo"),
        ("port: 80", "85", "b:85", "http://b:85/foo"),
        ("port: 81", "80", "b", "http://b:81/foo"),
        ("authority: 'c:8080'", "80", "b", "http://c:8080/foo"),
        ("authority: 'c:8080', port: 81", "80", "b", "http://c:81/foo"),
    ] {
        let expected = format!("301 {expected}?key=value");
        assert_eq!(location(redirect, port, authority), expected, "{redirect} {port} {authority}");
    }
}

#[test]
fn in_the_mesh_the_port_is_that_of_the_service_whatever_the_proxy_listens_on() {
    for (redirect, authority, expected) in [
        ("derivePort: FROM_REQUEST_PORT", "b", "301 http://b/foo?key=value"),
        ("derivePort: FROM_REQUEST_PORT", "b:8080", "301 http://b:8080/foo?key=value"),
        ("scheme: https, derivePort: FROM_REQUEST_PORT", "b", "301 https://b:80/foo?key=value"),
    ] {
        let spec = format!("hosts: [b]\nhttp: [{{match: [{{uri: {{prefix: /foo}}}}], redirect: {{{redirect}}}}}]");
        let request = TestRequest::get("/foo?key=value").authority(authority);
        let request = request.attribute("listener.name", "mesh").attribute("listener.port", "15001");
        let answer = answered(&router(&document("b", &spec)), &request);
        let location = header(&answer, "location").expect("there is a location");
        assert_eq!(format!("{} {location}", answer.status), expected, "{redirect} {authority}");
    }
}

#[test]
fn only_the_matched_prefix_is_replaced() {
    let yaml = shop("- match: [{uri: {prefix: /foo}}]\n  redirect: {prefixRewrite: /}");
    let answer = answered(&router(&yaml), &support::get("/foo/baz"));
    assert_eq!(header(&answer, "location").as_deref(), Some("http://shop//baz"));
}

#[test]
fn the_rule_s_response_headers_are_on_the_redirect() {
    let yaml = shop("- redirect: {uri: /x}\n  headers: {response: {set: {x-a: '%REQ(:path)%'}}}");
    let answer = answered(&router(&yaml), &support::get("/y"));
    assert_eq!(header(&answer, "x-a").as_deref(), Some("/y"));
}
