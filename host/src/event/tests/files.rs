//! Channels in files: opened anew, published to by clients that leave, followed.

use super::harness::{CHANNEL, channel, event, orders, subscription, until};
use crate::config::{FileSettings, StoreChoice, StoreSettings};
use crate::drain::Drain;
use crate::event::{ChannelSpec, Channels, Start, Stores};
use crate::wasm::bindings::sluicegate::filter::types::Publication;
use futures_util::FutureExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

fn in_files(directory: &Path) -> Arc<Channels> {
    let file = FileSettings { directory: directory.to_owned(), bytes: 1 << 20, age: None };
    let settings = StoreSettings { default: StoreChoice::File, file: Some(file), ..StoreSettings::default() };
    Channels::new(Stores::start(&settings).unwrap()).0
}

fn one() -> Vec<ChannelSpec> {
    orders(vec![subscription("one", "http://127.0.0.1:1/")])
}

#[tokio::test]
async fn a_channel_whose_files_could_not_be_opened_is_opened_by_a_later_reload() {
    let directory = tempfile::tempdir().unwrap();
    let in_the_way = directory.path().join("default%2Forders");
    std::fs::write(&in_the_way, "no directory").unwrap();
    let channels = in_files(directory.path());
    channels.apply(one());
    let error = channels.publish(CHANNEL, event("1")).await.unwrap_err();
    assert!(error.to_string().contains("cannot be opened"), "{error}");
    std::fs::remove_file(&in_the_way).unwrap();
    channels.apply(one());
    channels.publish(CHANNEL, event("2")).await.unwrap();
    let stats = &channels.stats()[0];
    assert_eq!((stats.refused, stats.subscriptions[0].queued), (1, 1));
}

#[tokio::test]
async fn those_who_look_on_begin_again_when_files_are_taken_back_from_a_process_that_failed() {
    let directory = tempfile::tempdir().unwrap();
    let channels = in_files(directory.path());
    channels.apply(one());
    let mut before = channels.listen(CHANNEL, Start::Next).unwrap();
    channels.release(SOON).await;
    channels.resume().unwrap();
    channels.apply(one());
    let end = tokio::time::timeout(SOON, before.follower.next()).await.expect("they are told");
    assert!(end.is_none(), "{end:?}");
    let mut after = channels.listen(CHANNEL, Start::Next).unwrap();
    channels.publish(CHANNEL, event("1")).await.unwrap();
    let seen = tokio::time::timeout(SOON, after.follower.next()).await.expect("it is seen").unwrap();
    assert_eq!(seen.events[0].event.id, "1");
}

#[tokio::test]
async fn a_client_that_leaves_while_a_disk_is_waited_for_leaves_no_half_published() {
    let directory = tempfile::tempdir().unwrap();
    let channels = in_files(directory.path());
    let memory = ChannelSpec { store: Some(StoreChoice::Memory), ..channel("notes", Vec::new()) };
    channels.apply([one(), vec![memory]].concat());
    let publications = [CHANNEL, "default/notes"];
    let publications = publications.map(|channel| Publication { channel: channel.to_owned(), event: event("1") });
    let (drain, storing) = (Drain::default(), channels.storing(publications.into()).unwrap());
    assert!(drain.complete(storing).now_or_never().is_none(), "the disk is waited for");
    until("both have it", || channels.stats().iter().all(|channel| channel.received == 1)).await;
}
