//! Dead letters: kept, put back, dropped, bounded.

use super::harness::{CHANNEL, Direct, Reaction, Receiver, event, orders, run, running, stats, subscription, until};
use crate::config::limits::DEAD_LETTERS;
use crate::config::{FileSettings, StoreChoice, StoreSettings};
use crate::event::{Channels, Decide, Drained, PutBack, Selection, Stores, SubscriptionSpec};
use crate::wasm::bindings::sluicegate::filter::types::{
    CallError, CallResponse, Delivery, DeliveryDecision, Event, EventDecision,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Has much to say of why it gives every event up, and counts the bytes of it that would be logged.
#[derive(Default)]
struct Wordy {
    lines: AtomicUsize,
    bytes: AtomicUsize,
}

impl Decide for Wordy {
    fn on_event(&self, _: Event, _: Delivery) -> Result<EventDecision, String> {
        Ok(EventDecision::DeadLetter("it is\nlost ".repeat(100_000)))
    }

    fn on_delivered(
        &self,
        _: Event,
        _: Delivery,
        _: Result<CallResponse, CallError>,
    ) -> Result<DeliveryDecision, String> {
        Ok(DeliveryDecision::Ack)
    }

    fn may_log(&self, bytes: usize) -> bool {
        self.lines.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_max(bytes, Ordering::Relaxed);
        false
    }
}

fn in_files(directory: &Path) -> StoreSettings {
    let file = FileSettings { directory: directory.to_owned(), bytes: 1 << 20, age: None };
    StoreSettings { default: StoreChoice::File, file: Some(file), ..StoreSettings::default() }
}

/// A receiver that refuses until it is told to take.
async fn moody() -> (Receiver, Arc<AtomicBool>) {
    let takes = Arc::new(AtomicBool::new(false));
    let said = Arc::clone(&takes);
    let react = move |_| Reaction::Answer(if said.load(Ordering::Relaxed) { 200 } else { 400 });
    (Receiver::start(react).await, takes)
}

#[tokio::test]
async fn a_dead_letter_goes_back_to_its_subscription_alone() {
    let ((one, takes), other) = (moody().await, Receiver::start(|_| Reaction::Answer(200)).await);
    let channels = running(vec![subscription("one", &one.uri), subscription("other", &other.uri)]);
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("it is there", || channels.stats()[0].dead_letters == 1).await;
    takes.store(true, Ordering::Relaxed);
    let put_back = channels.replay_dead_letters(&Selection::default()).await;
    assert_eq!(put_back, PutBack { replayed: 1, refused: Vec::new() });
    until("delivered", || stats(&channels, 0).delivered == 1).await;
    assert_eq!((one.ids(), other.ids()), (vec!["1".to_owned(), "1".to_owned()], vec!["1".to_owned()]));
    assert_eq!(one.header(2, "ce-sluicegateto"), "", "the event is as it was published");
    until("nothing waits", || stats(&channels, 1).queued + stats(&channels, 1).in_flight == 0).await;
    let other = stats(&channels, 1);
    assert_eq!((channels.stats()[0].dead_letters, other.received, other.delivered), (0, 1, 1));
}

#[tokio::test]
async fn of_what_a_filter_says_and_a_client_names_only_the_beginning_is_kept_and_would_be_logged() {
    let (channels, dispatcher) = Channels::new(Stores::default());
    channels.apply(orders(vec![subscription("one", "http://127.0.0.1:1/")]));
    let wordy = Arc::new(Wordy::default());
    let decide: Arc<dyn Decide> = Arc::<Wordy>::clone(&wordy);
    dispatcher.spawn(decide, || Direct).unwrap();
    for id in ["1".to_owned(), "2".repeat(1 << 20)] {
        channels.publish(CHANNEL, event(&id)).await.unwrap();
    }
    until("both are there", || channels.stats()[0].dead_letters == 2).await;
    let reason = channels.dead_letters(&Selection::default())[0].letter.reason.clone();
    assert!(reason.starts_with("it islost it islost"), "{reason}");
    assert_eq!(reason.len(), 1_024);
    until("both would be said", || wordy.lines.load(Ordering::Relaxed) == 2).await;
    assert_eq!(wordy.bytes.load(Ordering::Relaxed), 2 * 1_024);
}

#[tokio::test]
async fn what_is_meant_is_dropped_and_nothing_else() {
    let (one, _) = moody().await;
    let channels = running(vec![subscription("one", &one.uri), subscription("other", &one.uri)]);
    for id in ["1", "2"] {
        channels.publish(CHANNEL, event(id)).await.unwrap();
    }
    until("they are there", || channels.stats()[0].dead_letters == 4).await;
    let of = |subscription: &str| Selection { subscription: Some(subscription.into()), ..Selection::default() };
    let other = |selection| Selection { reason: Some("something else".into()), ..selection };
    assert_eq!(channels.drop_dead_letters(&other(of("default/one"))), 0);
    let first = channels.dead_letters(&of("default/one"))[0].number;
    let one = Selection { channel: Some(CHANNEL.into()), numbers: vec![first], ..Selection::default() };
    assert_eq!((channels.drop_dead_letters(&one), channels.drop_dead_letters(&one)), (1, 0));
    assert_eq!(channels.drop_dead_letters(&of("default/other")), 2);
    assert_eq!(channels.dead_letters(&Selection::default()).len(), 1);
}

#[tokio::test]
async fn a_letter_whose_subscription_is_gone_stays_and_says_so() {
    let (one, _) = moody().await;
    let channels = running(vec![subscription("one", &one.uri)]);
    channels.publish(CHANNEL, event("1")).await.unwrap();
    until("it is there", || channels.stats()[0].dead_letters == 1).await;
    channels.apply(orders(vec![subscription("other", &one.uri)]));
    let put_back = channels.replay_dead_letters(&Selection::default()).await;
    assert!(put_back.replayed == 0 && put_back.refused[0].2.contains("no subscription default/one"), "{put_back:?}");
    assert_eq!(channels.dead_letters(&Selection::default()).len(), 1);
}

#[tokio::test]
async fn more_dead_letters_than_are_kept_drop_the_oldest_and_are_counted() {
    let (one, _) = moody().await;
    let channels = running(vec![subscription("one", &one.uri)]);
    for id in 0..DEAD_LETTERS + 5 {
        while channels.publish(CHANNEL, event(&id.to_string())).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    until("five were dropped", || channels.stats()[0].evicted == 5).await;
    assert_eq!(channels.stats()[0].dead_letters, DEAD_LETTERS);
}

#[tokio::test]
async fn an_event_that_cannot_even_be_kept_as_a_dead_letter_is_passed_by_none_of_its_key() {
    let (one, takes) = moody().await;
    let directory = tempfile::tempdir().unwrap();
    let (channels, dispatcher) = Channels::new(Stores::start(&in_files(directory.path())).unwrap());
    let ordered = SubscriptionSpec { ordering: crate::event::Ordering::Key, ..subscription("one", &one.uri) };
    channels.apply(orders(vec![ordered]));
    let letters = directory.path().join("default%2Forders%21dead-letters");
    // Without it no letter can be written.
    std::fs::remove_dir_all(&letters).unwrap();
    run(dispatcher);
    for id in ["1", "2"] {
        channels.publish(CHANNEL, event(id)).await.unwrap();
    }
    until("it is tried again", || one.count() == 2).await;
    assert_eq!(one.ids(), ["1", "1"]);
    takes.store(true, Ordering::Relaxed);
    until("both are delivered", || stats(&channels, 0).delivered == 2).await;
    assert_eq!(one.ids(), ["1", "1", "1", "2"]);
}

#[tokio::test]
async fn dead_letters_in_files_are_there_for_the_next_process_until_they_are_put_back() {
    let (one, takes) = moody().await;
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let (channels, dispatcher) = Channels::new(Stores::start(&in_files(directory.path())).unwrap());
        channels.apply(orders(vec![subscription("one", &one.uri)]));
        (channels, run(dispatcher))
    };
    let (channels, thread) = start();
    for id in ["1", "2"] {
        channels.publish(CHANNEL, event(id)).await.unwrap();
    }
    until("they are there", || channels.stats()[0].dead_letters == 2).await;
    let numbers: Vec<u64> = channels.dead_letters(&Selection::default()).iter().map(|one| one.number).collect();
    assert_eq!(channels.drain(Duration::from_secs(10)).await, Drained::default());
    until("the thread has ended", || thread.is_finished()).await;
    drop(channels);
    let (channels, _) = start();
    until("they are there again", || channels.stats()[0].dead_letters == 2).await;
    let again: Vec<u64> = channels.dead_letters(&Selection::default()).iter().map(|one| one.number).collect();
    assert_eq!(numbers, again, "a letter keeps its number");
    takes.store(true, Ordering::Relaxed);
    assert_eq!(channels.replay_dead_letters(&Selection::default()).await.replayed, 2);
    until("delivered", || stats(&channels, 0).delivered == 2).await;
    assert_eq!((one.count(), channels.stats()[0].dead_letters), (4, 0));
}
