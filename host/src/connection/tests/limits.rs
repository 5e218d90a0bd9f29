use super::*;

const SHORT: Duration = Duration::from_millis(150);

fn short() -> Timeouts {
    Timeouts {
        head_read: SHORT,
        tls_handshake: SHORT,
        keep_alive_idle: SHORT,
        rest: SHORT / 15,
        body_idle: SHORT,
        body_total: SHORT * 4,
        write_stalled: SHORT,
        linger: SHORT,
        last_request: SHORT,
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_in_time_is_answered_408() {
    let server = Server::with(short()).await;
    let started = Instant::now();
    let answer = server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n").await;
    assert_eq!(statuses(&answer), [408]);
    assert!(started.elapsed() >= SHORT);
    // Nor does a byte now and then help.
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nX: ").await;
    let (mut read, mut write) = client.0.split();
    let drip = async {
        loop {
            sleep(SHORT / 5).await;
            if write.write_all(b"x").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut answer = vec![0; 12];
    tokio::select! {
        () = drip => {}
        result = timeout(PATIENCE, read.read_exact(&mut answer)) => { result.unwrap().unwrap(); }
    }
    assert_eq!(answer, b"HTTP/1.1 408");
    assert_eq!(server.handled(), 0);
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_closed_without_an_answer() {
    let server = Server::with(short()).await;
    assert_eq!(server.exchange(b"").await, "");
    assert_eq!(server.exchange(b"PRI * HT").await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let server = Server::with(short()).await;
    let mut client = server.connect().await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.until("slow").await;
    let idle_since = Instant::now();
    assert_eq!(client.rest().await, "");
    assert!(idle_since.elapsed() + Duration::from_millis(10) >= SHORT, "{:?}", idle_since.elapsed());
}

#[tokio::test]
async fn a_connection_that_has_rested_goes_on_as_if_it_had_not() {
    let timeouts = Timeouts { rest: SHORT / 15, ..Timeouts::default() };
    let server = Server::with(timeouts).await;
    let mut client = server.connect().await;
    let post = |body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for turn in 0..3 {
        client.send(&post("whole")).await;
        client.until("whole").await;
        sleep(timeouts.rest * 5).await;
        // A head that comes in two pieces, with two bodies and half of a third request behind it.
        let (head, rest) = (post("one") + &post("two") + &post("three"), 12);
        client.send(&head[..rest]).await;
        sleep(timeouts.rest * 5).await;
        client.send(&head[rest..head.len() - 3]).await;
        client.until("two").await;
        sleep(timeouts.rest * 5).await;
        client.send(&head[head.len() - 3..]).await;
        client.until("three").await;
        assert_eq!(server.handled(), 4 * (turn + 1));
        sleep(timeouts.rest * 5).await;
    }
    let drained = tokio::spawn({
        let drain = server.drain.clone();
        async move { drain.finish(PATIENCE).await }
    });
    assert_eq!(client.rest().await, "", "it ends while it rests");
    assert_eq!(drained.await.unwrap(), crate::drain::Drained::Completed);
}

#[tokio::test]
async fn a_second_head_that_does_not_end_is_answered_408() {
    let server = Server::with(short()).await;
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nokGET / HT").await;
    client.until("ok").await;
    assert_eq!(statuses(&client.rest().await), [408]);
}

#[tokio::test]
async fn a_silent_body_and_an_endless_one_are_answered_408() {
    let server = Server::with(short()).await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";
    let answer = server.exchange(format!("{head}some").as_bytes()).await;
    assert_eq!(statuses(&answer), [408]);
    let mut client = server.connect().await;
    client.send(head).await;
    let started = Instant::now();
    while client.0.write_all(b"x").await.is_ok() && started.elapsed() < SHORT * 5 {
        sleep(SHORT / 3).await;
    }
    assert_eq!(statuses(&client.rest().await), [408]);
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_response_is_cut_off() {
    let server = Server::with(short()).await;
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    let deadline = Instant::now() + PATIENCE;
    while server.drain.tracked() > 0 {
        assert!(Instant::now() < deadline, "the connection is still served");
        sleep(SHORT / 5).await;
    }
}

#[tokio::test]
async fn draining_finishes_the_request_in_flight_and_closes_idle_connections() {
    let server = Server::start().await;
    let mut busy = server.connect().await;
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut idle = server.connect().await;
    idle.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok").await;
    idle.until("ok").await;
    let mut silent = server.connect().await;
    assert!(silent.is_quiet().await && idle.is_quiet().await);
    let drained = tokio::spawn({
        let drain = server.drain.clone();
        async move { drain.finish(PATIENCE).await }
    });
    assert_eq!((idle.rest().await, silent.rest().await), (String::new(), String::new()));
    let answer = busy.rest().await;
    assert_eq!(statuses(&answer), [200]);
    assert!(answer.contains("connection: close") && answer.ends_with("slow"), "{answer}");
    assert_eq!(drained.await.unwrap(), crate::drain::Drained::Completed);
}
