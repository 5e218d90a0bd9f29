//! Who waits for a connection gets one in turn.

use super::harness::{OK, Upstream, cluster_with};
use crate::upstream::cluster::Cluster;
use crate::upstream::policy::{ConnectionPool, Policy};
use crate::upstream::pool::Lease;
use crate::upstream::target::Target;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Takes a connection to an endpoint, in a task that waits for it.
async fn wait_for(cluster: &Cluster, index: usize) -> JoinHandle<Lease> {
    let before = cluster.state().pending();
    let waiting = cluster.clone();
    let task = tokio::spawn(async move {
        let target = Target { cluster: &waiting, member: &waiting.members()[index] };
        target.open(Duration::from_secs(5)).await.unwrap()
    });
    while cluster.state().pending() == before && !task.is_finished() {
        sleep(Duration::from_millis(1)).await;
    }
    task
}

#[tokio::test]
async fn who_waits_for_another_endpoint_is_not_passed_by() {
    let (one, other) = (Upstream::answering(OK).await, Upstream::answering(OK).await);
    let pool = ConnectionPool { max_connections: Some(1), ..ConnectionPool::default() };
    let cluster = cluster_with([one.address, other.address], Policy { pool, ..Policy::default() });
    let first = wait_for(&cluster, 0).await.await.unwrap();
    let longest = wait_for(&cluster, 1).await;
    let mut later = wait_for(&cluster, 0).await;
    first.give_back();
    let second = timeout(Duration::from_secs(2), longest).await.expect("it was first in the queue").unwrap();
    assert_eq!(second.address, other.address);
    assert!(timeout(Duration::from_millis(50), &mut later).await.is_err(), "there is one connection only");
    second.give_back();
    assert_eq!(later.await.unwrap().address, one.address);
    assert_eq!((one.connections(), other.connections(), cluster.state().connections()), (2, 1, 1));
}

#[tokio::test]
async fn who_is_next_gets_the_connection_itself_when_it_leads_there() {
    let (one, other) = (Upstream::answering(OK).await, Upstream::answering(OK).await);
    let pool = ConnectionPool { max_connections: Some(1), ..ConnectionPool::default() };
    let cluster = cluster_with([one.address, other.address], Policy { pool, ..Policy::default() });
    let first = wait_for(&cluster, 0).await.await.unwrap();
    let (next, last) = (wait_for(&cluster, 0).await, wait_for(&cluster, 1).await);
    first.give_back();
    let second = next.await.unwrap();
    assert_eq!((second.address, one.connections()), (one.address, 1));
    second.give_back();
    assert_eq!(last.await.unwrap().address, other.address);
}
