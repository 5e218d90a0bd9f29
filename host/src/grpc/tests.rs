use super::*;
use http_body_util::BodyExt;

fn headers(name: &'static str, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
}

#[test]
fn a_call_is_known_by_its_content_type() {
    let types = [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("application/grpc;charset=utf-8", true),
        ("application/grpc-web", false),
        ("application/json", false),
    ];
    for (content_type, is) in types {
        assert_eq!(Call::of(&Method::POST, &headers("content-type", content_type)).is_some(), is, "{content_type}");
    }
    assert_eq!(Call::of(&Method::GET, &headers("content-type", "application/grpc")), None);
}

#[test]
fn a_timeout_is_read_in_every_unit_and_nothing_else_is() {
    let table = [
        ("1H", Some(Duration::from_hours(1))),
        ("2M", Some(Duration::from_mins(2))),
        ("3S", Some(Duration::from_secs(3))),
        ("99999999m", Some(Duration::from_millis(99_999_999))),
        ("5u", Some(Duration::from_micros(5))),
        ("6n", Some(Duration::from_nanos(6))),
        ("999999999S", None),
        ("S", None),
        ("+1S", None),
        ("1s", None),
        ("1.5S", None),
        ("", None),
    ];
    for (text, expected) in table {
        assert_eq!(timeout(&headers("grpc-timeout", text)), expected, "{text}");
    }
}

#[test]
fn a_failed_call_is_told_in_one_head() {
    let table = [
        (RequestError::Deadline { milliseconds: 5 }, "4"),
        (RequestError::NoRoute { authority: "a".into() }, "12"),
        (RequestError::Reset { endpoint: "a".into() }, "14"),
        (RequestError::BodyTooLarge { limit: 1 }, "8"),
        (RequestError::BadRequest("x"), "13"),
    ];
    for (failed, code) in table {
        let response = error(&failed);
        assert_eq!((response.status().as_u16(), response.body().is_end_stream()), (200, true));
        assert_eq!(response.headers()["grpc-status"], code, "{failed}");
        assert_eq!(response.headers()["content-type"], "application/grpc");
    }
}

#[test]
fn a_message_is_encoded() {
    assert_eq!(answer(Code::Unknown, "100% wröng\n").headers()["grpc-message"], "100%25 wr%C3%B6ng");
    assert!(!answer(Code::Unknown, "").headers().contains_key("grpc-message"));
}

#[test]
fn the_shorter_of_two_limits_counts() {
    let (long, short) = (Duration::from_secs(9), Duration::from_secs(1));
    let call = |timeout| Call { timeout };
    assert_eq!(call(Some(long)).limit(Some(short)), Some(short));
    assert_eq!(call(Some(short)).limit(Some(long)), Some(short));
    assert_eq!((call(None).limit(Some(long)), call(Some(long)).limit(None)), (Some(long), Some(long)));
    assert_eq!(call(None).limit(None), None);
}

#[test]
fn a_client_hurries_that_gives_less_time_than_the_operator() {
    let call = |timeout| Call { timeout };
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(2));
    assert!(call(Some(short)).hurries(Some(long)));
    assert!(!call(Some(long)).hurries(Some(long)));
    assert!(call(Some(limits::UPSTREAM_FIRST_BYTE / 2)).hurries(None));
    assert!(!call(Some(limits::UPSTREAM_FIRST_BYTE)).hurries(None));
    assert!(!call(None).hurries(None));
}

#[test]
fn a_policys_refusal_keeps_its_headers_and_gets_a_code() {
    let denied = Response::builder().status(403).header("x-why", "no").header("content-type", "text/plain");
    let refused = refusal(denied.body(ProxyBody::full("denied")).unwrap());
    assert_eq!((refused.status().as_u16(), &refused.headers()["grpc-status"]), (200, &HeaderValue::from_static("7")));
    assert_eq!((&refused.headers()["x-why"], refused.headers().len()), (&HeaderValue::from_static("no"), 4));
    let own = Response::builder().header("grpc-status", "5").body(ProxyBody::empty()).unwrap();
    assert_eq!(refusal(own).headers()["grpc-status"], "5");
}

#[tokio::test(start_paused = true)]
async fn a_response_that_outlasts_its_call_ends_with_the_code_for_it() {
    let silent = futures_util::stream::pending::<Result<Frame<Bytes>, BodyError>>();
    let body = ProxyBody::stream(http_body_util::StreamBody::new(silent));
    let started = Instant::now();
    let mut body = until(started + Duration::from_secs(2), body);
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "4");
    assert_eq!(started.elapsed().as_secs(), 2);
    assert!(body.frame().await.is_none());
}
