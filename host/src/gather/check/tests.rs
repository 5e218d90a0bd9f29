use super::super::tests::{call, checked, group, plan};
use super::*;
use crate::wasm::types::{BodyUse, CachePolicy, Call, Destination, RetryPolicy, StatusRange};

fn grouped(groups: Vec<types::CallGroup>) -> types::Plan {
    types::Plan { groups, ..plan([call("a"), call("b"), call("c")]) }
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_told_why() {
    let with_header = |name: &str, value: &[u8]| Call {
        headers: vec![Header { name: name.into(), value: value.into() }],
        ..call("a")
    };
    let header = |number| Header { name: format!("x-{number}"), value: Vec::new() };
    let with_many_headers = Call { headers: (0..30_000).map(header).collect(), ..call("a") };
    let to = |host: &str| {
        let destination = Destination { host: host.into(), port: None, subset: None };
        Call { destination, ..call("a") }
    };
    let table = [
        (vec![], "no calls"),
        (vec![call("a"), call("a")], "two of its calls are named \"a\""),
        ((0..65).map(|number| call(&number.to_string())).collect(), "65 calls"),
        (vec![Call { method: "GE T".into(), ..call("a") }], "method \"GE T\""),
        (vec![Call { method: "CONNECT".into(), ..call("a") }], "method \"CONNECT\""),
        (vec![Call { path: "part".into(), ..call("a") }], "path \"part\""),
        (vec![Call { path: "/a b".into(), ..call("a") }], "path \"/a b\""),
        (vec![Call { path: "/\r\nx: y".into(), ..call("a") }], "path"),
        (vec![Call { path: "http://elsewhere/".into(), ..call("a") }], "path"),
        (vec![with_header("bad name", b"x")], "not a header name"),
        (vec![with_many_headers], "more headers than a message can have"),
        (vec![with_header("x", b"a\r\nb: c")], "control characters"),
        (vec![with_header("Transfer-Encoding", b"chunked")], "belongs to the host"),
        (vec![with_header("content-length", b"1")], "belongs to the host"),
        (vec![to("")], "not a host name"),
        (vec![to("a/b")], "not a host name"),
    ];
    for (calls, expected) in table {
        let error = checked(plan(calls)).unwrap_err();
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
    assert!(checked(plan([call("a"), call("b")])).is_ok());
}

#[test]
fn a_group_that_makes_no_sense_is_told_why() {
    let some = |enough| types::CallGroup { enough: Some(enough), ..group(&["a", "b"]) };
    let table = [
        (vec![group(&["d"])], "\"d\", which its plan does not have"),
        (vec![group(&["a"]), group(&["b", "a"])], "\"a\" is in a group twice"),
        (vec![group(&["a", "a"])], "\"a\" is in a group twice"),
        (vec![group(&[])], "no calls"),
        (vec![types::CallGroup { concurrency: Some(0), ..group(&["a"]) }], "lets no call run"),
        (vec![some(0)], "0 cannot be enough"),
        (vec![some(3)], "3 cannot be enough"),
    ];
    for (groups, expected) in table {
        let error = checked(grouped(groups)).unwrap_err();
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
}

#[test]
fn groups_are_sets_of_calls() {
    let some = types::CallGroup { concurrency: Some(9), enough: Some(1), required: true, ..group(&["c", "a"]) };
    let groups = checked(grouped(vec![some, group(&["b"])])).unwrap().groups;
    let expected = [
        Group { calls: 0b101, concurrency: 2, enough: Some(1), required: true },
        Group { calls: 0b010, concurrency: 1, enough: None, required: false },
    ];
    assert_eq!(groups, expected);
}

#[test]
fn statuses_and_cache_policies_that_make_no_sense_are_told() {
    let policy = CachePolicy { default_lifetime: None, stale_while_revalidate: 0, stale_if_error: 0 };
    let accept = vec![StatusRange { first: 300, last: 200 }];
    let table = [
        (Call { accept, ..call("a") }, "from 300 to 200"),
        (Call { cache: Some(policy), method: "POST".into(), ..call("a") }, "not a GET"),
        (Call { cache: Some(policy), body: Some(b"x".to_vec()), ..call("a") }, "not a GET"),
    ];
    for (call, expected) in table {
        let error = checked(plan([call])).unwrap_err();
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
}

#[test]
fn calls_that_ask_for_the_same_are_found() {
    let to = |name: &str, path: &str| Call {
        destination: Destination { host: "stock".into(), port: None, subset: None },
        path: path.into(),
        ..call(name)
    };
    let header = vec![Header { name: "accept".into(), value: b"text/html".to_vec() }];
    let calls = [
        to("a", "/1"),
        to("b", "/2"),
        to("c", "/1"),
        Call { headers: header, ..to("d", "/1") },
        Call { method: "HEAD".into(), ..to("e", "/1") },
        Call { body: Some(Vec::new()), ..to("f", "/1") },
        Call { body_use: BodyUse::Splice, ..to("g", "/1") },
        Call { deadline: Some(5), required: true, ..to("h", "/1") },
    ];
    let calls = checked(plan(calls)).unwrap().calls;
    let same: Vec<_> = calls.iter().map(|call| (call.same_as, call.shared)).collect();
    let alone = |place| (place, false);
    assert_eq!(same, [(0, true), alone(1), (0, true), alone(3), alone(4), alone(5), alone(6), (0, true)]);
}

#[test]
fn calls_that_take_a_response_in_otherwise_do_not_ask_for_the_same() {
    let to =
        |name: &str| Call { destination: Destination { host: "stock".into(), port: None, subset: None }, ..call(name) };
    let accept = vec![StatusRange { first: 200, last: 299 }];
    let retries = RetryPolicy {
        attempts: 1,
        conditions: Vec::new(),
        per_try_timeout: None,
        backoff: 1,
        ignore_previous_hosts: false,
    };
    let others = [
        Call { body_use: BodyUse::ReadJson, ..to("b") },
        Call { max_body: Some(1024), ..to("b") },
        Call { accept, ..to("b") },
        Call { retries: Some(retries), ..to("b") },
    ];
    for other in others {
        let again = Call { name: "c".into(), ..other.clone() };
        let calls = checked(plan([to("a"), other, again])).unwrap().calls;
        let same: Vec<_> = calls.iter().map(|call| (call.same_as, call.shared)).collect();
        assert_eq!(same, [(0, false), (1, true), (1, true)], "{:?}", calls[1]);
    }
}
