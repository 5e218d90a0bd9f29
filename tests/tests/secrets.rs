//! What clients, services and manifests keep secret does not turn up in the log, the access records or the admin's answers.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Behaviour, Client, Options, Protocol, Proxy, Request, Upstream, raw};
use std::time::Duration;

/// Everything secret holds this, and nothing else does.
const SECRET: &str = "hunter2";

/// The filter's own settings, with a secret in them.
const SETTINGS: &str = "
apiVersion: sluicegate.dev/v1alpha1
kind: Filter
metadata:
  name: headers
spec:
  settings:
    token: hunter2-of-the-filter
";

/// A request that holds secrets wherever it can.
fn request(host: &str) -> Request {
    let url = format!("http://{host}/account?token={SECRET}-of-the-query");
    Request::post(&url, format!("password={SECRET}-of-the-body"))
        .header("authorization", &format!("Bearer {SECRET}-of-the-header"))
        .header("cookie", &format!("session={SECRET}-of-the-cookie"))
        .header("x-api-key", &format!("{SECRET}-of-the-key"))
}

fn service() -> Upstream {
    let headers = vec![("set-cookie".to_owned(), format!("session={SECRET}-of-the-service"))];
    let body = format!("{SECRET}-of-the-answer").into();
    Upstream::with(Behaviour::Answer { status: 200, headers, body })
}

#[test]
fn nothing_secret_is_logged_or_shown() {
    let (shop, broken) = (service(), Upstream::with(Behaviour::Reset));
    let options = Options::new().filter("headers").manifest("filter.yaml", SETTINGS);
    let options = options.upstream("shop", shop.address()).upstream("broken", broken.address());
    let proxy = Proxy::start(options.argument("--log").argument("debug"));
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for (host, status) in [("shop", 200), ("broken", 503), ("nowhere", 404)] {
            let mut client = Client::connect_with(proxy.address(), protocol);
            assert_eq!(client.send(request(host)).expect("an answer").status, status, "{host}");
        }
    }
    raw(proxy.address(), format!("GET / HTTP/1.1\r\nHost: shop\r\nX-Key : {SECRET}-of-a-bad-line\r\n\r\n"));
    proxy.wait_for_log("nowhere", Duration::from_secs(5));
    assert!(shop.requests().iter().all(|request| request.target.contains(SECRET)), "the service gets everything");
    for shown in [proxy.log(), everything_of_the_admin(&proxy)] {
        let lines: Vec<&str> = shown.lines().filter(|line| line.contains(SECRET)).collect();
        assert!(lines.is_empty(), "{lines:#?}");
    }
}

fn everything_of_the_admin(proxy: &Proxy) -> String {
    let answers = ["/config", "/filters", "/metrics", "/readyz"].map(|path| proxy.ask_admin(path).text());
    assert!(answers[1].contains("headers"), "the filter is not shown: {answers:?}");
    answers.join("\n")
}
