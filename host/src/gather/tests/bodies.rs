//! Bodies that stay with the host, and the answers that are made of them.

use super::*;
use crate::body::{BodyError, ProxyBody};
use crate::wasm::types::{Assembly, BodyPart};
use futures_util::FutureExt;
use http_body::Body;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn spliced(name: &str) -> Call {
    Call { body_use: BodyUse::Splice, ..call(name) }
}

fn json(name: &str) -> Call {
    Call { body_use: BodyUse::SpliceJson, ..call(name) }
}

fn of(name: &str) -> BodyPart {
    BodyPart::BodyOf(name.into())
}

fn bytes(text: &str) -> BodyPart {
    BodyPart::Bytes(text.into())
}

/// An answer of these parts, and how often it broke.
fn answer(gathered: Gathered, body: Vec<BodyPart>) -> (ProxyBody, Arc<AtomicUsize>) {
    let mut bodies = Bodies::default();
    gathered.bodies.into_iter().for_each(|(name, body)| bodies.keep(name, body));
    let broken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&broken);
    let count = move |_: &BodyError| {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let assembly = Assembly { status: 200, headers: Vec::new(), body };
    (assemble(assembly, &mut bodies, count).unwrap().into_body(), broken)
}

async fn text(body: ProxyBody) -> String {
    String::from_utf8(body.collect_up_to(u64::MAX).await.unwrap().to_vec()).unwrap()
}

/// A service that sends a head, then a chunk each time it is let.
async fn chunked(chunks: &'static [&'static str], pause: u64) -> Upstream {
    Upstream::start(move |mut socket: Socket, _| async move {
        socket.head().await;
        socket.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        for chunk in chunks {
            sleep(Duration::from_millis(pause)).await;
            socket.send(&format!("{:x}\r\n{chunk}\r\n", chunk.len())).await;
        }
        socket.send("0\r\n\r\n").await;
        socket.rest().await;
    })
    .await
}

#[tokio::test]
async fn an_answer_is_made_of_bytes_and_bodies_in_order() {
    let (one, two) = (Upstream::answering(OK).await, chunked(&["tw", "o"], 0).await);
    let registry = registry([("one", vec![one.address]), ("two", vec![two.address])]);
    let gathered = gather(&registry, plan([spliced("one"), spliced("two")])).await;
    assert_eq!(results(&gathered.outcomes), [("one", Ok(&b""[..])), ("two", Ok(&b""[..]))]);
    let (body, broken) = answer(gathered, vec![bytes("{"), of("two"), bytes(","), of("one"), bytes("}")]);
    assert_eq!(text(body).await, "{two,ok}");
    assert_eq!(broken.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_length_is_known_when_those_of_all_parts_are() {
    let (known, open) = (Upstream::answering(OK).await, chunked(&["slow"], 100).await);
    let registry = registry([("known", vec![known.address]), ("open", vec![open.address])]);
    let gathered = gather(&registry, plan([spliced("known")])).await;
    assert_eq!(answer(gathered, vec![bytes("1"), of("known")]).0.size_hint().exact(), Some(3));
    let gathered = gather(&registry, plan([spliced("known"), spliced("open")])).await;
    let (body, _) = answer(gathered, vec![of("known"), of("open")]);
    assert_eq!(body.size_hint().exact(), None);
    assert_eq!(text(body).await, "okslow");
}

#[tokio::test]
async fn the_outcome_comes_with_the_head_of_what_is_long() {
    let (sent, mut go_on) = mpsc::unbounded_channel::<()>();
    let upstream = Upstream::start(move |mut socket: Socket, _| {
        let sent = sent.clone();
        async move {
            socket.head().await;
            socket.send("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
            sleep(Duration::from_millis(50)).await;
            sent.send(()).unwrap();
            socket.send(&"x".repeat(100_000)).await;
            socket.rest().await;
        }
    })
    .await;
    let registry = registry([("long", vec![upstream.address])]);
    let gathered = gather(&registry, plan([spliced("long")])).await;
    assert!(gathered.outcomes[0].response.is_ok());
    assert!(go_on.try_recv().is_err(), "none of the body has been sent");
    assert_eq!(text(answer(gathered, vec![of("long")]).0).await.len(), 100_000);
}

#[tokio::test]
async fn a_short_body_is_checked_before_the_outcome() {
    let good = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\":1}").await;
    let bad = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\":1]").await;
    let half = Upstream::start(|mut socket, _| async move {
        socket.head().await;
        socket.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"a\"").await;
    })
    .await;
    let unfinished = chunked(&["{\"a\""], 0).await;
    let none = Upstream::answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let empty = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let services =
        [("good", good), ("bad", bad), ("half", half), ("unfinished", unfinished), ("none", none), ("empty", empty)];
    let registry = registry(services.each_ref().map(|(name, upstream)| (*name, vec![upstream.address])));
    let gathered = gather(&registry, plan(services.each_ref().map(|(name, _)| json(name)))).await;
    let not_json = |name| (name, Err(CallError::NotJson));
    let expected = [
        ("good", Ok(&b""[..])),
        not_json("bad"),
        ("half", Err(CallError::Reset)),
        not_json("unfinished"),
        ("none", Ok(&b""[..])),
        not_json("empty"),
    ];
    assert_eq!(results(&gathered.outcomes), expected);
}

#[tokio::test]
async fn a_long_body_that_is_not_json_ends_the_answer_before_its_end() {
    let slow_lie = chunked(&["{\"a\":", "1", "]"], 60).await;
    let registry = registry([("lie", vec![slow_lie.address])]);
    let gathered = gather(&registry, plan([json("lie")])).await;
    assert!(gathered.outcomes[0].response.is_ok(), "nobody knows yet");
    let (mut body, broken) = answer(gathered, vec![bytes("["), of("lie"), bytes("]")]);
    let mut seen = Vec::new();
    let fault = loop {
        match body.frame().await.expect("it does not end well") {
            Ok(frame) => seen.extend_from_slice(frame.data_ref().unwrap()),
            Err(fault) => break fault,
        }
    };
    assert!(matches!(fault, BodyError::NotJson(_)), "{fault:?}");
    assert_eq!(seen, b"[{\"a\":1");
    assert_eq!(broken.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_larger_than_the_call_allows_is_found_at_once_or_on_the_way() {
    let (long, open) = (Upstream::answering(OK).await, chunked(&["12", "34"], 60).await);
    let registry = registry([("long", vec![long.address]), ("open", vec![open.address])]);
    let small = |most, name| Call { max_body: Some(most), ..spliced(name) };
    let gathered = gather(&registry, plan([small(1, "long"), small(3, "open")])).await;
    assert_eq!(results(&gathered.outcomes), [("long", Err(CallError::TooLarge)), ("open", Ok(&b""[..]))]);
    let fault = answer(gathered, vec![of("open")]).0.collect_up_to(u64::MAX).await.unwrap_err();
    assert!(matches!(fault, BodyError::TooLarge { limit: 3 }));
}

#[tokio::test]
async fn a_body_that_waits_for_its_turn_is_read_ahead_a_little_and_no_further() {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let flood = Upstream::start(move |mut socket: Socket, _| {
        let counted = Arc::clone(&counted);
        async move {
            socket.head().await;
            socket.send("HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n").await;
            let chunk = "x".repeat(64 << 10);
            for _ in 0..1024 {
                socket.send(&chunk).await;
                counted.fetch_add(chunk.len(), Ordering::SeqCst);
            }
            socket.rest().await;
        }
    })
    .await;
    let first = chunked(&["a", "b", "c"], 100).await;
    let registry = registry([("first", vec![first.address]), ("flood", vec![flood.address])]);
    let gathered = gather(&registry, plan([spliced("first"), spliced("flood")])).await;
    let (mut body, _) = answer(gathered, vec![of("first"), of("flood")]);
    for _ in 0..3 {
        body.frame().await.unwrap().unwrap();
    }
    // What the two ends' sockets hold is the system's; the rest of the 64 MiB has not been asked for.
    assert!(taken.load(Ordering::SeqCst) < 16 << 20, "{taken:?}");
    let mut rest = 0;
    while let Some(frame) = body.frame().await {
        rest += frame.unwrap().data_ref().map_or(0, bytes::Bytes::len);
    }
    assert_eq!(rest, 64 << 20);
}

#[tokio::test]
async fn a_body_that_the_answer_leaves_out_ends_with_it() {
    let (tell, mut ended) = mpsc::unbounded_channel();
    let endless = Upstream::start(move |mut socket: Socket, _| {
        let tell = tell.clone();
        async move {
            socket.head().await;
            socket.send("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
            socket.rest().await;
            let _ = tell.send(());
        }
    })
    .await;
    let registry = registry([("endless", vec![endless.address])]);
    let gathered = gather(&registry, plan([spliced("endless")])).await;
    assert_eq!(text(answer(gathered, vec![bytes("without")]).0).await, "without");
    ended.recv().await.unwrap();
}

#[tokio::test]
async fn a_body_can_be_used_once_and_only_if_it_is_there() {
    let upstream = Upstream::answering(OK).await;
    let registry = registry([("one", vec![upstream.address])]);
    for body in [vec![of("one"), of("one")], vec![of("two")]] {
        let gathered = gather(&registry, plan([spliced("one")])).await;
        let mut bodies = Bodies::default();
        gathered.bodies.into_iter().for_each(|(name, body)| bodies.keep(name, body));
        let failure = assemble(Assembly { status: 200, headers: Vec::new(), body }, &mut bodies, |_| ()).unwrap_err();
        assert!(failure.message.contains("which it does not hold"), "{failure}");
    }
}

#[tokio::test]
async fn bodies_that_wait_are_read_ahead_wherever_they_stand() {
    let names = ["a", "b", "c"];
    for body in [
        vec![bytes("x"), of("a"), bytes("y"), bytes("z"), of("b"), of("c")],
        vec![of("a"), of("b"), bytes("y"), of("c"), bytes("z")],
    ] {
        let services = [chunked(&["1", "2"], 60).await, chunked(&["3"], 30).await, chunked(&["4"], 30).await];
        let registry = registry([0, 1, 2].map(|place| (names[place], vec![services[place].address])));
        let gathered = gather(&registry, plan(names.map(spliced))).await;
        let (mut body, _) = answer(gathered, body);
        let mut seen = Vec::new();
        while !seen.ends_with(b"2") {
            seen.extend_from_slice(body.frame().await.unwrap().unwrap().data_ref().unwrap());
        }
        // All others are here by now, and so is the first one's end.
        sleep(Duration::from_millis(20)).await;
        let rest = std::iter::from_fn(|| body.frame().now_or_never().flatten());
        let rest: Vec<u8> = rest.flat_map(|frame| frame.unwrap().into_data().unwrap()).collect();
        assert_eq!(rest.iter().filter(|byte| byte.is_ascii_digit()).collect::<Vec<_>>(), [&b'3', &b'4']);
    }
}

#[tokio::test]
async fn an_answer_of_many_pieces_takes_no_longer_for_each() {
    let upstream = chunked(&["end"], 30).await;
    let registry = registry([("one", vec![upstream.address])]);
    let gathered = gather(&registry, plan([spliced("one")])).await;
    let pieces = std::iter::repeat_with(|| bytes("x")).take(60_000).chain([of("one")]).collect();
    let (body, _) = answer(gathered, pieces);
    let started = Instant::now();
    assert_eq!(text(body).await.len(), 60_003);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_answer_without_content_has_no_body() {
    let upstream = Upstream::answering(OK).await;
    let registry = registry([("one", vec![upstream.address])]);
    for status in [204, 205, 304] {
        let gathered = gather(&registry, plan([spliced("one")])).await;
        let mut bodies = Bodies::default();
        gathered.bodies.into_iter().for_each(|(name, body)| bodies.keep(name, body));
        let assembly = Assembly { status, headers: Vec::new(), body: vec![of("one")] };
        let answer = assemble(assembly, &mut bodies, |_| ()).unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().is_end_stream()), (status, true));
    }
}

#[tokio::test]
async fn the_calls_of_a_plan_hold_so_much_and_no_more() {
    const PART: usize = 8 << 20;
    let large = Upstream::start(|mut socket: Socket, _| async move {
        socket.head().await;
        socket.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {PART}\r\n\r\n{}", "x".repeat(PART))).await;
        socket.rest().await;
    })
    .await;
    let registry = registry([("shop", vec![large.address])]);
    let large = |number: usize| Call {
        destination: Destination { host: "shop".into(), port: None, subset: None },
        path: format!("/{number}"),
        max_body: Some(limits::CALL_BODY_MAX),
        ..call(&number.to_string())
    };
    let outcomes = outcomes(&registry, plan((0..6).map(large).collect::<Vec<_>>())).await;
    let good = outcomes.iter().filter(|outcome| outcome.response.is_ok()).count();
    assert!(u64::try_from(good * PART).unwrap() <= limits::PLAN_BODIES && good > 0, "{good}");
    assert!(outcomes.iter().any(|outcome| outcome.response == Err(CallError::TooLarge)));
}
