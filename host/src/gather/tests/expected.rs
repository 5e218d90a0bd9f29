//! Answers that a filter knows before its calls are made.

use super::*;
use crate::wasm::types::{Assembly, BodyPart, BodyValue, Expectation};

fn json(name: &str) -> Call {
    let accept = vec![StatusRange { first: 200, last: 299 }];
    Call { body_use: BodyUse::SpliceJson, accept, ..call(name) }
}

/// An answer of the body of `a`, with whatever else.
fn expecting(calls: Vec<Call>) -> types::Plan {
    let body = vec![BodyPart::BodyOf("a".into()), BodyPart::Bytes(b"!".to_vec())];
    let answer = Assembly { status: 200, headers: Vec::new(), body };
    let expected = Some(Expectation { answer, unless_headers: vec!["Set-Cookie".into(), "vary".into()] });
    types::Plan { expected, ..plan(calls) }
}

#[tokio::test]
async fn what_is_expected_is_given_only_when_every_call_is_good_and_has_nothing_unexpected() {
    let of = |head: &str, body: &str| format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let table = [
        (of("200 OK", "{}"), true),
        (of("201 Created\r\ncontent-type: application/json", "{}"), true),
        (of("200 OK\r\nset-cookie: a=b", "{}"), false),
        (of("200 OK\r\nVary: accept", "{}"), false),
        (of("200 OK", "{"), false),
        (of("500 Internal Server Error", "{}"), false),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), false),
    ];
    for (response, expected) in table {
        let (a, b) = (
            Upstream::answering(OK_JSON).await,
            Upstream::start({
                let response = response.clone();
                move |mut socket, _| {
                    let response = response.clone();
                    async move {
                        socket.head().await;
                        socket.send(&response).await;
                        socket.rest().await;
                    }
                }
            })
            .await,
        );
        let registry = registry([("a", vec![a.address]), ("b", vec![b.address])]);
        let gathered = gather(&registry, expecting(vec![json("a"), json("b")])).await;
        assert_eq!(gathered.expected.is_some(), expected, "{response}");
        assert_eq!(gathered.outcomes.len(), if expected { 0 } else { 2 }, "{response}");
        assert!(gathered.reports.iter().any(|report| report.end == CallEnd::Good(200)), "{response}");
    }
}

const OK_JSON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

#[tokio::test]
async fn what_is_expected_is_put_together_of_the_bodies_that_stayed() {
    let a = Upstream::answering(OK_JSON).await;
    let registry = registry([("a", vec![a.address])]);
    let gathered = gather(&registry, expecting(vec![json("a")])).await;
    let mut bodies = Bodies::default();
    gathered.bodies.into_iter().for_each(|(name, body)| bodies.keep(name, body));
    let expected = *gathered.expected.unwrap();
    let answer = put_together(expected.head, expected.body, &mut bodies, |_| ()).unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect_up_to(100).await.unwrap(), "{}!");
}

/// An answer of values within the body of `a`.
fn picking(paths: &[&[&str]]) -> types::Plan {
    let value = |path: &&[&str]| {
        let path = path.iter().map(ToString::to_string).collect();
        [BodyPart::ValueOf(BodyValue { call: "a".into(), path }), BodyPart::Bytes(b";".to_vec())]
    };
    let answer = Assembly { status: 200, headers: Vec::new(), body: paths.iter().flat_map(value).collect() };
    let expected = Some(Expectation { answer, unless_headers: Vec::new() });
    types::Plan { expected, ..plan([Call { body_use: BodyUse::ReadJson, ..call("a") }]) }
}

#[tokio::test]
async fn values_are_expected_within_bodies_that_are_read_and_one_that_is_missing_makes_another_answer() {
    let body = " {\"id\": 7, \"of\": {\"list\": [1, 2]}, \"id\": 8}\n";
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let table: [(&[&[&str]], Option<&str>); 4] = [
        (&[&["of", "list"], &["id"]], Some("[1, 2];8;")),
        (&[&[]], Some("{\"id\": 7, \"of\": {\"list\": [1, 2]}, \"id\": 8};")),
        (&[&["id"], &["of", "no"]], None),
        (&[&["id", "of"]], None),
    ];
    for (paths, expected) in table {
        let a = Upstream::start({
            let response = response.clone();
            move |mut socket: Socket, _| {
                let response = response.clone();
                async move {
                    socket.head().await;
                    socket.send(&response).await;
                    socket.rest().await;
                }
            }
        })
        .await;
        let gathered = gather(&registry([("a", vec![a.address])]), picking(paths)).await;
        let Some(answer) = gathered.expected else {
            assert_eq!(expected, None, "{paths:?}");
            assert_eq!(gathered.outcomes[0].response.as_ref().unwrap().body, body.as_bytes());
            continue;
        };
        let answer = put_together(answer.head, answer.body, &mut Bodies::default(), |_| ()).unwrap();
        assert_eq!(answer.into_body().collect_up_to(100).await.unwrap(), expected.unwrap(), "{paths:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_given_is_not_expected() {
    let mut unchecked = picking(&[&["id"]]);
    unchecked.calls[0].body_use = BodyUse::Read;
    assert!(checked(unchecked).unwrap_err().contains("the value \"id\" of \"a\", which it does not hold"));
    let read = Call { body_use: BodyUse::Read, ..call("a") };
    assert!(checked(expecting(vec![read])).unwrap_err().contains("\"a\", which it does not hold"));
    assert!(checked(expecting(vec![json("b")])).unwrap_err().contains("\"a\", which it does not hold"));
    let mut twice = expecting(vec![json("a")]);
    twice.expected.as_mut().unwrap().answer.body.push(BodyPart::BodyOf("a".into()));
    assert!(checked(twice).is_err());
    let mut status = expecting(vec![json("a")]);
    status.expected.as_mut().unwrap().answer.status = 101;
    assert!(checked(status).unwrap_err().contains("status 101"));
    let mut name = expecting(vec![json("a")]);
    name.expected.as_mut().unwrap().unless_headers.push("no name".into());
    assert!(checked(name).unwrap_err().contains("not a header name"));
}
