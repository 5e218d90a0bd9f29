//! A handler that panics, behind the layer that the proxy itself serves with.

use super::*;
use http_body_util::{Empty, Full};
use hyper::client::conn::http2::SendRequest;

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::builder().uri(format!("http://a{path}")).body(Empty::new()).unwrap()
}

async fn text(response: hyper::Result<Response<Incoming>>) -> (u16, String) {
    let response = response.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_panic_is_answered_500_and_ends_its_http1_connection() {
    let server = Server::start().await;
    let mut other = server.connect().await;
    other.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = server.exchange(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(statuses(&answer), [500]);
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with("the proxy failed on this request"), "{answer}");
    other.until("slow").await;
}

#[tokio::test]
async fn a_panic_leaves_the_other_streams_of_its_http2_connection_alone() {
    let server = Server::start().await;
    let mut sender: SendRequest<Empty<Bytes>> = http2::client(&server).await;
    let beside = sender.send_request(request("/slow"));
    let broken = sender.send_request(request("/panic"));
    let (beside, broken) = tokio::join!(beside, broken);
    assert_eq!(text(broken).await, (500, "the proxy failed on this request".to_owned()));
    assert_eq!(text(beside).await, (200, "slow".to_owned()));
    let after = sender.send_request(request("/slow")).await;
    assert_eq!(text(after).await, (200, "slow".to_owned()), "on the same connection");
}

#[tokio::test]
async fn a_panic_on_a_head_request_is_answered_without_a_body() {
    let server = Server::start().await;
    let mut sender: SendRequest<Empty<Bytes>> = http2::client(&server).await;
    let mut head = request("/panic");
    *head.method_mut() = http::Method::HEAD;
    let response = sender.send_request(head).await.unwrap();
    assert_eq!(response.headers()["content-length"], "32");
    assert_eq!(text(Ok(response)).await, (500, String::new()));
}

#[tokio::test]
async fn a_body_that_panics_ends_its_own_response_alone() {
    let server = Server::start().await;
    let mut sender: SendRequest<Empty<Bytes>> = http2::client(&server).await;
    let broken = sender.send_request(request("/broken-body"));
    let beside = sender.send_request(request("/slow"));
    let (broken, beside) = tokio::join!(broken, beside);
    // What was sent of it may be lost with the stream.
    let whole = match broken {
        Ok(response) => response.into_body().collect().await.is_ok(),
        Err(_) => false,
    };
    assert!(!whole, "a broken body is taken for a whole one");
    assert_eq!(text(beside).await, (200, "slow".to_owned()));
    // On HTTP/1 the missing last chunk says the same.
    let answer = server.exchange(b"GET /broken-body HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    assert_eq!(statuses(&server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await), [200]);
}

/// Panics after its first frame.
pub(super) fn broken_body() -> ProxyBody {
    let first = Full::<Bytes>::from("half").map_err(|never| match never {});
    let second = http_body_util::StreamBody::new(futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<_>> {
        let none: Option<Result<http_body::Frame<Bytes>, BodyError>> = None;
        assert!(none.is_some(), "a body that panics");
        std::task::Poll::Ready(none)
    }));
    ProxyBody::stream(Both { first: Some(first), second })
}

struct Both<A, B> {
    first: Option<A>,
    second: B,
}

impl<A, B> http_body::Body for Both<A, B>
where
    A: http_body::Body<Data = Bytes, Error = BodyError> + Unpin,
    B: http_body::Body<Data = Bytes, Error = BodyError> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, BodyError>>> {
        match self.first.take() {
            Some(mut first) => std::pin::Pin::new(&mut first).poll_frame(context),
            None => std::pin::Pin::new(&mut self.second).poll_frame(context),
        }
    }
}
