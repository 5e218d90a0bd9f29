//! What is kept is published again, as far as there is room.

use super::harness::{CHANNEL, Reaction, Receiver, event, orders, run, stats, subscription, until};
use crate::config::{FileSettings, StoreChoice, StoreSettings};
use crate::event::{Channels, Replay, Start, Stores, Until};
use crate::wasm::bindings::sluicegate::filter::types::Event;

/// What the channel's files may take, in bytes: some of what is published here fits twice.
const ROOM: u64 = 400 << 10;
/// The data of an event, in bytes.
const DATA: usize = 1 << 10;
/// Events that are published first.
const EVENTS: usize = 250;

#[tokio::test]
async fn a_replay_that_finds_no_room_says_how_much_it_has_done_and_where_to_go_on() {
    // One that never answers, so that nothing is done with and makes room.
    let (receiver, silent) =
        (Receiver::start(|_| Reaction::Answer(200)).await, Receiver::start(|_| Reaction::Silence).await);
    let directory = tempfile::tempdir().unwrap();
    let file = FileSettings { directory: directory.path().to_owned(), bytes: ROOM, age: None };
    let settings = StoreSettings { default: StoreChoice::File, file: Some(file), ..StoreSettings::default() };
    let (channels, dispatcher) = Channels::new(Stores::start(&settings).unwrap());
    channels.apply(orders(vec![subscription("one", &receiver.uri), subscription("other", &silent.uri)]));
    let _thread = run(dispatcher);
    for id in 0..EVENTS {
        let event = Event { data: Some(vec![b'x'; DATA]), ..event(&id.to_string()) };
        channels.publish(CHANNEL, event).await.unwrap();
    }
    until("delivered", || stats(&channels, 0).delivered == 250).await;
    let replay = |from: Start, to: Option<u64>| Replay {
        channel: CHANNEL.into(),
        subscription: None,
        from,
        until: Until { position: to, time: None },
        wanted: None,
    };
    let done = channels.replay(&replay(Start::Oldest, None)).await.unwrap();
    assert!(done.replayed > 0 && done.replayed < EVENTS, "{done:?}");
    assert!(done.failure.as_deref().is_some_and(|reason| reason.contains("bytes")), "{done:?}");
    let next = done.next.expect("there is more");
    let again = channels.replay(&replay(Start::Position(next), Some(done.end - 1))).await;
    assert!(again.is_err(), "there is as little room as before: {again:?}");
}
