//! Answers of services that are the answer of the whole.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use sluicegate_sdk::{Answer, Call, CallError};
use support::{composer, get, header, json, page, run, text, value, with};

#[test]
fn statuses_can_be_passed_on_with_their_answer() {
    let yaml = page("calls: {a: {service: a, path: /, passOn: [404, '401-403']}}");
    let trial = run(&composer(&yaml), &get("/products/7"), |_, _| {
        with(
            404,
            &[
                ("content-type", "text/plain"),
                ("server", "a"),
                ("retry-after", "3"),
                ("Cache-Control", "public, must-revalidate, max-age=9"),
                ("age", "4"),
                ("vary", "accept"),
                ("set-cookie", "a=1"),
            ],
            "no such product",
        )
    });
    let answer = trial.answer.expect("an answer");
    assert_eq!((answer.status, text(&answer).as_str()), (404, "no such product"));
    assert_eq!(header(&answer, "retry-after"), ["3"]);
    assert_eq!(header(&answer, "Cache-Control"), ["public, must-revalidate, max-age=9"]);
    assert_eq!((header(&answer, "age"), header(&answer, "vary")), (vec!["4".to_owned()], vec!["accept".to_owned()]));
    assert_eq!(header(&answer, "set-cookie"), ["a=1"]);
    assert!(header(&answer, "server").is_empty());
}

#[test]
fn the_body_of_what_is_passed_on_is_taken_in_like_a_good_one() {
    let yaml = page(
        "calls:
  a: {service: a, path: /, accept: [200], passOn: [404, '401-403']}
  each: {forEach: '{a.body}', service: b, path: '/{item}', passOn: [404], default: null}",
    );
    let trial = run(&composer(&yaml), &get("/products/7"), |name, _| match name {
        "a" => json(200, "[1]"),
        _ => json(404, "{}"),
    });
    let accepted = |call: &Call| call.accept.iter().map(|range| (range.first, range.last)).collect::<Vec<_>>();
    assert_eq!(accepted(&trial.plans[0].calls[0]), [(200, 200), (404, 404), (401, 403)]);
    assert_eq!(accepted(&trial.plans[1].calls[0]), [(200, 299)], "of an element's call nothing is passed on");
    assert_eq!(value(&trial.answer.expect("an answer"))["errors"]["each[0]"]["status"], 404);
}

#[test]
fn what_is_to_be_passed_on_and_breaks_is_a_failure() {
    let yaml = page("calls: {a: {service: a, path: /, passOn: [404]}}");
    let trial = run(&composer(&yaml), &get("/products/7"), |_, _| Err(CallError::TooLarge));
    assert_eq!(trial.answer.expect("an answer").status, 502);
}

/// What is passed on of a 404 whose path is made of an answer with these headers.
fn led_to(first: &[(&str, &str)]) -> Answer {
    let yaml = page(
        "calls:
  me: {service: me, path: /, headers: {x-session: '{request.header.x-session}'}}
  theme: {service: theme, path: '/{me.body.theme}', optional: true}
  cart: {service: cart, path: '/{me.body.cart}', passOn: [404]}",
    );
    let trial = run(&composer(&yaml), &get("/products/7"), |name, _| match name {
        "me" => with(200, first, "{\"cart\":3,\"theme\":1}"),
        "theme" => with(200, &[("set-cookie", "theme=1"), ("cache-control", "no-store"), ("vary", "x-theme")], "{}"),
        _ => {
            let headers = [("cache-control", "public, max-age=60"), ("vary", "Accept"), ("set-cookie", "cart=1")];
            with(404, &headers, "no cart")
        }
    });
    let answer = trial.answer.expect("an answer");
    assert_eq!((answer.status, text(&answer).as_str()), (404, "no cart"));
    answer
}

#[test]
fn what_is_passed_on_is_kept_as_the_strictest_of_those_that_led_to_it() {
    let kept = |cache: &str| header(&led_to(&[("cache-control", cache)]), "cache-control");
    assert_eq!(kept("private, no-store"), ["no-store"]);
    assert_eq!(kept("private, max-age=10"), ["private, max-age=10"]);
    assert_eq!(kept("max-age=100"), ["max-age=60"]);
    assert_eq!(header(&led_to(&[]), "cache-control"), ["no-store"], "nobody says that it may be kept");
}

#[test]
fn what_is_passed_on_depends_on_all_that_led_to_it_and_sets_every_cookie() {
    let answer = led_to(&[("vary", "cookie"), ("set-cookie", "me=1")]);
    assert_eq!(header(&answer, "vary"), ["accept, cookie, x-session"]);
    assert_eq!(header(&answer, "set-cookie"), ["me=1", "theme=1", "cart=1"]);
    assert_eq!(header(&led_to(&[("vary", "*")]), "vary"), ["*"]);
}

#[test]
fn a_failure_before_what_is_passed_on_keeps_caches_from_it() {
    let yaml = page(
        "calls:
  me: {service: me, path: /, optional: true}
  cart: {service: cart, path: /, passOn: [404], when: {failed: me}}",
    );
    let trial = run(&composer(&yaml), &get("/products/7"), |name, _| match name {
        "me" => json(500, "{}"),
        _ => with(404, &[("cache-control", "max-age=60")], "no cart"),
    });
    assert_eq!(header(&trial.answer.expect("an answer"), "cache-control"), ["no-store"]);
}
