//! Events on their way to one subscription in memory, with a clock that runs ahead as soon as all wait for it.
//!
//! Three bytes set the subscription: how many retries, how many deliveries at a time, and whether it is ordered by key
//! and has a dead letter sink. Each byte after them is an event: its key, how often it fails, and how it ends then.
//!
//! - Each event ends as a plain loop over its tries says, after exactly as many tries, at the sink as well; none is lost
//!   and none counted twice.
//! - Never are more deliveries under way than may be; those of one key come in the order in which they were published,
//!   one after the other.

mod plan;
mod receiver;

use plan::{End, Planned, Setup};
use receiver::{Asking, Receiver, Script};
use sluicegate::event::{
    Backoff, ChannelSpec, Channels, Ordering, Policy, Selection, Stores, SubscriptionSpec, SubscriptionStats,
};
use sluicegate::wasm::types::{Attribute, Event};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// Events of one input; a subscription in memory holds many more.
const EVENTS: usize = 40;
const CHANNEL: &str = "shop/orders";
pub(crate) const SUBSCRIBER: &str = "http://subscriber/";
pub(crate) const SINK: &str = "http://sink/";

/// Runs the target, on a runtime whose clock `paused` has stopped: only those who test have such a runtime.
pub fn run(bytes: &[u8], paused: fn(&mut Builder) -> &mut Builder) {
    let Some((head, events)) = bytes.split_first_chunk::<3>() else { return };
    let setup = Setup::of(*head);
    let events: Vec<Planned> = events.iter().take(EVENTS).map(|byte| Planned::of(*byte)).collect();
    let runtime = paused(Builder::new_current_thread().enable_time()).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("there is no runtime: {error}"));
    LocalSet::new().block_on(&runtime, deliver(setup, events));
}

async fn deliver(setup: Setup, events: Vec<Planned>) {
    let (channels, dispatcher) = Channels::new(Stores::default());
    let address = "orders-kn-channel.shop.svc".to_owned();
    channels.apply(vec![ChannelSpec { name: CHANNEL.into(), address, store: None, subscriptions: vec![spec(setup)] }]);
    let receiver = Rc::new(Receiver::new(setup));
    let running = dispatcher.without_jitter().run(Arc::new(Script), Asking(Rc::clone(&receiver)));
    let running = tokio::task::spawn_local(running);
    for (number, planned) in events.iter().enumerate() {
        let published = channels.publish(CHANNEL, event(number, *planned)).await;
        assert_eq!(published, Ok(()), "event {number}");
        if planned.pauses() {
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }
    let stats = settled(&channels, events.len()).await;
    check(setup, &events, &stats, &receiver, &channels);
    channels.drain(Duration::from_secs(1)).await;
    running.await.unwrap_or_else(|error| panic!("the dispatcher broke off: {error}"));
}

/// The figures once every event has ended, which each does in bounded time.
async fn settled(channels: &Channels, published: usize) -> SubscriptionStats {
    for _ in 0..10_000 {
        let stats = channels.stats().remove(0).subscriptions.remove(0);
        if stats.queued == 0 && stats.in_flight == 0 {
            return stats;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("{published} events are not delivered: {:?}", channels.stats());
}

fn check(setup: Setup, events: &[Planned], stats: &SubscriptionStats, receiver: &Receiver, channels: &Channels) {
    let ends: Vec<_> = events.iter().map(|planned| planned.end(setup)).collect();
    let count = |end| u64::try_from(ends.iter().filter(|found| found.end == end).count()).unwrap_or(u64::MAX);
    let counted = [stats.delivered, stats.filtered, stats.dead_lettered, stats.kept, stats.dropped];
    let expected = [End::Delivered, End::Filtered, End::DeadLettered, End::Kept].map(count);
    assert_eq!(counted, [expected[0], expected[1], expected[2], expected[3], 0], "{setup:?} {events:?}");
    assert_eq!(u64::try_from(events.len()), Ok(stats.received));
    assert_eq!(stats.retried, ends.iter().map(|end| end.retried).sum::<u64>(), "{setup:?} {events:?}");
    let letters = channels.dead_letters(&Selection::default());
    assert_eq!(u64::try_from(letters.len()), Ok(expected[3]), "{setup:?} {events:?}");
    for (number, end) in ends.iter().enumerate() {
        assert_eq!(receiver.asked(number), (end.tries, end.at_sink), "event {number}: {setup:?} {events:?}");
    }
    receiver.check_order(events);
}

fn spec(setup: Setup) -> SubscriptionSpec {
    SubscriptionSpec {
        name: "shop/stock".into(),
        subscriber: Some(SUBSCRIBER.into()),
        reply: None,
        dead_letter_sink: setup.sink.then(|| SINK.to_owned()),
        retry: setup.retries,
        backoff: Backoff { growth: Some((Policy::Exponential, Duration::from_millis(20))), ..Backoff::default() },
        timeout: Duration::from_secs(5),
        format: None,
        concurrency: setup.concurrency,
        ordering: if setup.ordered { Ordering::Key } else { Ordering::None },
    }
}

fn event(number: usize, planned: Planned) -> Event {
    let extensions = vec![Attribute { name: "partitionkey".into(), value: planned.key().to_string() }];
    let data = Some(vec![planned.byte()]);
    Event { extensions, data, ..Event::new(number.to_string(), "/shop", "order.placed") }
}
