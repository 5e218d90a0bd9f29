//! What holds of every server, on one that does as the tests say.

use super::thread::Thread;
use super::{End, Place, RemoteStore, Server, name};
use crate::event::store::{Cursor, Log, Store, StoreError};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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

#[test]
fn names_hold_nothing_that_servers_read_and_differ() {
    assert_eq!(name("shop/orders"), "shop_2forders");
    assert_ne!(name("shop/a.b"), name("shop/a_2eb"));
    assert!(name("a.*>/ ä").bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
}
