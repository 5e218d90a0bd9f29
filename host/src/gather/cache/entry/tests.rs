use super::*;

const POLICY: CachePolicy = CachePolicy { default_lifetime: None, stale_while_revalidate: 0, stale_if_error: 0 };

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn head(status: u16, lines: &[(&'static str, &str)]) -> response::Parts {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(status).unwrap();
    parts.headers = headers(lines);
    parts
}

fn asked() -> Asked {
    Asked { at: Instant::now(), came: SystemTime::now() }
}

fn entry_with(policy: &CachePolicy, request: &[(&'static str, &str)], response: &response::Parts) -> Option<Entry> {
    Entry::of(&headers(request), response, b"body", policy, asked())
}

fn kept(request: &[(&'static str, &str)], status: u16, response: &[(&'static str, &str)]) -> bool {
    entry_with(&POLICY, request, &head(status, response)).is_some()
}

fn at(seconds: i64) -> String {
    let now = SystemTime::now();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    httpdate::fmt_http_date(if seconds < 0 { now - distance } else { now + distance })
}

#[test]
fn what_a_shared_cache_may_not_keep_is_not_kept() {
    let fresh = ("cache-control", "max-age=60");
    assert!(kept(&[], 200, &[fresh]));
    for value in ["no-store, max-age=60", "private, max-age=60", "Private=\"x\", max-age=60", "max-age=60, NO-STORE"] {
        assert!(!kept(&[], 200, &[("cache-control", value)]), "{value}");
    }
    assert!(!kept(&[("cache-control", "no-store")], 200, &[fresh]));
    assert!(!kept(&[], 200, &[fresh, ("set-cookie", "a=b")]));
    assert!(!kept(&[], 200, &[fresh, ("cache-control", "public"), ("set-cookie", "a=b")]));
    assert!(!kept(&[], 200, &[fresh, ("vary", "accept, *")]));
    assert!(!kept(&[], 206, &[fresh]));
    assert!(!kept(&[], 200, &[fresh, ("content-range", "bytes 0-1/2")]));
    for status in [100, 400, 401, 403, 429, 500, 502, 503] {
        assert!(!kept(&[], status, &[fresh]), "{status}");
    }
    assert!(kept(&[], 302, &[fresh]) && !kept(&[], 302, &[("etag", "\"a\"")]));
    assert!(kept(&[], 404, &[fresh]));
}

#[test]
fn what_was_asked_for_with_credentials_is_kept_only_if_its_service_says_so() {
    let credentials = [("authorization", "Bearer token")];
    let kept = |value| kept(&credentials, 200, &[("cache-control", value)]);
    assert!(!kept("max-age=60"));
    assert!(kept("max-age=60, public") && kept("max-age=60, must-revalidate") && kept("s-maxage=60"));
}

#[test]
fn a_response_without_a_lifetime_has_the_policys_or_is_not_kept() {
    let policy = CachePolicy { default_lifetime: Some(60_000), ..POLICY };
    let plain = head(200, &[]);
    assert!(entry_with(&POLICY, &[], &plain).is_none());
    assert_eq!(entry_with(&policy, &[], &plain).unwrap().usable(&policy), Use::Fresh);
    let short = head(200, &[("cache-control", "max-age=0")]);
    assert!(entry_with(&policy, &[], &short).is_none(), "what it says of itself counts");
}

#[test]
fn lifetimes_are_those_of_the_shared_cache_first() {
    let cases = [
        (vec![("cache-control", "max-age=0, s-maxage=60".to_owned())], true),
        (vec![("cache-control", "s-maxage=0, max-age=60".to_owned())], false),
        (vec![("cache-control", "max-age=60".to_owned()), ("expires", at(-60))], true),
        (vec![("expires", at(60))], true),
        (vec![("expires", at(-60))], false),
        (vec![("expires", "0".to_owned())], false),
        (vec![("expires", at(60)), ("date", at(120))], false),
        (vec![("cache-control", "max-age=60, no-cache".to_owned())], false),
        (vec![("cache-control", "max-age=60".to_owned()), ("age", "61".to_owned())], false),
        (vec![("cache-control", "max-age=60".to_owned()), ("date", at(-90))], false),
    ];
    for (lines, fresh) in cases {
        let mut lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
        lines.push(("etag", "\"a\""));
        let entry = entry_with(&POLICY, &[], &head(200, &lines)).unwrap();
        assert_eq!(entry.usable(&POLICY) == Use::Fresh, fresh, "{lines:?}");
    }
}

#[test]
fn the_age_goes_out_with_the_response() {
    let response = head(200, &[("cache-control", "max-age=60"), ("age", "7")]);
    let (head, body) = entry_with(&POLICY, &[], &response).unwrap().response();
    assert_eq!((head.headers["age"].to_str().unwrap(), &body[..]), ("7", &b"body"[..]));
}

#[test]
fn stale_responses_are_used_within_the_windows_of_policy_and_service() {
    let policy = CachePolicy { stale_while_revalidate: 10_000, stale_if_error: 60_000, ..POLICY };
    let stale = |value: &str, age: &str, policy: &CachePolicy| {
        let response = head(200, &[("cache-control", value), ("age", age), ("etag", "\"a\"")]);
        entry_with(policy, &[], &response).unwrap().usable(policy)
    };
    assert_eq!(stale("max-age=60", "65", &policy), Use::WhileRevalidating);
    assert_eq!(stale("max-age=60", "75", &policy), Use::Stale { if_error: true });
    assert_eq!(stale("max-age=60", "125", &policy), Use::Stale { if_error: false });
    assert_eq!(stale("max-age=60, stale-while-revalidate=30", "75", &POLICY), Use::WhileRevalidating);
    assert_eq!(stale("max-age=60, stale-if-error=30", "75", &POLICY), Use::Stale { if_error: true });
    for forbidden in
        ["max-age=60, must-revalidate", "max-age=60, Proxy-Revalidate", "max-age=60, no-cache", "s-maxage=60"]
    {
        assert_eq!(stale(forbidden, "65", &policy), Use::Stale { if_error: false }, "{forbidden}");
    }
    assert_eq!(stale("s-maxage=60, stale-while-revalidate=30", "65", &POLICY), Use::WhileRevalidating);
}

#[test]
fn a_response_answers_requests_that_agree_in_what_it_varies_by() {
    let response = head(200, &[("cache-control", "max-age=60"), ("vary", "Accept, x-tenant"), ("vary", "ACCEPT")]);
    let entry = entry_with(&POLICY, &[("accept", "text/html"), ("x-other", "1")], &response).unwrap();
    assert!(entry.answers(&headers(&[("accept", "text/html"), ("x-other", "2")])));
    assert!(!entry.answers(&headers(&[("accept", "text/html"), ("x-tenant", "a")])));
    assert!(!entry.answers(&headers(&[("accept", "text/html"), ("accept", "text/plain")])));
    assert!(!entry.answers(&headers(&[])));
}

#[test]
fn a_response_that_is_still_good_is_renewed_with_what_the_service_says_of_it_now() {
    let lines =
        [("cache-control", "max-age=1"), ("etag", "\"a\""), ("x-old", "1"), ("age", "9"), ("content-length", "4")];
    let entry = entry_with(&POLICY, &[], &head(200, &lines)).unwrap();
    let mut request = HeaderMap::new();
    assert!(entry.condition(&mut request));
    assert_eq!(request["if-none-match"], "\"a\"");
    let with = head(304, &[("cache-control", "max-age=60"), ("x-new", "1"), ("x-new", "2"), ("content-length", "0")]);
    let (head, renewed) = entry.renewed(&HeaderMap::new(), &with, &POLICY, asked());
    assert_eq!(head.status, 200);
    assert_eq!(
        (&head.headers["x-old"], &head.headers["content-length"]),
        (&"1".parse().unwrap(), &"4".parse().unwrap())
    );
    assert_eq!(head.headers.get_all("x-new").iter().count(), 2);
    assert_eq!(renewed.unwrap().usable(&POLICY), Use::Fresh);
    let (_, gone) =
        entry.renewed(&HeaderMap::new(), &super::tests::head(304, &[("cache-control", "no-store")]), &POLICY, asked());
    assert!(gone.is_none());
}

#[test]
fn a_response_without_a_validator_cannot_be_asked_after() {
    let entry = entry_with(&POLICY, &[], &head(200, &[("cache-control", "max-age=60")])).unwrap();
    assert!(!entry.condition(&mut HeaderMap::new()));
}

#[test]
fn what_is_kept_holds_no_buffer_of_the_connections_that_it_came_by() {
    let buffer = Bytes::from(vec![b'x'; 64 << 10]);
    let slice = || HeaderValue::from_maybe_shared(buffer.slice(..8)).unwrap();
    let mut request = HeaderMap::new();
    request.insert("x-tenant", slice());
    let mut response = head(200, &[("cache-control", "max-age=60"), ("vary", "x-tenant"), ("etag", "\"a\"")]);
    response.headers.insert("x-note", slice());
    response.extensions.insert(buffer.slice(8..16));
    let entry = Entry::of(&request, &response, &buffer.slice(16..32), &POLICY, asked()).unwrap();
    let mut with = head(304, &[]);
    with.headers.insert("x-news", slice());
    let (_, renewed) = entry.renewed(&request, &with, &POLICY, asked());
    drop((request, response, with));
    assert!(renewed.is_some() && entry.answers(&headers(&[("x-tenant", "xxxxxxxx")])));
    assert!(buffer.is_unique());
}

#[test]
fn a_response_that_is_too_large_is_not_kept() {
    let response = head(200, &[("cache-control", "max-age=60")]);
    let kept = |size: usize| Entry::of(&headers(&[]), &response, &vec![b'x'; size], &POLICY, asked()).is_some();
    assert!(kept(limits::CACHED_RESPONSE / 2) && !kept(limits::CACHED_RESPONSE));
}
