//! What clients notice of a proxy that ends.

use super::*;
use crate::drain::Drained;

/// Long enough for a test to tell it from at once.
const LAST: Duration = Duration::from_millis(600);

async fn server() -> Server {
    Server::with(Timeouts { last_request: LAST, ..Timeouts::default() }).await
}

#[tokio::test]
async fn a_request_that_comes_just_after_the_drain_began_is_answered_and_told_that_it_is_the_last() {
    let server = server().await;
    let mut client = server.connect().await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(!client.until("slow").await.contains("connection: close"));
    server.drain.begin();
    sleep(LAST / 6).await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = client.rest().await;
    assert_eq!(statuses(&answer), [200]);
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(server.drain.finish(PATIENCE).await, Drained::Completed);
}

#[tokio::test]
async fn a_client_that_had_just_connected_is_answered() {
    let server = server().await;
    let mut client = server.connect().await;
    // So that it is accepted, and has asked for nothing.
    sleep(LAST / 6).await;
    server.drain.begin();
    sleep(LAST / 6).await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(statuses(&client.rest().await), [200]);
}

#[tokio::test]
async fn a_connection_that_stays_idle_is_closed_after_a_moment() {
    let server = server().await;
    let mut idle = server.connect().await;
    idle.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    idle.until("slow").await;
    let mut silent = server.connect().await;
    assert!(silent.is_quiet().await);
    let began = Instant::now();
    assert_eq!(server.drain.finish(PATIENCE).await, Drained::Completed);
    assert!(began.elapsed() < LAST * 5, "{:?}", began.elapsed());
    assert_eq!((idle.rest().await, silent.rest().await), (String::new(), String::new()));
}
