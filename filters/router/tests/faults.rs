//! Requests that wait or fail because a rule says so.

mod support;

use sluicegate_sdk::testing::TestRequest;
use support::{answered, decide, forwarded, get, header, outcome, router, shop};

fn faulty(fault: &str) -> sluicegate_router::Router {
    router(&shop(&format!("- route: [{{destination: {{host: stock}}}}]\n  fault: {{{fault}}}")))
}

fn numbered(id: u32) -> TestRequest {
    get("/").attribute("request.id", &format!("{id:032x}"))
}

#[test]
fn a_request_waits_and_is_sent_then() {
    let router = faulty("delay: {fixedDelay: 1.5s, percentage: {value: 100}}");
    let forward = forwarded(&router, &get("/"));
    assert_eq!(forward.delay, Some(1500));
    let forward = forwarded(&faulty("delay: {fixedDelay: 1s, percent: 100}"), &get("/"));
    assert_eq!(forward.delay, Some(1000));
}

#[test]
fn a_fault_without_a_share_happens_to_no_request() {
    let forward = forwarded(&faulty("delay: {fixedDelay: 1s}, abort: {httpStatus: 500}"), &get("/"));
    assert_eq!(forward.delay, None);
    assert_eq!(outcome(&faulty("abort: {httpStatus: 500, percentage: {}}"), &get("/")), "stock");
}

#[test]
fn a_request_is_aborted_with_a_status_of_http() {
    let answer = answered(&faulty("abort: {httpStatus: 418, percentage: {value: 100}}"), &get("/"));
    assert_eq!((answer.status, answer.delay), (418, None));
    assert_eq!(answer.body, b"fault filter abort");
    assert_eq!(header(&answer, "content-type").as_deref(), Some("text/plain"));
    let empty = answered(&faulty("abort: {httpStatus: 204, percentage: {value: 100}}"), &get("/"));
    assert!(empty.body.is_empty() && empty.headers.is_empty());
}

#[test]
fn to_grpc_an_abort_is_a_status_in_the_headers() {
    let call = || TestRequest::post("/shop.Orders/Get").authority("shop").header("content-type", "application/grpc");
    for (abort, status) in [("grpcStatus: UNAVAILABLE", "14"), ("httpStatus: 404", "12"), ("httpStatus: 418", "2")] {
        let answer = answered(&faulty(&format!("abort: {{{abort}, percentage: {{value: 100}}}}")), &call());
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{abort}");
        assert_eq!(header(&answer, "content-type").as_deref(), Some("application/grpc"));
        assert_eq!(header(&answer, "grpc-status").as_deref(), Some(status), "{abort}");
    }
    let plain = answered(&faulty("abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}"), &get("/"));
    assert_eq!((plain.status, header(&plain, "grpc-status")), (503, None));
}

#[test]
fn an_aborted_request_waits_first_when_both_are_drawn() {
    let both =
        "delay: {fixedDelay: 20ms, percentage: {value: 100}}, abort: {httpStatus: 500, percentage: {value: 100}}";
    let answer = answered(&faulty(both), &get("/"));
    assert_eq!((answer.status, answer.delay), (500, Some(20)));
}

#[test]
fn delays_and_aborts_are_drawn_independently_and_always_alike() {
    let router =
        faulty("delay: {fixedDelay: 1s, percentage: {value: 50}}, abort: {httpStatus: 500, percentage: {value: 50}}");
    let (mut delayed, mut aborted, mut both) = (0, 0, 0);
    for id in 0..1000 {
        let decision = decide(&router, &numbered(id));
        assert_eq!(decision, decide(&router, &numbered(id)));
        let (delay, abort) = match decision {
            sluicegate_sdk::RequestDecision::Respond(answer) => (answer.delay.is_some(), true),
            sluicegate_sdk::RequestDecision::Forward(forward) => (forward.delay.is_some(), false),
            other => panic!("{other:?}"),
        };
        delayed += usize::from(delay);
        aborted += usize::from(abort);
        both += usize::from(delay && abort);
    }
    assert!((440..560).contains(&delayed) && (440..560).contains(&aborted), "{delayed} and {aborted}");
    assert!((190..310).contains(&both), "{both}");
}

#[test]
fn an_abort_has_the_response_headers_of_the_rule() {
    let rule = "- route: [{destination: {host: stock}, headers: {response: {add: {x-own: '<%RESP(content-type)%>'}}}}]
  headers: {response: {set: {x-rule: '1'}}}
  fault: {abort: {httpStatus: 500, percentage: {value: 100}}}";
    let answer = answered(&router(&shop(rule)), &get("/"));
    assert_eq!(header(&answer, "x-rule").as_deref(), Some("1"));
    assert_eq!(header(&answer, "x-own").as_deref(), Some("<text/plain>"));
}

#[test]
fn a_composition_can_be_aborted() {
    let rule = "- route: [{destination: {host: a}}, {destination: {host: b}}]
  fault: {abort: {httpStatus: 503, percentage: {value: 100}}}";
    assert_eq!(outcome(&router(&shop(rule)), &get("/")), "503");
}
