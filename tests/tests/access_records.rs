//! Every request leaves exactly one access record, whatever became of it.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::Value;
use sluicegate_tests::{Behaviour, Options, Proxy, Request, Upstream, raw, wait_until};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// Records are written some tens of milliseconds after their request.
const WRITTEN: Duration = Duration::from_secs(5);

/// The records of a path.
fn records(proxy: &Proxy, path: &str) -> Vec<Value> {
    let log = proxy.log();
    let records = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.filter(|record| record["url.path"] == path).collect()
}

fn record(proxy: &Proxy, path: &str) -> Value {
    wait_until(WRITTEN, || !records(proxy, path).is_empty());
    let mut found = records(proxy, path);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[test]
fn an_answered_request_says_who_answered_it_and_how_long_it_took() {
    let shop = Upstream::start();
    let proxy = Proxy::start(Options::new().upstream("shop", shop.address()));
    assert_eq!(proxy.get("http://shop/answered?secret=1").status, 200);
    let record = record(&proxy, "/answered");
    assert_eq!(record["http.request.method"], "GET");
    assert_eq!(record["server.address"], "shop");
    assert_eq!(record["http.response.status_code"], 200);
    assert_eq!(record["sluicegate.upstream"], "shop.default.svc.cluster.local");
    assert_eq!(record["sluicegate.endpoint"], shop.address().to_string());
    assert_eq!(record["sluicegate.attempts"], 1);
    assert!(record["sluicegate.aborted"].is_null(), "{record:#}");
    assert!(record["sluicegate.duration"].as_f64() > Some(0.0), "{record:#}");
}

#[test]
fn a_client_that_leaves_before_the_answer_is_recorded_without_a_status() {
    let slow = Upstream::with(Behaviour::text("late").after(Duration::from_secs(5)));
    let proxy = Proxy::start(Options::new().upstream("shop", slow.address()));
    let mut client = TcpStream::connect(proxy.address()).expect("the proxy listens");
    client.write_all(b"GET /left HTTP/1.1\r\nhost: shop\r\n\r\n").expect("it can be written");
    wait_until(WRITTEN, || slow.arrived() == 1);
    drop(client);
    let record = record(&proxy, "/left");
    assert_eq!(record["http.response.status_code"], Value::Null, "{record:#}");
    assert_eq!(record["sluicegate.aborted"], true, "{record:#}");
    assert_eq!(record["sluicegate.endpoint"], slow.address().to_string(), "{record:#}");
}

#[test]
fn the_bytes_of_a_response_are_those_that_were_sent_which_are_none_for_head() {
    let shop = Upstream::start();
    let proxy = Proxy::start(Options::new().upstream("shop", shop.address()));
    for (host, status) in [("shop", 200), ("nobody", 404)] {
        let (get, head) = (format!("/{host}-get"), format!("/{host}-head"));
        let answer = proxy.get(&format!("http://{host}{get}"));
        assert_eq!(answer.status, status);
        assert_eq!(record(&proxy, &get)["http.response.body.size"], answer.body.len());
        let answer = proxy.send(Request::new("HEAD", &format!("http://{host}{head}")));
        assert_eq!((answer.status, answer.body.len()), (status, 0));
        let record = record(&proxy, &head);
        assert_eq!(record["http.response.body.size"], 0, "{record:#}");
        assert!(record["sluicegate.aborted"].is_null(), "{record:#}");
    }
}

#[test]
fn the_bytes_of_a_request_are_those_that_came_whoever_takes_them() {
    let shop = Upstream::with(Behaviour::Echo);
    let proxy = Proxy::start(Options::new().upstream("shop", shop.address()));
    assert_eq!(proxy.send(Request::post("http://shop/known", "hello")).status, 200);
    assert_eq!(record(&proxy, "/known")["http.request.body.size"], 5);
    let head = "POST /chunks HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let chunks = "3\r\none\r\n5\r\n, two\r\n0\r\n\r\n";
    assert!(raw(proxy.address(), format!("{head}{chunks}")).starts_with(b"HTTP/1.1 200"));
    assert_eq!(record(&proxy, "/chunks")["http.request.body.size"], 8);
    assert_eq!(proxy.get("http://shop/none").status, 200);
    assert_eq!(record(&proxy, "/none")["http.request.body.size"], 0);
}

#[test]
fn a_request_that_is_refused_or_fails_says_why() {
    let proxy = Proxy::start(Options::new().upstream("shop", "127.0.0.1:1".parse().expect("an address")));
    assert_eq!(proxy.get("http://nobody/unrouted").status, 404);
    assert_eq!(record(&proxy, "/unrouted")["error.type"], "no_route");
    assert_eq!(proxy.get("http://shop/dead").status, 503);
    let dead = record(&proxy, "/dead");
    assert_eq!(dead["sluicegate.error.side"], "upstream", "{dead:#}");
    assert_eq!(dead["sluicegate.upstream"], "shop.default.svc.cluster.local", "{dead:#}");
    assert_eq!(dead["sluicegate.endpoint"], "127.0.0.1:1", "{dead:#}");
    assert_eq!(dead["sluicegate.attempts"], 1, "{dead:#}");
}
