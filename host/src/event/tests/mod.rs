//! Deliveries to real receivers.

mod files;
pub(super) mod harness;
mod letters;
mod replaying;

use super::store::memory::QUEUE_LENGTH;
use super::{Backoff, Channels, Drained, Opener, PublishError, Selection, Stores};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use harness::{CHANNEL, Reaction, Receiver, channel, event, orders, run, running, stats, subscription, until};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn every_subscription_gets_every_event() {
    let (one, two) =
        (Receiver::start(|_| Reaction::Answer(202)).await, Receiver::start(|_| Reaction::Answer(204)).await);
    let channels = running(vec![subscription("one", &one.uri), subscription("two", &two.uri)]);
    for id in ["1", "2", "3"] {
        channels.publish(CHANNEL, event(id)).await.unwrap();
    }
    until("three deliveries each", || (0..2).all(|n| stats(&channels, n).delivered == 3)).await;
    for receiver in [one, two] {
        let mut ids = receiver.ids();
        ids.sort();
        assert_eq!(ids, ["1", "2", "3"]);
    }
}

#[tokio::test]
async fn a_silent_subscriber_holds_no_other() {
    let (silent, quick) =
        (Receiver::start(|_| Reaction::Silence).await, Receiver::start(|_| Reaction::Answer(200)).await);
    let channels = running(vec![subscription("silent", &silent.uri), subscription("quick", &quick.uri)]);
    for n in 0..100 {
        channels.publish(CHANNEL, event(&n.to_string())).await.unwrap();
    }
    until("the quick one has all", || stats(&channels, 1).delivered == 100).await;
    let silent = stats(&channels, 0);
    assert_eq!((silent.delivered, silent.in_flight, silent.queued), (0, 16, 84));
}

#[tokio::test]
async fn three_failures_and_three_retries_make_four_attempts() {
    let receiver = Receiver::start(|n| Reaction::Answer(if n <= 3 { 503 } else { 200 })).await;
    let mut spec = subscription("flaky", &receiver.uri);
    spec.retry = 3;
    let channels = running(vec![spec]);
    let begin = Instant::now();
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("delivered", || stats(&channels, 0).delivered == 1).await;
    assert_eq!((receiver.count(), stats(&channels, 0).retried), (4, 3));
    assert_eq!([1, 2, 3, 4].map(|n| receiver.header(n, "attempt")), ["1", "2", "3", "4"]);
    assert!(begin.elapsed() >= Duration::from_millis(10 + 20 + 30), "the waits are linear: {:?}", begin.elapsed());
}

#[tokio::test]
async fn exhausted_retries_end_at_the_dead_letter_sink() {
    let (broken, sink) =
        (Receiver::start(|_| Reaction::Answer(500)).await, Receiver::start(|_| Reaction::Answer(200)).await);
    let mut spec = subscription("broken", &broken.uri);
    (spec.retry, spec.dead_letter_sink) = (3, Some(sink.uri.clone()));
    let channels = running(vec![spec]);
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("dead-lettered", || stats(&channels, 0).dead_lettered == 1).await;
    assert_eq!((broken.count(), sink.count()), (4, 1));
    assert_eq!(sink.header(1, "ce-id"), "1");
    assert_eq!(sink.header(1, "ce-knativeerrordest"), broken.uri);
    assert_eq!(sink.header(1, "ce-knativeerrorcode"), "500");
    assert_eq!(BASE64_STANDARD.decode(sink.header(1, "ce-knativeerrordata")).unwrap(), b"said the receiver");
}

#[tokio::test]
async fn a_refusal_goes_to_the_dead_letter_sink_at_once() {
    let (refusing, sink) = (
        Receiver::start(|_| Reaction::Answer(400)).await,
        Receiver::start(|n| Reaction::Answer(if n == 1 { 503 } else { 200 })).await,
    );
    let mut spec = subscription("refusing", &refusing.uri);
    (spec.retry, spec.dead_letter_sink) = (3, Some(sink.uri.clone()));
    let channels = running(vec![spec]);
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("dead-lettered", || stats(&channels, 0).dead_lettered == 1).await;
    assert_eq!((refusing.count(), sink.count()), (1, 2), "the sink has the same retries");
    assert_eq!(sink.header(2, "ce-knativeerrorcode"), "400");
}

#[tokio::test]
async fn an_event_that_nobody_takes_is_kept_with_the_dead_letters() {
    let refusing = Receiver::start(|_| Reaction::Answer(400)).await;
    let mut sinking = subscription("sinking", &refusing.uri);
    sinking.dead_letter_sink = Some(refusing.uri.clone());
    let channels = running(vec![subscription("bare", &refusing.uri), sinking]);
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("kept", || (0..2).all(|n| stats(&channels, n).kept == 1)).await;
    assert_eq!(refusing.count(), 3);
    until("both are there", || channels.stats()[0].dead_letters == 2).await;
    let letters = channels.dead_letters(&Selection::default());
    let of = |name: &str| letters.iter().map(|one| &one.letter).find(|one| one.subscription == name).unwrap();
    let (bare, sinking) = (of("default/bare"), of("default/sinking"));
    assert_eq!((bare.reason.as_str(), bare.status, bare.tries), ("refused", Some(400), 1));
    assert_eq!((bare.event.id.as_str(), sinking.event.extensions.len()), ("1", 0));
}

#[tokio::test]
async fn no_connection_and_no_answer_are_retried_and_reported_as_500() {
    let sink = Receiver::start(|_| Reaction::Answer(200)).await;
    let silent = Receiver::start(|_| Reaction::Silence).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut refused = subscription("refused", &format!("http://{closed}/"));
    (refused.retry, refused.dead_letter_sink) = (1, Some(sink.uri.clone()));
    let mut late = subscription("late", &silent.uri);
    (late.retry, late.dead_letter_sink, late.timeout) = (1, Some(sink.uri.clone()), Duration::from_millis(300));
    let channels = running(vec![refused, late]);
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("both dead-lettered", || (0..2).all(|n| stats(&channels, n).dead_lettered == 1)).await;
    assert_eq!(silent.count(), 2);
    let mut reasons = [1, 2].map(|n| {
        assert_eq!(sink.header(n, "ce-knativeerrorcode"), "500");
        String::from_utf8(BASE64_STANDARD.decode(sink.header(n, "ce-knativeerrordata")).unwrap()).unwrap()
    });
    reasons.sort();
    assert_eq!(reasons, ["no answer in time", "no connection could be made"]);
}

#[tokio::test]
async fn a_reply_goes_where_replies_go() {
    let (subscriber, receiver) =
        (Receiver::start(|_| Reaction::Reply("answer")).await, Receiver::start(|_| Reaction::Answer(202)).await);
    let mut spec = subscription("replying", &subscriber.uri);
    spec.reply = Some(receiver.uri.clone());
    let channels = running(vec![spec]);
    channels.publish(CHANNEL, event("question")).await.unwrap();
    until("delivered", || stats(&channels, 0).delivered == 1).await;
    assert_eq!((subscriber.ids(), receiver.ids()), (vec!["question".to_owned()], vec!["answer".to_owned()]));
    assert!(receiver.header(1, "ce-time").ends_with('Z'), "a reply without time is stamped");
}

#[tokio::test]
async fn a_reply_that_does_not_arrive_repeats_the_whole_delivery() {
    let subscriber = Receiver::start(|_| Reaction::Reply("answer")).await;
    let receiver = Receiver::start(|n| Reaction::Answer(if n == 1 { 503 } else { 200 })).await;
    let mut spec = subscription("replying", &subscriber.uri);
    (spec.reply, spec.retry) = (Some(receiver.uri.clone()), 1);
    let channels = running(vec![spec]);
    channels.publish(CHANNEL, event("question")).await.unwrap();
    until("delivered", || stats(&channels, 0).delivered == 1).await;
    assert_eq!((subscriber.count(), receiver.count()), (2, 2));
}

#[tokio::test]
async fn a_reply_that_is_refused_sends_the_original_to_the_dead_letter_sink() {
    let subscriber = Receiver::start(|_| Reaction::Reply("answer")).await;
    let refusing = Receiver::start(|_| Reaction::Answer(400)).await;
    let sink = Receiver::start(|_| Reaction::Answer(200)).await;
    let mut spec = subscription("replying", &subscriber.uri);
    (spec.reply, spec.dead_letter_sink) = (Some(refusing.uri.clone()), Some(sink.uri.clone()));
    let channels = running(vec![spec]);
    channels.publish(CHANNEL, event("question")).await.unwrap();
    until("dead-lettered", || stats(&channels, 0).dead_lettered == 1).await;
    assert_eq!((sink.header(1, "ce-id"), sink.header(1, "ce-knativeerrordest")), ("question".into(), refusing.uri));
}

#[tokio::test]
async fn without_a_subscriber_events_go_straight_to_reply() {
    let receiver = Receiver::start(|_| Reaction::Answer(202)).await;
    let mut spec = subscription("passing", "");
    (spec.subscriber, spec.reply) = (None, Some(receiver.uri.clone()));
    let channels = running(vec![spec]);
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("delivered", || stats(&channels, 0).delivered == 1).await;
    assert_eq!(receiver.ids(), ["1"]);
}

#[tokio::test]
async fn what_is_delivered_to_another_channel_stays_in_the_process() {
    let receiver = Receiver::start(|_| Reaction::Reply("answer")).await;
    let (channels, dispatcher) = Channels::new(Stores::default());
    let mut answering = subscription("answering", &receiver.uri);
    answering.reply = Some("http://answers-kn-channel.default.svc/".into());
    channels
        .apply(vec![channel("answers", vec![subscription("kept", &receiver.uri)]), channel("orders", vec![answering])]);
    let thread = run(dispatcher);
    channels.publish(CHANNEL, event("question")).await.unwrap();
    assert_eq!(channels.drain(LONG).await, Drained::default(), "a drain waits for what goes from channel to channel");
    assert_eq!(receiver.ids(), ["question", "answer"]);
    until("the thread has ended", || thread.is_finished()).await;
}

#[tokio::test]
async fn retry_after_is_heeded_up_to_its_maximum() {
    let busy = Receiver::start(|n| if n == 1 { Reaction::RetryAfter(429, 60) } else { Reaction::Answer(200) }).await;
    let mut heeding = subscription("heeding", &busy.uri);
    heeding.retry = 1;
    heeding.backoff = Backoff { retry_after_max: Some(Duration::from_millis(400)), ..heeding.backoff };
    let channels = running(vec![heeding]);
    let begin = Instant::now();
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("delivered", || stats(&channels, 0).delivered == 1).await;
    assert!(begin.elapsed() >= Duration::from_millis(400), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_failing_filter_is_retried_and_then_dead_lettered_and_its_ack_sends_nothing() {
    let (receiver, sink) =
        (Receiver::start(|_| Reaction::Answer(200)).await, Receiver::start(|_| Reaction::Answer(200)).await);
    let mut spec = subscription("one", &receiver.uri);
    (spec.retry, spec.dead_letter_sink) = (2, Some(sink.uri.clone()));
    let channels = running(vec![spec]);
    let typed =
        |name: &str| crate::wasm::bindings::sluicegate::filter::types::Event { type_: name.into(), ..event(name) };
    channels.publish(CHANNEL, typed("broken")).await.unwrap();
    channels.publish(CHANNEL, typed("skip")).await.unwrap();
    until("both done", || stats(&channels, 0).dead_lettered == 1 && stats(&channels, 0).filtered == 1).await;
    assert_eq!((receiver.count(), stats(&channels, 0).retried, sink.count()), (0, 2, 1));
}

#[tokio::test]
async fn a_full_queue_refuses_the_event_for_all_subscriptions() {
    // No dispatcher runs, so nothing leaves the queues.
    let (channels, _dispatcher) = Channels::new(Stores::default());
    channels.apply(orders(vec![subscription("old", "http://127.0.0.1:1/")]));
    for n in 0..QUEUE_LENGTH {
        channels.publish(CHANNEL, event(&n.to_string())).await.unwrap();
    }
    channels
        .apply(orders(vec![subscription("new", "http://127.0.0.1:1/"), subscription("old", "http://127.0.0.1:1/")]));
    let error = channels.publish(CHANNEL, event("more")).await.unwrap_err();
    assert_eq!(
        error,
        PublishError::Full {
            channel: CHANNEL.into(),
            reason: format!("{QUEUE_LENGTH} events wait for subscription default/old")
        }
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!((stats(&channels, 0).queued, stats(&channels, 1).queued), (0, QUEUE_LENGTH));
    assert_eq!(channels.stats()[0].refused, 1);
    channels.apply(orders(vec![subscription("new", "http://127.0.0.1:1/")]));
    for n in 0..QUEUE_LENGTH {
        channels
            .publish(CHANNEL, event(&n.to_string()))
            .await
            .expect("the place kept for the refused event was given back");
    }
}

#[tokio::test]
async fn a_batch_is_taken_as_a_whole_or_not_at_all() {
    let (channels, _dispatcher) = Channels::new(Stores::default());
    channels.apply(orders(vec![subscription("one", "http://127.0.0.1:1/")]));
    let batch = |channel: &str| crate::wasm::bindings::sluicegate::filter::types::Publication {
        channel: channel.into(),
        event: event("1"),
    };
    assert!(channels.publish_all(vec![batch(CHANNEL), batch("default/other")]).await.is_err());
    assert_eq!(stats(&channels, 0).queued, 0);
    channels.publish_all(vec![batch(CHANNEL), batch(CHANNEL)]).await.unwrap();
    assert_eq!(stats(&channels, 0).queued, 2);
}

#[tokio::test]
async fn what_is_no_event_or_has_no_channel_is_refused() {
    let (channels, _dispatcher) = Channels::new(Stores::default());
    channels.apply(orders(Vec::new()));
    assert!(matches!(channels.publish("default/none", event("1")).await, Err(PublishError::UnknownChannel { .. })));
    let error = channels.publish(CHANNEL, event("")).await.unwrap_err();
    assert_eq!(error.to_string(), "the event for channel default/orders is not valid: its attribute \"id\" is empty");
    channels.publish(CHANNEL, event("1")).await.expect("no subscription is no reason to refuse");
    let stats = &channels.stats()[0];
    assert_eq!((stats.received, stats.unsubscribed), (1, 1));
}

#[tokio::test]
async fn a_reload_keeps_the_queues_of_what_stays_and_drops_the_others() {
    let receiver = Receiver::start(|_| Reaction::Answer(200)).await;
    let (channels, dispatcher) = Channels::new(Stores::default());
    channels
        .apply(orders(vec![subscription("stays", "http://127.0.0.1:1/"), subscription("goes", "http://127.0.0.1:1/")]));
    for n in 0..5 {
        channels.publish(CHANNEL, event(&n.to_string())).await.unwrap();
    }
    // The one that stays also moves; what is queued goes to the new place.
    channels.apply(orders(vec![subscription("stays", &receiver.uri)]));
    assert_eq!(channels.stats()[0].subscriptions.len(), 1);
    assert_eq!((stats(&channels, 0).queued, channels.stats()[0].received), (5, 5));
    run(dispatcher);
    until("all delivered", || stats(&channels, 0).delivered == 5).await;
}

#[tokio::test]
async fn a_reload_lets_what_is_in_flight_finish() {
    let slow = Receiver::start(|n| if n == 1 { Reaction::Answer(503) } else { Reaction::Answer(200) }).await;
    let mut spec = subscription("slow", &slow.uri);
    spec.retry = 1;
    spec.backoff.growth = Some((super::Policy::Linear, Duration::from_millis(200)));
    let channels = running(vec![spec.clone()]);
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("the first try", || slow.count() == 1).await;
    channels.apply(orders(vec![spec, subscription("new", &slow.uri)]));
    until("the second try", || stats(&channels, 0).delivered == 1).await;
    channels.publish(CHANNEL, event("2")).await.unwrap();
    until("the new one is served", || stats(&channels, 1).delivered == 1).await;
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_not_retried() {
    let failing = Receiver::start(|_| Reaction::Answer(503)).await;
    let mut spec = subscription("gone", &failing.uri);
    spec.retry = 100;
    spec.backoff.growth = Some((super::Policy::Linear, LONG));
    let (channels, dispatcher) = Channels::new(Stores::default());
    channels.apply(orders(vec![spec]));
    let thread = run(dispatcher);
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("the first try", || failing.count() == 1).await;
    channels.apply(Vec::new());
    assert_eq!(channels.drain(LONG).await, Drained::default());
    until("the thread has ended", || thread.is_finished()).await;
    assert_eq!(failing.count(), 1);
}

#[tokio::test]
async fn a_drain_delivers_what_there_is_and_takes_no_more() {
    let receiver = Receiver::start(|_| Reaction::Answer(200)).await;
    let (channels, dispatcher) = Channels::new(Stores::default());
    channels.apply(orders(vec![subscription("one", &receiver.uri)]));
    for n in 0..50 {
        channels.publish(CHANNEL, event(&n.to_string())).await.unwrap();
    }
    let thread = run(dispatcher);
    assert_eq!(channels.drain(LONG).await, Drained::default());
    assert_eq!((receiver.count(), stats(&channels, 0).delivered), (50, 50));
    assert!(matches!(channels.publish(CHANNEL, event("late")).await, Err(PublishError::Draining { .. })));
    until("the thread has ended", || thread.is_finished()).await;
}

#[tokio::test]
async fn a_drain_ends_in_time_and_says_what_was_left() {
    let silent = Receiver::start(|_| Reaction::Silence).await;
    let (channels, dispatcher) = Channels::new(Stores::default());
    channels.apply(orders(vec![subscription("silent", &silent.uri)]));
    let thread = run(dispatcher);
    for n in 0..20 {
        channels.publish(CHANNEL, event(&n.to_string())).await.unwrap();
    }
    until("the slots are taken", || stats(&channels, 0).in_flight == 16).await;
    let begin = Instant::now();
    assert_eq!(channels.drain(Duration::from_millis(100)).await, Drained { queued: 4, in_flight: 16 });
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    until("the thread has ended", || thread.is_finished()).await;
}

#[tokio::test]
async fn events_of_one_key_are_delivered_one_after_the_other_through_their_retries() {
    let receiver = Receiver::start(|n| Reaction::Answer(if n % 3 == 1 { 503 } else { 200 })).await;
    let mut spec = subscription("ordered", &receiver.uri);
    (spec.retry, spec.ordering) = (100, super::Ordering::Key);
    let channels = running(vec![spec]);
    for n in 0..20 {
        channels.publish(CHANNEL, event(&n.to_string())).await.unwrap();
    }
    until("all delivered", || stats(&channels, 0).delivered == 20).await;
    let mut ids = receiver.ids();
    assert!(ids.len() > 20, "some were tried again");
    ids.dedup();
    assert_eq!(ids, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_subscription_has_as_many_deliveries_at_a_time_as_it_asks_for() {
    let silent = Receiver::start(|_| Reaction::Silence).await;
    let mut spec = subscription("narrow", &silent.uri);
    spec.concurrency = 3;
    let channels = running(vec![spec]);
    for n in 0..10 {
        channels.publish(CHANNEL, event(&n.to_string())).await.unwrap();
    }
    until("three are under way", || silent.count() == 3).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let stats = stats(&channels, 0);
    assert_eq!((silent.count(), stats.in_flight, stats.queued), (3, 3, 7));
    assert!(stats.oldest.is_some_and(|oldest| oldest >= Duration::from_millis(50)));
}

#[tokio::test]
async fn a_drain_leaves_what_files_hold_to_the_next_process() {
    let (down, up) =
        (Receiver::start(|_| Reaction::Answer(503)).await, Receiver::start(|_| Reaction::Answer(200)).await);
    let directory = tempfile::tempdir().unwrap();
    let start = |subscriber: &str| {
        let file = crate::config::FileSettings { directory: directory.path().to_owned(), bytes: 1 << 20, age: None };
        let settings = crate::config::StoreSettings {
            default: crate::config::StoreChoice::File,
            file: Some(file),
            ..crate::config::StoreSettings::default()
        };
        let (channels, dispatcher) = Channels::new(Stores::start(&settings).unwrap());
        let mut spec = subscription("stock", subscriber);
        (spec.retry, spec.backoff.growth) = (100, Some((super::Policy::Linear, LONG)));
        channels.apply(orders(vec![spec]));
        (channels, run(dispatcher))
    };
    let (channels, thread) = start(&down.uri);
    for n in 0..3 {
        channels.publish(CHANNEL, event(&n.to_string())).await.unwrap();
    }
    until("the first tries", || down.count() == 3).await;
    let begin = Instant::now();
    assert_eq!(channels.drain(LONG).await, Drained::default());
    assert!(begin.elapsed() < Duration::from_secs(10), "it does not wait for the next tries: {:?}", begin.elapsed());
    until("the thread has ended", || thread.is_finished()).await;
    drop(channels);
    let (channels, _) = start(&up.uri);
    until("all delivered", || stats(&channels, 0).delivered == 3).await;
    assert_eq!(stats(&channels, 0).redelivered, 3);
}

fn typed(kind: &str, subject: Option<&str>) -> crate::wasm::bindings::sluicegate::filter::types::Event {
    crate::wasm::bindings::sluicegate::filter::types::Event {
        type_: kind.into(),
        subject: subject.map(str::to_owned),
        ..event(kind)
    }
}

#[tokio::test]
async fn events_in_place_of_one_go_into_a_channel_or_where_replies_go() {
    let receiver = Receiver::start(|_| Reaction::Answer(200)).await;
    let mut spec = subscription("splitting", "http://127.0.0.1:1/");
    spec.reply = Some(receiver.uri.clone());
    let (channels, dispatcher) = Channels::new(Stores::default());
    channels.apply(vec![channel("parts", vec![subscription("part", &receiver.uri)]), channel("orders", vec![spec])]);
    run(dispatcher);
    channels.publish(CHANNEL, typed("twice", Some("default/parts"))).await.unwrap();
    until("the parts are there", || receiver.count() == 2).await;
    channels.publish(CHANNEL, typed("twice", None)).await.unwrap();
    until("the replies are there", || receiver.count() == 4).await;
    let mut ids = receiver.ids();
    ids.sort();
    assert_eq!(ids, ["first", "first", "second", "second"]);
}

#[tokio::test]
async fn events_for_a_channel_that_is_not_there_are_dead_lettered() {
    let sink = Receiver::start(|_| Reaction::Answer(200)).await;
    let mut spec = subscription("splitting", "http://127.0.0.1:1/");
    spec.dead_letter_sink = Some(sink.uri.clone());
    spec.retry = 1;
    let channels = running(vec![spec]);
    channels.publish(CHANNEL, typed("twice", Some("default/none"))).await.unwrap();
    // The sink's own delivery asks the filter too, which emits again: nothing takes it.
    until("kept", || stats(&channels, 0).kept == 1).await;
    assert!(stats(&channels, 0).retried >= 1, "an unknown channel may come with the next reload");
}

#[tokio::test]
async fn a_filter_can_ask_for_another_try_without_sending() {
    let receiver = Receiver::start(|_| Reaction::Answer(200)).await;
    let mut spec = subscription("later", &receiver.uri);
    spec.retry = 1;
    let channels = running(vec![spec]);
    channels.publish(CHANNEL, typed("later", None)).await.unwrap();
    until("delivered", || stats(&channels, 0).delivered == 1).await;
    assert_eq!((receiver.count(), receiver.header(1, "attempt").as_str()), (1, "2"));
}

#[tokio::test]
async fn an_event_brings_the_answer_of_the_request_that_waits_for_it() {
    let channels = running(vec![subscription("answering", "http://127.0.0.1:1/")]);
    let opener = Opener { filter: &"bridge".into(), most: 1 };
    let _opened = channels.replies.open(opener, "answer", LONG, Duration::ZERO).unwrap();
    channels.publish(CHANNEL, typed("answer", None)).await.unwrap();
    let waited = channels.replies.wait("answer", LONG).await;
    assert!(matches!(waited, super::Waited::Answered(answer) if answer.body == b"so it is"));
}

#[tokio::test]
async fn a_filter_chooses_method_and_path_of_a_delivery() {
    let receiver = Receiver::start(|_| Reaction::Answer(200)).await;
    let channels = running(vec![subscription("items", &receiver.uri)]);
    channels.publish(CHANNEL, typed("put", None)).await.unwrap();
    until("delivered", || stats(&channels, 0).delivered == 1).await;
    assert_eq!(receiver.lines(), ["PUT /items/1?x=2"]);
}
