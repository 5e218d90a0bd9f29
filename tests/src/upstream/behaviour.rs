//! What a service does with a request.

use super::Recorded;
use crate::background;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The body of an answer; an error breaks the connection.
pub(super) type ScriptedBody = UnsyncBoxBody<Bytes, Broken>;

/// Long enough for a local socket to take what was written.
const FLUSH: Duration = Duration::from_millis(50);

/// Breaks the connection.
#[derive(Debug)]
pub(super) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the script breaks the connection here")
    }
}

impl std::error::Error for Broken {}

/// One entry of a service's script.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// This answer.
    Answer {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: Vec<(String, String)>,
        /// Its body, with its length.
        body: Bytes,
    },
    /// 200 with what has arrived, as JSON: `method`, `target`, `headers` (name to list), `body` (text), `trailers`.
    Echo,
    /// 200 with the request's body, chunk by chunk as it arrives. The record of the request has no body.
    EchoStream,
    /// 101, then every byte back. The record of the request has no body.
    Upgrade,
    /// 200 with these chunks, with a pause before each, and with trailers.
    Chunks {
        /// The chunks.
        chunks: Vec<Bytes>,
        /// Before each of them.
        pause: Duration,
        /// After them.
        trailers: Vec<(String, String)>,
    },
    /// 200 with the length of this body, and only its first half; then the connection ends.
    Half(Bytes),
    /// The connection ends without an answer.
    Reset,
    /// Another behaviour, later.
    Later(Duration, Box<Behaviour>),
    /// Another behaviour, after so long and some requests at a time: the others queue.
    InTurn(Arc<Semaphore>, Duration, Box<Behaviour>),
}

impl Behaviour {
    /// 200 with a text.
    pub fn text(text: &str) -> Self {
        Self::ok("text/plain", Bytes::copy_from_slice(text.as_bytes()))
    }

    /// 200 with JSON.
    pub fn json(value: &Value) -> Self {
        Self::ok("application/json", Bytes::from(value.to_string()))
    }

    /// A status with an empty body.
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// Half of an answer.
    pub fn half(body: &str) -> Self {
        Self::Half(Bytes::copy_from_slice(body.as_bytes()))
    }

    /// The same, with a delay before it. The request has been recorded by then.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self::Later(delay, Box::new(self))
    }

    /// The same, one request at a time and so long for each: what a service does that is at its limit.
    #[must_use]
    pub fn one_at_a_time(self, each: Duration) -> Self {
        self.some_at_a_time(1, each)
    }

    /// The same, so many requests at a time.
    #[must_use]
    pub fn some_at_a_time(self, number: usize, each: Duration) -> Self {
        Self::InTurn(Arc::new(Semaphore::new(number)), each, Box::new(self))
    }

    fn ok(media_type: &str, body: Bytes) -> Self {
        Self::Answer { status: 200, headers: vec![("content-type".into(), media_type.into())], body }
    }

    /// Whether the body of the request is not to be read before.
    pub(super) fn takes_body_itself(&self) -> bool {
        matches!(self, Self::EchoStream | Self::Upgrade)
    }

    /// Answers a request whose body is still to come.
    pub(super) fn stream(self, request: Request<Incoming>) -> Result<Response<ScriptedBody>, Broken> {
        if matches!(self, Self::Upgrade) {
            return upgrade(request);
        }
        Ok(Response::new(request.into_body().map_err(|_| Broken).boxed_unsync()))
    }

    /// Answers a request that has arrived.
    pub(super) async fn answer(self, request: Recorded) -> Result<Response<ScriptedBody>, Broken> {
        let mut behaviour = self;
        loop {
            behaviour = match behaviour {
                Self::Later(delay, next) => {
                    tokio::time::sleep(delay).await;
                    *next
                }
                Self::InTurn(turn, each, next) => {
                    let _turn = turn.acquire().await;
                    tokio::time::sleep(each).await;
                    *next
                }
                other => break prompt(other, &request),
            };
        }
    }
}

/// What goes out at once.
fn prompt(behaviour: Behaviour, request: &Recorded) -> Result<Response<ScriptedBody>, Broken> {
    match behaviour {
        Behaviour::Answer { status, headers, body } => answer(status, &headers, body),
        Behaviour::Echo => {
            let json = Bytes::from(echo(request).to_string());
            answer(200, &[("content-type".into(), "application/json".into())], json)
        }
        Behaviour::Chunks { chunks, pause, trailers } => Ok(streamed(chunks, pause, map(&trailers))),
        Behaviour::Half(body) => Ok(half(&body)),
        Behaviour::Reset
        | Behaviour::EchoStream
        | Behaviour::Upgrade
        | Behaviour::Later(..)
        | Behaviour::InTurn(..) => Err(Broken),
    }
}

fn answer(status: u16, headers: &[(String, String)], body: Bytes) -> Result<Response<ScriptedBody>, Broken> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Broken)?;
    *response.headers_mut() = map(headers);
    Ok(response)
}

fn half(body: &Bytes) -> Response<ScriptedBody> {
    let first = Ok(Frame::data(body.slice(..body.len() / 2)));
    let frames = stream::iter([first, Err(Broken)]).then(|frame| async {
        if frame.is_err() {
            // The first half has to be on its way before the connection breaks.
            tokio::time::sleep(FLUSH).await;
        }
        frame
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}

fn streamed(chunks: Vec<Bytes>, pause: Duration, trailers: HeaderMap) -> Response<ScriptedBody> {
    // hyper sends only the trailers that were announced.
    let announced = trailers.keys().map(|name| (http::header::TRAILER, HeaderValue::from(name.clone()))).collect();
    let frames = chunks.into_iter().map(Frame::data);
    let end = (!trailers.is_empty()).then(|| Frame::trailers(trailers));
    let frames = stream::iter(frames.chain(end)).then(move |frame| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, Broken>(frame)
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.headers_mut() = announced;
    response
}

/// The same body, which calls `ended` at its end, well or not, but not when it is dropped before.
pub(super) fn watched(body: ScriptedBody, ended: impl FnMut() + Send + Unpin + 'static) -> ScriptedBody {
    Watched { body, ended }.boxed_unsync()
}

struct Watched<F> {
    body: ScriptedBody,
    ended: F,
}

impl<F: FnMut() + Unpin> Body for Watched<F> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let ended = matches!(frame, Poll::Ready(None | Some(Err(_))));
        if ended || (frame.is_ready() && self.body.is_end_stream()) {
            (self.ended)();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn upgrade(request: Request<Incoming>) -> Result<Response<ScriptedBody>, Broken> {
    let asked = request.headers().clone();
    let protocol = asked.get(http::header::UPGRADE).cloned().ok_or(Broken)?;
    background::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
        // It ends with the connection, however that ends.
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    let mut response = answer(101, &[("connection".into(), "upgrade".into())], Bytes::new())?;
    response.headers_mut().insert(http::header::UPGRADE, protocol);
    crate::websocket::accept(&asked, response.headers_mut());
    Ok(response)
}

fn echo(request: &Recorded) -> Value {
    json!({
        "method": request.method,
        "target": request.target,
        "headers": lists(&request.headers),
        "body": String::from_utf8_lossy(&request.body),
        "trailers": request.trailers.as_ref().map(lists),
    })
}

fn lists(headers: &HeaderMap) -> Value {
    let values = |name: &HeaderName| -> Vec<String> {
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    headers.keys().map(|name| (name.to_string(), json!(values(name)))).collect::<serde_json::Map<_, _>>().into()
}

fn map(headers: &[(String, String)]) -> HeaderMap {
    let pair = |(name, value): &(String, String)| {
        (name.parse::<HeaderName>().expect("a header name"), HeaderValue::from_str(value).expect("a header value"))
    };
    headers.iter().map(pair).collect()
}
