use super::*;
use crate::connection::Timeouts;
use crate::drain::Drain;
use http::uri::Scheme;
use proptest::prelude::*;

fn connection() -> ConnectionInfo {
    ConnectionInfo {
        peer: ([10, 0, 0, 1], 4000).into(),
        local: ([10, 0, 0, 2], 80).into(),
        arrival: crate::request::Arrival::default(),
        scheme: Scheme::HTTP,
        tls: None,
        gate: None,
        drain: Drain::default(),
        timeouts: Timeouts::default(),
        forwarded_for: HeaderValue::from_static("10.0.0.1"),
        client: crate::overload::admit::ClientSlot::default(),
        place: crate::admission::Place::default(),
    }
}

fn sanitized(version: Version, uri: &str, headers: &[(&str, &str)]) -> Result<RequestHead, RequestError> {
    let mut request = Request::builder().version(version).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    super::request(request.body(()).unwrap().into_parts().0, &connection()).map(|sanitized| *sanitized.head)
}

fn pairs(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
}

#[test]
fn only_end_to_end_headers_go_on() {
    let sent = [
        ("host", "shop:8080"),
        ("connection", "close, x-private"),
        ("connection", "keep-alive"),
        ("x-private", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip;q=0.5, Trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("proxy-authorization", "Basic x"),
        ("expect", "100-continue"),
        ("trailer", "x-sum"),
        ("accept", "*/*"),
    ];
    let head = sanitized(Version::HTTP_11, "/a?b", &sent).unwrap();
    let mut kept = pairs(&head.headers);
    kept.sort_unstable();
    assert_eq!(kept, [("accept", "*/*"), ("te", "trailers"), ("trailer", "x-sum")]);
    assert_eq!((head.authority.as_str(), head.path_and_query.as_str()), ("shop:8080", "/a?b"));
}

#[test]
fn the_authority_comes_from_an_absolute_target_first() {
    let head = sanitized(Version::HTTP_11, "http://shop/a", &[("host", "SHOP")]).unwrap();
    assert_eq!((head.authority.as_str(), head.path_and_query.as_str()), ("shop", "/a"));
    assert_eq!(sanitized(Version::HTTP_10, "/", &[]).unwrap().authority, "");
}

#[test]
fn a_path_that_is_only_a_fragment_is_written_as_a_slash() {
    for uri in ["http://shop#x", "http://shop", "http://shop/#x"] {
        let head = sanitized(Version::HTTP_2, uri, &[]).unwrap();
        assert_eq!(
            upstream_parts(&head, &HeaderValue::from_static("shop"), HeaderMap::new()).uri.to_string(),
            "/",
            "{uri}"
        );
    }
}

#[test]
fn a_client_cannot_have_essential_headers_dropped() {
    for name in ["X-Forwarded-For", "authorization", "cookie", "content-length", "host", "b@d"] {
        let refused = sanitized(Version::HTTP_11, "/", &[("host", "a"), ("connection", name)]);
        assert!(matches!(refused, Err(BadRequest(_))), "{name}");
    }
}

#[test]
fn http2_has_one_authority_and_no_connection_headers() {
    let uri = "http://shop/";
    assert_eq!(sanitized(Version::HTTP_2, uri, &[("host", "Shop")]).unwrap().authority, "shop");
    for headers in [
        [("host", "other")].as_slice(),
        &[("host", "shop"), ("host", "shop")],
        &[("connection", "close")],
        &[("keep-alive", "1")],
        &[("transfer-encoding", "chunked")],
        &[("x", " y")],
        &[("x", "y\t")],
    ] {
        assert!(matches!(sanitized(Version::HTTP_2, uri, headers), Err(BadRequest(_))), "{headers:?}");
    }
    assert!(sanitized(Version::HTTP_2, "/", &[]).is_err());
    let cookies = sanitized(Version::HTTP_2, uri, &[("cookie", "a=1"), ("cookie", "b=2")]).unwrap();
    assert_eq!(pairs(&cookies.headers), [("cookie", "a=1; b=2")]);
}

#[test]
fn the_upstream_learns_who_is_asking_through_whom() {
    let sent =
        [("host", "shop"), ("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https"), ("x-request-id", "7")];
    let head = sanitized(Version::HTTP_11, "/", &sent).unwrap();
    let mut headers = head.headers.clone();
    outgoing(&head, &HeaderValue::from_static("shop"), &connection(), &mut headers);
    assert_eq!(headers["x-forwarded-for"], "1.1.1.1, 10.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-host"], "shop");
    assert_eq!(headers["x-request-id"], "7");
    assert_eq!(headers["via"], "1.1 sluicegate");

    let head = sanitized(Version::HTTP_10, "/", &[]).unwrap();
    let mut headers = HeaderMap::new();
    outgoing(&head, &HeaderValue::from_static(""), &connection(), &mut headers);
    assert_eq!(headers["x-request-id"], head.id.to_string());
    assert!(!headers.contains_key("x-forwarded-host"));
}

#[test]
fn a_response_loses_what_was_for_the_proxy() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("connection", "x-hop, set-cookie, close"),
        ("x-hop", "1"),
        ("set-cookie", "a=1"),
        ("transfer-encoding", "chunked"),
        ("proxy-authenticate", "Basic"),
        ("content-length", "3"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    response(&mut headers, Version::HTTP_11);
    assert_eq!(headers.len(), 3);
    assert_eq!(
        (&headers["set-cookie"], &headers["content-length"], &headers["via"]),
        (&HeaderValue::from_static("a=1"), &HeaderValue::from_static("3"), &HeaderValue::from_static("1.1 sluicegate"))
    );
}

proptest! {
    #[test]
    fn no_connection_header_survives_whatever_it_holds(value in "[ -~]{0,40}") {
        if let Ok(head) = sanitized(Version::HTTP_11, "/", &[("host", "a"), ("connection", &value), ("x-a", "1")]) {
            prop_assert!(!head.headers.contains_key("connection"));
            let named = value.split(',').any(|option| option.trim().eq_ignore_ascii_case("x-a"));
            prop_assert_eq!(head.headers.contains_key("x-a"), !named);
        }
    }
}

#[test]
fn filters_see_the_listener_and_the_name_of_the_handshake() {
    let connection = ConnectionInfo {
        arrival: crate::request::Arrival {
            listener: crate::request::ListenerName::Gateway,
            port: 443,
            server_name: Some("shop.example".into()),
        },
        scheme: Scheme::HTTPS,
        ..connection()
    };
    let request = Request::builder().uri("/").header("host", "shop.example").body(()).unwrap();
    let head = super::request(request.into_parts().0, &connection).unwrap().head;
    let attributes =
        ["listener.name", "listener.port", "tls.sni"].map(|name| head.attribute(name).unwrap().into_owned());
    assert_eq!(attributes, ["gateway", "443", "shop.example"]);
    let mut headers = HeaderMap::new();
    outgoing(&head, &HeaderValue::from_static("shop.example"), &connection, &mut headers);
    assert_eq!(headers[X_FORWARDED_PROTO], "https");
}

#[test]
fn a_plain_connection_has_no_name_of_a_handshake() {
    let head = sanitized(Version::HTTP_11, "/", &[("host", "a")]).unwrap();
    assert_eq!(head.attribute("listener.name").as_deref(), Some("mesh"));
    assert_eq!(head.attribute("tls.sni"), None);
}

#[test]
fn http2_may_have_as_many_headers_as_http1() {
    let with = |count: usize| sanitized(Version::HTTP_2, "http://shop/", &vec![("x", "1"); count]).map(drop);
    assert_eq!(with(100), Ok(()));
    assert_eq!(with(101), Err(RequestError::HeadTooLarge("more than 100 headers")));
    let crumbs = sanitized(Version::HTTP_2, "http://shop/", &[("cookie", "a=1"); 101]);
    assert!(crumbs.is_ok(), "a cookie in pieces is one header");
}
