//! The log as publishers and subscriptions see it, through crashes and full disks.

mod keeping;

use super::*;
use crate::event::store::{Cursor, Taken};
use crate::event::tests::harness::event;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CHANNEL: &str = "shop/orders";

struct Files {
    directory: TempDir,
    bytes: u64,
    age: Option<Duration>,
}

impl Files {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), bytes: 64 << 20, age: None }
    }

    /// Dropping what this gives is a crash: what is not written is not written.
    fn start(&self) -> (FileStore, Arc<dyn Log>) {
        let (directory, bytes, age) = (self.directory.path().to_owned(), self.bytes, self.age);
        let store = FileStore::start(FileSettings { directory, bytes, age }).unwrap();
        let log = store.open(CHANNEL).unwrap();
        (store, log)
    }

    fn segments(&self) -> Vec<PathBuf> {
        let directory = self.directory.path().join("shop%2Forders");
        let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        files.sort();
        files
    }
}

async fn publish(log: &Arc<dyn Log>, ids: impl IntoIterator<Item = u32>) -> Result<(), StoreError> {
    for id in ids {
        log.reserve(vec![Arc::new(event(&id.to_string()))])?.commit().await?;
    }
    Ok(())
}

async fn take(cursor: &Arc<dyn Cursor>) -> Taken {
    tokio::time::timeout(Duration::from_secs(10), cursor.next()).await.expect("an event in time").expect("an event")
}

async fn take_ids(cursor: &Arc<dyn Cursor>, count: usize) -> Vec<String> {
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        ids.push(take(cursor).await.event.id.clone());
    }
    ids
}

fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|id| id.to_string()).collect()
}

#[tokio::test]
async fn what_was_taken_survives_a_crash_and_what_was_acknowledged_stays_done_after_an_orderly_end() {
    let files = Files::new();
    {
        let (_store, log) = files.start();
        log.subscribe("shop/stock").unwrap();
        publish(&log, 0..100).await.unwrap();
    }
    {
        let (store, log) = files.start();
        let cursor = log.subscribe("shop/stock").unwrap();
        assert_eq!((cursor.figures().queued, take_ids(&cursor, 1).await), (100, ids(0..1)));
        for id in 1..60 {
            let taken = take(&cursor).await;
            assert_eq!(taken.event.id, id.to_string());
            cursor.ack(taken.position);
        }
        cursor.stop();
        assert!(cursor.next().await.is_none());
        store.close().await;
    }
    let (_store, log) = files.start();
    let cursor = log.subscribe("shop/stock").unwrap();
    assert_eq!(take_ids(&cursor, 41).await, [ids(0..1), ids(60..100)].concat());
    assert_eq!((cursor.figures().redelivered, cursor.figures().queued, cursor.figures().in_flight), (1, 0, 41));
}

#[tokio::test]
async fn each_subscription_has_its_own_place_and_a_new_one_starts_at_the_end() {
    let files = Files::new();
    let (_store, log) = files.start();
    let one = log.subscribe("shop/one").unwrap();
    publish(&log, 0..3).await.unwrap();
    let two = log.subscribe("shop/two").unwrap();
    publish(&log, 3..5).await.unwrap();
    assert_eq!(take_ids(&one, 5).await, ids(0..5));
    assert_eq!(take_ids(&two, 2).await, ids(3..5));
}

#[tokio::test]
async fn what_is_given_back_comes_again_after_the_wait_and_the_rest_goes_on() {
    let files = Files::new();
    let (_store, log) = files.start();
    let cursor = log.subscribe("shop/stock").unwrap();
    publish(&log, 0..2).await.unwrap();
    let (first, begin) = (take(&cursor).await, Instant::now());
    cursor.give_back(first.position, Duration::from_millis(200));
    assert_eq!(take_ids(&cursor, 2).await, ["1", "0"]);
    assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
    assert_eq!(cursor.figures().redelivered, 1);
}

#[tokio::test]
async fn a_torn_end_is_cut_off_and_nothing_before_it_is_lost() {
    let frame = {
        let payload = codec::encode(&event("0")).unwrap();
        usize::try_from(frame::size(&payload)).unwrap()
    };
    for torn in [1, 23, 24, 30, frame - 1] {
        let files = Files::new();
        {
            let (_store, log) = files.start();
            log.subscribe("shop/stock").unwrap();
            publish(&log, 0..10).await.unwrap();
        }
        // What an append that a power failure interrupts leaves: the beginning of a frame.
        let segment = files.segments().pop().unwrap();
        let mut half = Vec::new();
        frame::write(&mut half, 11, std::time::SystemTime::now(), &codec::encode(&event("0")).unwrap());
        fs::OpenOptions::new().append(true).open(&segment).unwrap().write_all(&half[..torn]).unwrap();
        let whole = fs::metadata(&segment).unwrap().len() - torn as u64;
        let (_store, log) = files.start();
        assert_eq!(fs::metadata(&segment).unwrap().len(), whole, "{torn} bytes too many");
        let cursor = log.subscribe("shop/stock").unwrap();
        publish(&log, 10..12).await.unwrap();
        assert_eq!(take_ids(&cursor, 12).await, ids(0..12));
    }
}

#[tokio::test]
async fn a_damaged_event_costs_itself_alone() {
    let files = Files::new();
    {
        let (_store, log) = files.start();
        log.subscribe("shop/stock").unwrap();
        publish(&log, 0..10).await.unwrap();
    }
    let segment = files.segments().pop().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2 + 20;
    bytes[middle] ^= 0xFF;
    fs::write(&segment, bytes).unwrap();
    let (_store, log) = files.start();
    let cursor = log.subscribe("shop/stock").unwrap();
    let left: BTreeSet<String> = take_ids(&cursor, 9).await.into_iter().collect();
    assert_eq!(left.len(), 9);
    assert!(tokio::time::timeout(Duration::from_millis(50), cursor.next()).await.is_err());
    assert_eq!(cursor.figures().lost, 1);
}

#[tokio::test]
async fn garbage_in_place_of_the_last_file_costs_what_was_in_it_and_the_log_goes_on() {
    let files = Files::new();
    {
        let (_store, log) = files.start();
        log.subscribe("shop/stock").unwrap();
        publish(&log, 0..3).await.unwrap();
    }
    fs::write(files.segments().pop().unwrap(), b"not a log").unwrap();
    let (_store, log) = files.start();
    let cursor = log.subscribe("shop/stock").unwrap();
    publish(&log, 3..5).await.unwrap();
    assert_eq!(take_ids(&cursor, 2).await, ids(3..5));
}

#[tokio::test]
async fn a_place_that_cannot_be_read_gives_everything_again_rather_than_nothing() {
    let files = Files::new();
    {
        let (store, log) = files.start();
        let cursor = log.subscribe("shop/stock").unwrap();
        publish(&log, 0..3).await.unwrap();
        let taken = take(&cursor).await;
        cursor.ack(taken.position);
        store.close().await;
    }
    let place = files.directory.path().join("shop%2Forders/shop%2Fstock.place");
    fs::write(&place, b"{\"subscr").unwrap();
    let (_store, log) = files.start();
    let cursor = log.subscribe("shop/stock").unwrap();
    assert_eq!(take_ids(&cursor, 3).await, ids(0..3));
}

#[tokio::test]
async fn a_full_channel_refuses_and_takes_again_once_events_are_acknowledged() {
    let files = Files { bytes: 256 << 10, ..Files::new() };
    let (_store, log) = files.start();
    let cursor = log.subscribe("shop/stock").unwrap();
    let large = |id: u32| Event { data: Some(vec![7; 8 << 10]), ..event(&id.to_string()) };
    let mut taken = 0;
    let error = loop {
        match log.reserve(vec![Arc::new(large(taken))]) {
            Ok(room) => room.commit().await.unwrap(),
            Err(error) => break error,
        }
        taken += 1;
    };
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    assert!((25..=31).contains(&taken), "{taken} events of 8 KiB in 256 KiB");
    for id in 0..taken {
        let event = take(&cursor).await;
        assert_eq!(event.event.id, id.to_string());
        cursor.ack(event.position);
    }
    let again = async {
        while log.reserve(vec![Arc::new(large(taken))]).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.expect("room once files were removed");
}

#[tokio::test]
async fn room_that_is_not_used_comes_back() {
    let files = Files { bytes: 1 << 10, ..Files::new() };
    let (_store, log) = files.start();
    log.subscribe("shop/stock").unwrap();
    let room = log.reserve(vec![Arc::new(Event { data: Some(vec![7; 600]), ..event("1") })]).unwrap();
    assert!(log.reserve(vec![Arc::new(Event { data: Some(vec![7; 600]), ..event("2") })]).is_err());
    drop(room);
    assert!(log.reserve(vec![Arc::new(Event { data: Some(vec![7; 600]), ..event("2") })]).is_ok());
}

#[tokio::test]
async fn events_that_are_too_old_are_given_up_and_counted() {
    let files = Files { age: Some(Duration::from_millis(300)), ..Files::new() };
    let (_store, log) = files.start();
    let cursor = log.subscribe("shop/stock").unwrap();
    publish(&log, 0..3).await.unwrap();
    let given_up = async {
        while cursor.figures().lost < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), given_up).await.expect("given up in time");
    publish(&log, 3..4).await.unwrap();
    assert_eq!(take_ids(&cursor, 1).await, ids(3..4));
}

#[tokio::test]
async fn a_slow_subscription_reads_from_the_files_what_memory_does_not_hold() {
    let files = Files::new();
    let (_store, log) = files.start();
    let slow = log.subscribe("shop/slow").unwrap();
    let batch = |from: u32| (from..from + 1_000).map(|id| Arc::new(event(&id.to_string()))).collect::<Vec<_>>();
    for from in (0..20_000).step_by(1_000) {
        log.reserve(batch(from)).unwrap().commit().await.unwrap();
    }
    assert_eq!(slow.figures().queued, 20_000);
    assert!(slow.figures().oldest.is_some());
    for id in 0..20_000 {
        let taken = take(&slow).await;
        assert_eq!(taken.event.id, id.to_string());
        slow.ack(taken.position);
    }
    assert_eq!((slow.figures().queued, slow.figures().in_flight, slow.figures().oldest), (0, 0, None));
}

#[tokio::test]
async fn two_processes_do_not_share_a_directory() {
    let files = Files::new();
    let (_store, _log) = files.start();
    let directory = files.directory.path().to_owned();
    let error = FileStore::start(FileSettings { directory, bytes: 1 << 20, age: None }).unwrap_err();
    assert_eq!(error.to_string(), "another process has it");
}

#[tokio::test]
async fn a_subscription_that_is_gone_at_the_next_start_gives_up_its_events_and_their_files() {
    let files = Files::new();
    {
        let (_store, log) = files.start();
        log.subscribe("shop/gone").unwrap();
        publish(&log, 0..3).await.unwrap();
    }
    let (_store, log) = files.start();
    log.keep_only(&["shop/new"]);
    let new = log.subscribe("shop/new").unwrap();
    publish(&log, 3..4).await.unwrap();
    assert_eq!(take_ids(&new, 1).await, ids(3..4));
    let removed = async {
        while files.segments().len() > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), removed).await.expect("the old file is removed");
}

#[test]
fn names_become_names_of_files_that_differ() {
    assert_eq!(file_name("shop/orders"), "shop%2Forders");
    assert_eq!(file_name("../x"), "%2E.%2Fx");
    assert_eq!((file_name("A"), file_name("%41")), ("%41".into(), "%2541".into()));
    let long = |last: &str| file_name(&format!("{}{last}", "a".repeat(300)));
    assert!(long("1").len() < 250 && long("1") != long("2"));
}

/// Run alone: `cargo test -p sluicegate --lib acknowledged_events_a_second -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "a measurement, which other tests would disturb"]
async fn acknowledged_events_a_second_beside_bare_appends_with_as_many_waits_for_the_disk() {
    const PUBLISHERS: u32 = 256;
    const TIME: Duration = Duration::from_secs(3);
    let files = Files { bytes: 4 << 30, ..Files::new() };
    let large = |id: u32| Arc::new(Event { data: Some(vec![7; 256]), ..event(&id.to_string()) });
    let bare = {
        let mut file = fs::File::create(files.directory.path().join("bare")).unwrap();
        let frame = usize::try_from(frame::size(&codec::encode(&large(1)).unwrap())).unwrap();
        let batch = vec![7; frame * PUBLISHERS as usize];
        let (begin, mut written) = (Instant::now(), 0);
        while begin.elapsed() < TIME {
            file.write_all(&batch).unwrap();
            file.sync_data().unwrap();
            written += PUBLISHERS;
        }
        f64::from(written) / begin.elapsed().as_secs_f64()
    };
    let (_store, log) = files.start();
    log.subscribe("shop/stock").unwrap();
    let begin = Instant::now();
    let task = |id: u32| {
        let (log, event) = (Arc::clone(&log), large(id));
        tokio::spawn(async move {
            let mut published = 0;
            while begin.elapsed() < TIME {
                log.reserve(vec![Arc::clone(&event)]).unwrap().commit().await.unwrap();
                published += 1;
            }
            published
        })
    };
    let mut published = 0;
    for task in (0..PUBLISHERS).map(task).collect::<Vec<_>>() {
        published += task.await.unwrap();
    }
    let stored = f64::from(published) / begin.elapsed().as_secs_f64();
    println!("{stored:.0} events a second, {:.2} of {bare:.0} by bare appends", stored / bare);
}

async fn read_all(log: &Arc<dyn Log>, from: u64) -> Vec<String> {
    let mut reader = log.history().unwrap().reader(from);
    let mut ids = Vec::new();
    loop {
        let batch = reader.next().await.unwrap();
        if batch.is_empty() {
            return ids;
        }
        ids.extend(batch.iter().map(|kept| kept.event.id.clone()));
    }
}

#[tokio::test]
async fn what_subscriptions_are_done_with_is_read_back_by_this_process_and_the_next() {
    let files = Files::new();
    let (store, log) = files.start();
    let cursor = log.subscribe("shop/stock").unwrap();
    publish(&log, 0..1_000).await.unwrap();
    for _ in 0..1_000 {
        cursor.ack(take(&cursor).await.position);
    }
    let all: Vec<String> = (0..1_000).map(|id| id.to_string()).collect();
    let start = log.history().unwrap().span().start;
    assert_eq!(read_all(&log, start).await, all);
    let now = std::time::SystemTime::now();
    let since = |time| log.history().unwrap().since(time);
    assert_eq!((since(now - Duration::from_mins(1)), since(now + Duration::from_mins(1))), (start, start + 1_000));
    drop((cursor, log, store));
    let (_store, log) = files.start();
    assert_eq!(log.history().unwrap().span(), start..start + 1_000);
    assert_eq!(read_all(&log, start + 990).await, all[990..]);
}

#[tokio::test]
async fn events_that_nobody_subscribes_to_are_kept_while_somebody_reads() {
    let files = Files::new();
    let (_store, log) = files.start();
    publish(&log, 0..1).await.unwrap();
    let mut reader = log.history().unwrap().reader(log.history().unwrap().span().end);
    publish(&log, 1..2).await.unwrap();
    let batch = reader.next().await.unwrap();
    assert_eq!(batch.iter().map(|kept| kept.event.id.as_str()).collect::<Vec<_>>(), ["1"]);
}
