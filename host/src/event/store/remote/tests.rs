//! What holds of every server, on one that does as the tests say.

use super::thread::Thread;
use super::{Arrival, End, Place, RemoteStore, Server, name};
use crate::event::store::{Cursor, Log, Store, StoreError};
use crate::event::tests::harness::event;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;

/// Is away for its first removals.
#[derive(Debug)]
struct Absent {
    thread: Thread,
    away_for: usize,
    asked: AtomicUsize,
    removed: Mutex<Vec<String>>,
}

impl Absent {
    fn start(away_for: usize) -> (Arc<Self>, RemoteStore<Self>) {
        let (thread, ()) = Thread::start("absent", std::future::ready(Ok(()))).unwrap();
        let server = Arc::new(Self { thread, away_for, asked: AtomicUsize::new(0), removed: Mutex::default() });
        (Arc::clone(&server), RemoteStore::new(server))
    }

    fn removed(&self) -> Vec<String> {
        self.removed.lock().unwrap().clone()
    }
}

impl Server for Absent {
    type Mark = u64;
    type Tag = u64;
    const NAME: &'static str = "absent server";

    fn thread(&self) -> &Thread {
        &self.thread
    }

    async fn is_reached(&self) -> bool {
        true
    }

    async fn publish(&self, _: &str, _: Vec<Arc<Event>>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn serve(&self, place: &Arc<Place<Self>>) -> Result<(), StoreError> {
        place.is_known(true);
        std::future::pending().await
    }

    async fn settle(&self, _: &Arc<Place<Self>>, _: u64, _: End) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remove(&self, _: &str, subscription: &str) -> Result<(), StoreError> {
        if self.asked.fetch_add(1, Ordering::Relaxed) < self.away_for {
            return Err(StoreError::Unavailable("away".to_owned()));
        }
        self.removed.lock().unwrap().push(subscription.to_owned());
        Ok(())
    }

    async fn keep_only(&self, _: &str, _: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Gives out one event whenever it is served from, and breaks the connection of a subscription that it removes.
#[derive(Debug)]
struct Tied {
    thread: Thread,
    heard: Mutex<Vec<&'static str>>,
    broken: Notify,
}

impl Tied {
    fn start() -> (Arc<Self>, RemoteStore<Self>) {
        let (thread, ()) = Thread::start("tied", std::future::ready(Ok(()))).unwrap();
        let server = Arc::new(Self { thread, heard: Mutex::default(), broken: Notify::new() });
        (Arc::clone(&server), RemoteStore::new(server))
    }

    fn hears(&self, what: &'static str) {
        self.heard.lock().unwrap().push(what);
    }

    fn heard(&self) -> Vec<&'static str> {
        self.heard.lock().unwrap().clone()
    }
}

impl Server for Tied {
    type Mark = u64;
    type Tag = u64;
    const NAME: &'static str = "tied server";
    const TIED: bool = true;

    fn thread(&self) -> &Thread {
        &self.thread
    }

    async fn is_reached(&self) -> bool {
        true
    }

    async fn publish(&self, _: &str, _: Vec<Arc<Event>>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn serve(&self, place: &Arc<Place<Self>>) -> Result<(), StoreError> {
        self.hears("serve");
        place.is_known(true);
        let since = SystemTime::now();
        place.put(Arrival { mark: Some(1), tag: 1, event: event("1"), since, again: false });
        self.broken.notified().await;
        Ok(())
    }

    async fn settle(&self, _: &Arc<Place<Self>>, _: u64, _: End) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remove(&self, _: &str, _: &str) -> Result<(), StoreError> {
        self.hears("remove");
        self.broken.notify_one();
        Ok(())
    }

    async fn keep_only(&self, _: &str, _: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn subscribe(store: &RemoteStore<Absent>) -> (Arc<dyn Log>, Arc<dyn Cursor>) {
    let log = store.open("shop/orders").unwrap();
    let cursor = log.subscribe("shop/stock").unwrap();
    (log, cursor)
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_removed_although_the_process_ends_and_the_server_is_away_for_a_moment() {
    let (server, store) = Absent::start(3);
    let (_log, cursor) = subscribe(&store);
    cursor.close();
    assert_eq!(server.removed(), Vec::<String>::new());
    store.close().await;
    assert_eq!(server.removed(), ["shop/stock"]);
}

#[tokio::test]
async fn a_server_that_stays_away_holds_the_end_up_for_no_longer_than_its_bound() {
    let (server, store) = Absent::start(usize::MAX);
    let (_log, cursor) = subscribe(&store);
    cursor.close();
    let begin = Instant::now();
    store.close().await;
    assert!(begin.elapsed() < super::REMOVALS + Duration::from_secs(2), "{:?}", begin.elapsed());
    assert!(server.asked.load(Ordering::Relaxed) > 1, "it was tried again");
}

#[tokio::test]
async fn a_subscription_that_is_back_before_it_was_removed_is_not_removed_any_more() {
    let (server, store) = Absent::start(1);
    let (log, cursor) = subscribe(&store);
    cursor.close();
    let _back = log.subscribe("shop/stock").unwrap();
    store.close().await;
    assert_eq!((server.removed(), server.asked.load(Ordering::Relaxed)), (Vec::new(), 1));
}

#[tokio::test]
async fn a_subscription_that_comes_back_with_its_channel_before_it_was_removed_is_not_removed_any_more() {
    let (server, store) = Absent::start(1);
    let (log, cursor) = subscribe(&store);
    cursor.close();
    drop((log, cursor));
    let _back = subscribe(&store);
    store.close().await;
    assert_eq!((server.removed(), server.asked.load(Ordering::Relaxed)), (Vec::new(), 1));
}

#[tokio::test]
async fn a_subscription_that_is_removed_while_it_delivers_is_not_made_anew() {
    let (server, store) = Tied::start();
    let cursor = store.open("shop/orders").unwrap().subscribe("shop/stock").unwrap();
    let taken = cursor.next().await.unwrap();
    cursor.close();
    // Longer than it takes to try again.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.heard(), ["serve", "remove"]);
    cursor.ack(taken.position);
    store.close().await;
    assert_eq!(server.heard(), ["serve", "remove"]);
}

#[tokio::test]
async fn a_subscription_that_is_left_to_the_next_process_is_not_taken_back_from_it() {
    let (server, store) = Tied::start();
    let cursor = store.open("shop/orders").unwrap().subscribe("shop/stock").unwrap();
    let taken = cursor.next().await.unwrap();
    cursor.stop();
    // As a broker does when the session goes to another connection.
    server.broken.notify_one();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.heard(), ["serve"]);
    cursor.ack(taken.position);
}

#[test]
fn names_hold_nothing_that_servers_read_and_differ() {
    assert_eq!(name("shop/orders"), "shop_2forders");
    assert_ne!(name("shop/a.b"), name("shop/a_2eb"));
    assert!(name("a.*>/ ä").bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
}
