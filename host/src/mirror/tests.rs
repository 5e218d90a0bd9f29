use super::tee::{Copied, Lag, Tee};
use super::*;
use crate::body::BodyError;
use crate::body::tests::announced;
use crate::upstream::tests::harness::{OK, Upstream, closed_port, head};
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use std::time::Duration;

type Sent = tokio::sync::mpsc::UnboundedSender<Result<Frame<Bytes>, BodyError>>;

/// A body that streams what is sent.
fn streaming() -> (Sent, ProxyBody) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    (sender, ProxyBody::stream(StreamBody::new(stream)))
}

fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

fn given_up(lag: &mut tokio::sync::oneshot::Receiver<Lag>) -> Option<Lag> {
    lag.try_recv().ok()
}

async fn text(body: ProxyBody) -> Result<String, BodyError> {
    let bytes = body.collect_up_to(u64::MAX).await?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

fn mirror(destination: &str) -> types::Mirror {
    let destination = types::Destination { host: destination.into(), port: None, subset: None };
    types::Mirror { destination, authority: None }
}

#[tokio::test]
async fn a_body_that_streams_is_copied_while_it_is_read() {
    let (sender, body) = streaming();
    let mut tee = Tee::new(body);
    let (mut one, mut two) = (tee.copy(), tee.copy());
    let body = tee.into_body();
    sender.send(Ok(data("a"))).unwrap();
    sender.send(Ok(data("b"))).unwrap();
    drop(sender);
    assert_eq!(text(body).await.unwrap(), "ab");
    assert_eq!(text(one.body).await.unwrap(), "ab");
    assert_eq!(text(two.body).await.unwrap(), "ab");
    assert_eq!((given_up(&mut one.lag), given_up(&mut two.lag)), (None, None));
}

#[tokio::test]
async fn a_body_that_is_here_is_shared() {
    let mut tee = Tee::new(ProxyBody::full("order"));
    let copied = tee.copy();
    assert!(copied.body.is_known() && tee.into_body().is_known());
    assert_eq!(text(copied.body).await.unwrap(), "order");
}

#[tokio::test]
async fn a_copy_that_falls_behind_is_given_up_and_the_request_goes_on() {
    let (sender, body) = streaming();
    let mut tee = Tee::new(body);
    let Copied { body: copy, mut lag } = tee.copy();
    let body = tee.into_body();
    let chunk = Bytes::from(vec![b'x'; limits::MIRROR_BUFFER / 2]);
    for _ in 0..4 {
        sender.send(Ok(Frame::data(chunk.clone()))).unwrap();
    }
    drop(sender);
    assert_eq!(text(body).await.unwrap().len(), chunk.len() * 4);
    assert_eq!(given_up(&mut lag), Some(Lag::TooSlow));
    text(copy).await.expect_err("an incomplete copy never looks complete");
}

#[tokio::test]
async fn a_copy_of_many_small_frames_is_bounded_too() {
    let (sender, body) = streaming();
    let mut tee = Tee::new(body);
    let Copied { body: _copy, mut lag } = tee.copy();
    let body = tee.into_body();
    for _ in 0..=limits::MIRROR_FRAMES {
        sender.send(Ok(data("x"))).unwrap();
    }
    drop(sender);
    assert_eq!(text(body).await.unwrap().len(), limits::MIRROR_FRAMES + 1);
    assert_eq!(given_up(&mut lag), Some(Lag::TooSlow));
}

#[tokio::test]
async fn a_request_that_breaks_off_breaks_its_copy_off() {
    let (sender, body) = streaming();
    let mut tee = Tee::new(body);
    let Copied { body: copy, mut lag } = tee.copy();
    let body = tee.into_body();
    sender.send(Ok(data("a"))).unwrap();
    sender.send(Err(BodyError::Timeout)).unwrap();
    text(body).await.expect_err("it broke off");
    text(copy).await.expect_err("so did the copy");
    assert_eq!(given_up(&mut lag), Some(Lag::BrokenOff));

    let (_sender, body) = streaming();
    let mut tee = Tee::new(body);
    let Copied { body: copy, mut lag } = tee.copy();
    drop(tee.into_body());
    text(copy).await.expect_err("nobody read the request to its end");
    assert_eq!(given_up(&mut lag), Some(Lag::BrokenOff));
}

#[tokio::test]
async fn a_copy_is_complete_when_the_request_is_although_nobody_asks_for_its_end() {
    let trailers = http::HeaderMap::from_iter([(http::header::AGE, http::HeaderValue::from_static("1"))]);
    let (sender, body) = streaming();
    let mut tee = Tee::new(body);
    let Copied { body: copy, mut lag } = tee.copy();
    let mut body = tee.into_body();
    sender.send(Ok(data("a"))).unwrap();
    sender.send(Ok(Frame::trailers(trailers.clone()))).unwrap();
    body.frame().await.unwrap().unwrap();
    assert!(body.frame().await.unwrap().unwrap().is_trailers());
    drop(body);
    let copied = copy.collect().await.unwrap();
    assert_eq!((copied.trailers(), given_up(&mut lag)), (Some(&trailers), None));

    // The last byte of a known length is here, and the end of its stream is not.
    let (sender, body) = streaming();
    let mut tee = Tee::new(announced(body, 3));
    let Copied { body: copy, mut lag } = tee.copy();
    let mut body = tee.into_body();
    sender.send(Ok(data("all"))).unwrap();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!((text(copy).await.unwrap().as_str(), given_up(&mut lag)), ("all", None));
}

#[tokio::test]
async fn the_limit_of_a_body_still_holds() {
    let (sender, body) = streaming();
    let mut tee = Tee::new(body.limited(Some(3)));
    let _copy = tee.copy();
    sender.send(Ok(data("four"))).unwrap();
    drop(sender);
    let failed = text(tee.into_body()).await.expect_err("it is over its limit");
    assert!(matches!(failed, BodyError::TooLarge { limit: 3 }));
}

#[tokio::test]
async fn a_copy_is_answered_or_fails_and_the_connection_is_used_again() {
    let upstream = Upstream::answering(OK).await;
    for _ in 0..2 {
        let copied = Tee::new(ProxyBody::full("order")).copy();
        let result = deliver(&upstream.cluster(), head(Request::post("/")), copied, Parent::default()).await;
        assert_eq!(result, MirrorResult::Answered);
    }
    assert_eq!(upstream.connections(), 1);
    let nobody = Cluster::of("shop", closed_port().await);
    let copied = Tee::new(ProxyBody::empty()).copy();
    assert_eq!(deliver(&nobody, head(Request::get("/")), copied, Parent::default()).await, MirrorResult::Failed);
}

#[tokio::test]
async fn a_copy_that_was_given_up_says_why() {
    let upstream = Upstream::start(|mut socket, _| async move {
        socket.rest().await;
    })
    .await;
    let (sender, body) = streaming();
    let mut tee = Tee::new(body);
    let copied = tee.copy();
    sender.send(Ok(data("a"))).unwrap();
    sender.send(Err(BodyError::Timeout)).unwrap();
    text(tee.into_body()).await.expect_err("it broke off");
    let result = deliver(&upstream.cluster(), head(Request::post("/")), copied, Parent::default()).await;
    assert_eq!(result, MirrorResult::BrokenOff);
}

#[tokio::test]
async fn a_service_that_takes_nothing_more_does_not_keep_a_copy_that_was_given_up() {
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let cluster = Cluster::of("shop", silent.local_addr().unwrap());
    let (sender, body) = streaming();
    let mut tee = Tee::new(body);
    let copied = tee.copy();
    let mut body = tee.into_body();
    let delivered =
        tokio::spawn(async move { deliver(&cluster, head(Request::post("/")), copied, Parent::default()).await });
    let chunk = Bytes::from(vec![b'x'; 64 << 10]);
    // More than the system's buffers for a socket hold, on both sides.
    for _ in 0..1024 {
        sender.send(Ok(Frame::data(chunk.clone()))).unwrap();
        body.frame().await.unwrap().unwrap();
        tokio::task::yield_now().await;
    }
    let result = tokio::time::timeout(Duration::from_secs(5), delivered).await.expect("it ends").unwrap();
    assert_eq!(result, MirrorResult::TooSlow);
}

#[tokio::test(start_paused = true)]
async fn a_service_has_fifteen_seconds_to_answer_a_copy() {
    let silent = Upstream::start(|mut socket, _| async move {
        socket.rest().await;
    })
    .await;
    let copied = Tee::new(ProxyBody::full("order")).copy();
    let started = tokio::time::Instant::now();
    let result = deliver(&silent.cluster(), head(Request::post("/")), copied, Parent::default()).await;
    assert_eq!((result, started.elapsed().as_secs()), (MirrorResult::Failed, 15));
}

#[tokio::test]
async fn the_drain_waits_for_copies_and_those_to_nobody_are_counted() {
    let (registry, drain, metrics) = (Registry::default(), Drain::default(), MirrorMetrics::default());
    let mirroring = Mirroring { registry: &registry, drain: &drain, metrics: &metrics, trace: &Parent::default() };
    let body = mirroring.send(check(vec![mirror("nowhere")]).unwrap(), &head(Request::get("/")), ProxyBody::empty());
    assert!(body.is_known());
    assert_eq!((metrics.count(MirrorResult::NoService), drain.tracked()), (1, 0));

    let silent = Upstream::start(|mut socket, _| async move {
        socket.rest().await;
    })
    .await;
    let mut tee = Tee::new(ProxyBody::empty());
    mirroring.start(silent.cluster(), head(Request::get("/")), &mut tee);
    assert_eq!(drain.tracked(), 1);
    drain.finish(Duration::from_millis(20)).await;
    drain.finished().await;
    assert!(metrics.enter(1).is_some(), "a copy that was ended is no longer in flight");
}

#[tokio::test]
async fn more_copies_than_allowed_are_not_sent() {
    let (registry, drain, metrics) = (Registry::default(), Drain::default(), MirrorMetrics::default());
    let mirroring = Mirroring { registry: &registry, drain: &drain, metrics: &metrics, trace: &Parent::default() };
    let others: Vec<_> = (0..limits::MIRRORS_IN_FLIGHT).map(|_| metrics.enter(i64::MAX)).collect();
    let mut tee = Tee::new(ProxyBody::empty());
    mirroring.start(Cluster::of("shop", closed_port().await), head(Request::get("/")), &mut tee);
    assert_eq!((metrics.count(MirrorResult::TooMany), drain.tracked()), (1, 0));
    drop(others);
    assert!(metrics.enter(1).is_some());
}

#[test]
fn mirrors_that_cannot_be_sent_are_refused() {
    assert!(check(vec![mirror("shop"); limits::MIRRORS]).is_ok());
    assert!(check(vec![mirror("shop"); limits::MIRRORS + 1]).is_err());
    let named = |authority: &str| types::Mirror { authority: Some(authority.into()), ..mirror("shop") };
    let checked = check(vec![named("shop-shadow:80")]).unwrap();
    assert_eq!(checked[0].authority.as_ref().unwrap(), "shop-shadow:80");
    assert!(check(vec![named("user@shop")]).is_err());
    assert!(check(vec![named("a b")]).is_err());
}
