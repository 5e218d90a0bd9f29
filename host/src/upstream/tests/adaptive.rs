//! From when on requests count for the adaptive limit of their service.

use super::harness::{OK, Socket, Upstream, get, head, text};
use crate::body::{BodyError, ProxyBody};
use crate::error::RequestError;
use crate::priority::Priority;
use crate::shed::{Shed, ShedReason};
use crate::upstream::adaptive::{Bounds, Load};
use crate::upstream::registry::Cluster;
use crate::upstream::{ForwardPolicy, forward};
use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

type Sender = UnboundedSender<Result<Frame<Bytes>, BodyError>>;

/// A body that streams what is sent, and ends with its sender.
fn streaming() -> (Sender, ProxyBody) {
    let (sender, mut receiver) = unbounded_channel();
    (sender, ProxyBody::stream(StreamBody::new(poll_fn(move |context| receiver.poll_recv(context)))))
}

fn say(sender: &Sender, text: &'static str) {
    sender.send(Ok(Frame::data(Bytes::from(text)))).unwrap();
}

/// A limit that stays at one.
fn alone(conversation: bool) -> ForwardPolicy {
    let bounds = Some(Bounds { least: 1, most: 1 });
    let load = Load { bounds, priority: Priority::default(), share: 100 };
    ForwardPolicy { conversation, load, ..ForwardPolicy::default() }
}

/// Answers what is asked with GET at once, and nothing else; tells how many others came.
async fn deaf_to_uploads() -> (Upstream, Arc<AtomicUsize>) {
    let uploads = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&uploads);
    let upstream = Upstream::start(move |mut socket: Socket, _| {
        let seen = Arc::clone(&seen);
        async move {
            while let Some(head) = socket.head().await {
                if !head.starts_with("GET") {
                    seen.fetch_add(1, Ordering::SeqCst);
                    socket.rest().await;
                    return;
                }
                socket.send(OK).await;
            }
        }
    })
    .await;
    (upstream, uploads)
}

async fn ask(cluster: &Cluster) -> Result<String, RequestError> {
    let forwarded = forward(cluster, get("/"), ProxyBody::empty(), &alone(false)).await?;
    Ok(text(forwarded).await)
}

#[tokio::test]
async fn an_upload_takes_room_only_once_it_has_ended() {
    for conversation in [false, true] {
        let (upstream, uploads) = deaf_to_uploads().await;
        let cluster = upstream.cluster();
        let (sender, body) = streaming();
        say(&sender, "a little");
        let uploading = tokio::spawn({
            let cluster = cluster.clone();
            async move { forward(&cluster, head(Request::post("/")), body, &alone(conversation)).await.map(drop) }
        });
        while uploads.load(Ordering::SeqCst) == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(ask(&cluster).await.as_deref(), Ok("ok"), "beside an upload; a conversation: {conversation}");
        drop(sender);
        let full = async {
            loop {
                match ask(&cluster).await {
                    Err(error) => break error,
                    Ok(_) => sleep(Duration::from_millis(1)).await,
                }
            }
        };
        let refused = timeout(Duration::from_secs(5), full).await.expect("the service now owes an answer");
        assert_eq!(refused, RequestError::Overloaded(Shed::new(ShedReason::Service, Priority::default())));
        uploading.abort();
        assert!(uploading.await.unwrap_err().is_cancelled());
        assert_eq!(ask(&cluster).await.as_deref(), Ok("ok"), "nobody waits any more");
    }
}

#[tokio::test]
async fn an_upload_finds_no_room_where_nothing_else_would() {
    let (upstream, uploads) = deaf_to_uploads().await;
    let cluster = upstream.cluster();
    let waiting = tokio::spawn({
        let cluster = cluster.clone();
        async move { forward(&cluster, head(Request::post("/")), ProxyBody::full("all"), &alone(false)).await.map(drop) }
    });
    while uploads.load(Ordering::SeqCst) == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    let (sender, body) = streaming();
    say(&sender, "a little");
    let refused = forward(&cluster, head(Request::post("/")), body, &alone(false)).await.unwrap_err();
    assert!(matches!(refused, RequestError::Overloaded(_)), "{refused:?}");
    waiting.abort();
}

#[tokio::test]
async fn calls_are_measured_from_the_end_of_their_upload() {
    let upstream = Upstream::start(|mut socket, _| async move {
        while socket.head().await.is_some() {
            socket.read("2\r\nhi\r\n0\r\n\r\n".len()).await;
            sleep(Duration::from_millis(5)).await;
            socket.send(OK).await;
        }
    })
    .await;
    let cluster = upstream.cluster();
    for _ in 0..crate::config::limits::ADAPTIVE_SAMPLES {
        assert_eq!(cluster.state().adaptive(), None);
        let (sender, body) = streaming();
        say(&sender, "hi");
        let upload = async move {
            sleep(Duration::from_millis(50)).await;
            drop(sender);
        };
        let post = head(Request::post("/"));
        let policy = alone(true);
        let (forwarded, ()) = tokio::join!(forward(&cluster, post, body, &policy), upload);
        assert_eq!(text(forwarded.unwrap()).await, "ok");
    }
    let figures = cluster.state().adaptive().expect("there are enough to say something");
    assert!((5..50).contains(&figures.latency.as_millis()), "{figures:?}");
    assert_eq!(figures.in_flight, 0);
}
