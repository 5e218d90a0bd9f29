#![allow(clippy::redundant_closure_for_method_calls, reason = "a method of one lifetime is not general enough here")]

use super::*;
use crate::wasm::FailureKind;
use crate::wasm::bindings::exports::sluicegate::filter::connection_filter::ConnectionDecision;
use crate::wasm::grant::{Scope, WrittenGrants};
use crate::wasm::types::{
    Answer, Assembly, Attribute, BodyPart, BodyUse, Call, Continuation, CorrelatedAnswer, DeliveryRequest, Destination,
    Emission, Event, Expectation, Header, Inheritance, Mirror, Plan, Publication, Publish, ReplyWait, StreamFormat,
    SubscriptionStream,
};

const SCOPE: Scope<'static> = Scope { namespace: "default", cluster_domain: "cluster.local" };

/// One service, one channel and small numbers.
fn grants() -> Grants {
    let written = WrittenGrants {
        forward: vec!["shop".into()],
        call: vec!["inventory-*".into()],
        publish: vec!["orders".into()],
    };
    Grants::of(&written, SCOPE)
}

fn checked<T>(decision: &T, check: impl Fn(Allowed<'_>, &T) -> Result<(), Failure>) -> Option<Bound> {
    let bounds =
        Bounds { edits: 2, edit_bytes: 20, calls: 2, mirrors: 1, publications: 2, headers: 2, ..Bounds::default() };
    let failure = check(Allowed { grants: &grants(), bounds: &bounds }, decision).err()?;
    let kind = if matches!(failure.bound, Some(Bound::Forward | Bound::Call | Bound::Publish)) {
        FailureKind::Denied
    } else {
        FailureKind::Limit
    };
    assert_eq!(failure.kind, kind, "{failure}");
    failure.bound
}

fn request(decision: &RequestDecision) -> Option<Bound> {
    checked(decision, |allowed, decision| allowed.request(decision))
}

fn to(host: &str) -> Destination {
    Destination { host: host.into(), port: Some(80), subset: None }
}

fn next(edits: Vec<RequestEdit>) -> RequestDecision {
    RequestDecision::Next(Continuation { edits, response_edits: Vec::new() })
}

fn forward(host: &str, mirrors: &[&str]) -> Forward {
    let mirrors = mirrors.iter().map(|host| Mirror { destination: to(host), authority: None }).collect();
    Forward {
        destination: to(host),
        edits: Vec::new(),
        response_edits: Vec::new(),
        timeout: None,
        retries: None,
        delay: None,
        mirrors,
    }
}

fn call(host: &str) -> Call {
    Call {
        name: host.into(),
        destination: to(host),
        method: "GET".into(),
        path: "/".into(),
        headers: Vec::new(),
        inherits: Inheritance::None,
        body: None,
        deadline: None,
        required: true,
        max_body: None,
        accept: Vec::new(),
        retries: None,
        body_use: BodyUse::Read,
        cache: None,
    }
}

fn gather(hosts: &[&str]) -> RequestDecision {
    let calls = hosts.iter().map(|host| call(host)).collect();
    RequestDecision::Gather(Plan {
        calls,
        groups: Vec::new(),
        deadline: None,
        state: Vec::new(),
        response_edits: Vec::new(),
        expected: None,
    })
}

fn event() -> Event {
    Event::new("1", "/", "a")
}

fn publish(channels: &[&str]) -> RequestDecision {
    let publication = |channel: &&str| Publication { channel: (*channel).into(), event: event() };
    let answer = Answer { status: 202, headers: Vec::new(), body: Vec::new(), delay: None };
    let publications = channels.iter().map(publication).collect();
    let acknowledge = crate::wasm::types::Acknowledgement::Stored;
    RequestDecision::Publish(Publish { publications, body_as_data: None, acknowledge, answer, reply: None })
}

fn set(name: &str, value: &str) -> HeaderEdit {
    HeaderEdit::Set(Header { name: name.into(), value: value.into() })
}

#[test]
fn every_place_a_decision_names_has_to_be_granted() {
    assert_eq!(request(&RequestDecision::Forward(forward("shop", &["shop"]))), None);
    assert_eq!(request(&RequestDecision::Forward(forward("inventory-eu", &[]))), Some(Bound::Forward));
    assert_eq!(request(&RequestDecision::Forward(forward("shop", &["elsewhere"]))), Some(Bound::Forward), "a copy");
    assert_eq!(request(&gather(&["inventory-eu"])), None);
    assert_eq!(request(&gather(&["inventory-eu", "shop"])), Some(Bound::Call));
    assert_eq!(request(&publish(&["default/orders"])), None);
    assert_eq!(request(&publish(&["default/orders", "default/payments"])), Some(Bound::Publish));
    let connection = |host| ConnectionDecision::Forward(to(host));
    let connected = |host| checked(&connection(host), |allowed, decision| allowed.connection(decision));
    assert_eq!((connected("shop"), connected("elsewhere")), (None, Some(Bound::Forward)));
}

#[test]
fn an_authority_that_would_send_the_request_elsewhere_has_to_be_granted() {
    let authority = |name: &str| next(vec![RequestEdit::Authority(name.into())]);
    assert_eq!((request(&authority("shop:8080")), request(&authority("shop"))), (None, None));
    assert_eq!(request(&authority("elsewhere:80")), Some(Bound::Forward));
    let mut named = forward("shop", &[]);
    named.edits = vec![RequestEdit::Authority("shop.example.com".into())];
    assert_eq!(request(&RequestDecision::Forward(named)), None, "what a granted service is called is no destination");
}

#[test]
fn an_event_goes_where_replies_go_or_into_a_granted_channel() {
    let emit = |channel: Option<&str>, count: usize| {
        let emission = Emission { channel: channel.map(str::to_owned), events: vec![event(); count] };
        checked(&EventDecision::Emit(emission), |allowed, decision| allowed.event(decision))
    };
    assert_eq!((emit(None, 2), emit(Some("default/orders"), 1)), (None, None));
    assert_eq!(emit(Some("default/payments"), 1), Some(Bound::Publish));
    assert_eq!(emit(None, 3), Some(Bound::Publications));
    let replies = DeliveryDecision::Emit(vec![event(); 3]);
    assert_eq!(checked(&replies, |allowed, decision| allowed.delivered(decision)), Some(Bound::Publications));
}

#[test]
fn edits_are_counted_both_ways_and_by_their_bytes() {
    let attribute = RequestEdit::Attribute(Attribute { name: "a".into(), value: "b".into() });
    let header = |value: &str| RequestEdit::Header(set("x-a", value));
    assert_eq!(request(&next(vec![header("1"), attribute.clone()])), None);
    assert_eq!(request(&next(vec![header("1"), attribute, header("2")])), Some(Bound::Edits));
    assert_eq!(request(&next(vec![header("12345678901234567")])), None);
    assert_eq!(request(&next(vec![header("123456789012345678")])), Some(Bound::EditBytes));
    let both = Continuation { edits: vec![header("1")], response_edits: vec![set("x-b", "2"), set("x-c", "3")] };
    assert_eq!(request(&RequestDecision::Next(both)), Some(Bound::Edits));
    let response = ResponseDecision::Next(vec![set("x-a", "1"), set("x-b", "2"), set("x-c", "3")]);
    assert_eq!(checked(&response, |allowed, decision| allowed.response(decision)), Some(Bound::Edits));
}

#[test]
fn calls_copies_and_events_of_one_decision_are_counted() {
    assert_eq!(request(&gather(&["inventory-a", "inventory-b", "inventory-c"])), Some(Bound::Calls));
    assert_eq!(request(&RequestDecision::Forward(forward("shop", &["shop", "shop"]))), Some(Bound::Mirrors));
    assert_eq!(request(&publish(&["default/orders"; 3])), Some(Bound::Publications));
}

fn headers(count: usize) -> Vec<Header> {
    vec![Header { name: "x-a".into(), value: Vec::new() }; count]
}

fn answer(count: usize) -> Answer {
    Answer { status: 200, headers: headers(count), body: Vec::new(), delay: None }
}

#[test]
fn headers_of_answers_and_calls_are_counted_wherever_they_are() {
    let assembly = |count| Assembly { status: 200, headers: headers(count), body: Vec::new() };
    let gathering = |change: &dyn Fn(&mut Plan)| {
        let RequestDecision::Gather(mut plan) = gather(&["inventory-eu"]) else { unreachable!("it gathers") };
        change(&mut plan);
        RequestDecision::Gather(plan)
    };
    let publishing = |change: &dyn Fn(&mut Publish)| {
        let RequestDecision::Publish(mut publish) = publish(&["default/orders"]) else { unreachable!("it publishes") };
        change(&mut publish);
        RequestDecision::Publish(publish)
    };
    let decided = |count| {
        let wait = || ReplyWait { key: "1".into(), timeout: 1, keep: 0, pending: answer(count) };
        let expected = || Expectation { answer: assembly(count), unless_headers: Vec::new() };
        [
            RequestDecision::Respond(answer(count)),
            RequestDecision::Assemble(assembly(count)),
            gathering(&|plan| plan.calls[0].headers = headers(count)),
            gathering(&|plan| plan.expected = Some(expected())),
            publishing(&|publish| publish.answer = answer(count)),
            publishing(&|publish| publish.reply = Some(wait())),
        ]
        .map(|decision| request(&decision))
    };
    assert_eq!((decided(2), decided(3)), ([None; 6], [Some(Bound::Headers); 6]));
    let response = |count| checked(&ResponseDecision::Respond(answer(count)), |allowed, one| allowed.response(one));
    let delivery = |count| DeliveryRequest { method: None, path: None, headers: headers(count), body: Vec::new() };
    let answered = |count| CorrelatedAnswer { key: "1".into(), answer: answer(count) };
    let event = |decision: &EventDecision| checked(decision, |allowed, decision| allowed.event(decision));
    let others = |count| {
        let (deliver, answer) = (EventDecision::Deliver(delivery(count)), EventDecision::Answer(answered(count)));
        [response(count), event(&deliver), event(&answer)]
    };
    assert_eq!((others(2), others(3)), ([None; 3], [Some(Bound::Headers); 3]));
}

#[test]
fn what_is_held_once_a_request_is_answered_is_small() {
    let waiting = |channels: &[&str], key: usize| {
        let RequestDecision::Publish(publish) = publish(channels) else { unreachable!("it publishes") };
        let reply = ReplyWait { key: "k".repeat(key), timeout: 0, keep: 3_600_000, pending: answer(0) };
        request(&RequestDecision::Publish(Publish { reply: Some(reply), ..publish }))
    };
    assert_eq!(waiting(&["default/orders"], limits::REPLY_KEY), None);
    assert_eq!(waiting(&["default/orders"], limits::REPLY_KEY + 1), Some(Bound::ReplyKey));
    assert_eq!(waiting(&[], limits::REPLY_KEY + 1), None, "who only asks leaves nothing");
    let listening = |count: usize, bytes: usize| {
        let attribute = |_| Attribute { name: "a".into(), value: "v".repeat(bytes - 1) };
        request(&RequestDecision::Subscribe(SubscriptionStream {
            channel: "default/orders".into(),
            format: StreamFormat::ServerSent,
            attributes: (0..count).map(attribute).collect(),
            after: None,
            response_edits: Vec::new(),
        }))
    };
    let (most, bytes) = (limits::LISTENER_ATTRIBUTES, limits::LISTENER_ATTRIBUTE_BYTES);
    assert_eq!((listening(most, bytes / most), listening(1, bytes)), (None, None));
    assert_eq!(listening(most + 1, 1), Some(Bound::StreamAttributes));
    assert_eq!(listening(1, bytes + 1), Some(Bound::StreamAttributeBytes));
}

#[test]
fn the_pieces_of_an_answer_are_counted() {
    let of = |count: usize| {
        let body = (0..count).map(|_| BodyPart::Bytes(Vec::new())).collect();
        Assembly { status: 200, headers: Vec::new(), body }
    };
    let expecting = |count: usize| {
        let RequestDecision::Gather(plan) = gather(&["inventory-a"]) else { panic!("a plan") };
        let expected = Some(Expectation { answer: of(count), unless_headers: Vec::new() });
        RequestDecision::Gather(Plan { expected, ..plan })
    };
    assert_eq!(request(&RequestDecision::Assemble(of(limits::ANSWER_PARTS))), None);
    assert_eq!(request(&RequestDecision::Assemble(of(limits::ANSWER_PARTS + 1))), Some(Bound::Parts));
    assert_eq!(request(&expecting(limits::ANSWER_PARTS)), None);
    assert_eq!(request(&expecting(limits::ANSWER_PARTS + 1)), Some(Bound::Parts));
}

#[test]
fn a_refusal_says_which_setting_changes_it_and_quotes_no_endless_name() {
    let failure = Allowed { grants: &grants(), bounds: &Bounds::default() };
    let failure = failure.request(&RequestDecision::Forward(forward(&"é".repeat(1000), &[]))).unwrap_err();
    assert!(failure.message.contains("`forward` of `grants`") && failure.message.len() < 500, "{failure}");
    assert!(Failure::over(Bound::Edits, 3, 2).message.contains("`limits.edits`"));
}
