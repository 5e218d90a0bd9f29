//! HTTP/1.0 and HTTP/1.1.

use super::track::{InFlight, Tracked};
use super::{ConnectionInfo, GateHandle, GateIo, Handler, caught};
use crate::body::ProxyBody;
use crate::config::limits::READ_BUFFER;
use crate::error::RequestError;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// The HTTP library as it serves every connection.
fn library() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.keep_alive(true).half_close(false).max_buf_size(READ_BUFFER);
    builder
}

pub(super) async fn serve<S, H>(
    io: GateIo<S>,
    gate: GateHandle,
    handler: Arc<H>,
    info: &Arc<ConnectionInfo>,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    H: Handler,
{
    let (mut io, state) = (Box::new(io), gate.clone());
    let mut service = service_fn(move |mut request: Request<Incoming>| {
        let number = gate.start();
        if !gate.wants_upgrade() {
            // The library would hand the connection over at its end, whoever asked for whatever protocol.
            request.extensions_mut().remove::<OnUpgrade>();
        }
        let guard = InFlight(gate.clone());
        let (handler, info) = (Arc::clone(&handler), Arc::clone(info));
        async move {
            let response = match guard.0.violation_of(number) {
                Some(violation) if !violation.in_body => closing(handler.refuse(&info, &violation.error)),
                _ => match caught::handle(&handler, &info, request).await {
                    Ok(response) => {
                        let response = conclude(response, &guard.0, handler.as_ref(), &info);
                        let is_last = info.drain.is_draining() && response.status() != StatusCode::SWITCHING_PROTOCOLS;
                        let ends = is_last || guard.0.violation_of(number).is_some();
                        if ends { closing(response) } else { response }
                    }
                    Err(answer) => {
                        guard.0.settle(false);
                        closing(answer)
                    }
                },
            };
            Ok::<_, Infallible>(response.map(|body| Tracked { body, guard }))
        }
    });
    let builder = library();
    let mut drained = pin!(drained(info));
    loop {
        let parts = {
            // On the heap, and gone while the connection rests: what the library holds is many times what is needed then.
            let mut connection = Box::new(builder.serve_connection(TokioIo::new(io), service).with_upgrades());
            loop {
                let finished = state.finished();
                tokio::select! {
                    biased;
                    result = &mut *connection => return result,
                    () = drained.as_mut() => {
                        std::pin::Pin::new(&mut *connection).graceful_shutdown();
                        return connection.await;
                    }
                    () = sleep(info.timeouts.rest) => if state.has_rested(finished) { break },
                }
            }
            // Nothing that was read waits there while it rests; and only an upgrade leaves no parts, which never rests. The
            // buffer goes now, not after the rest.
            let parts = connection.into_parts().filter(|parts| parts.read_buf.is_empty());
            parts.map(|parts| (parts.io.into_inner(), parts.service))
        };
        let Some(parts) = parts else { return Ok(()) };
        (io, service) = parts;
        let goes_on = tokio::select! {
            biased;
            goes_on = io.rest() => goes_on,
            () = drained.as_mut() => false,
        };
        if !goes_on {
            // The client may be gone already.
            let _ = io.shutdown().await;
            return Ok(());
        }
    }
}

/// A moment after the proxy begins to end. Whatever is answered within it says that it is the last: a client whose next
/// request is on its way then is not to find its connection closed.
async fn drained(info: &ConnectionInfo) {
    info.drain.signal().await;
    sleep(info.timeouts.last_request).await;
}

/// Settles what the response means for the connection.
fn conclude<H: Handler>(
    response: Response<ProxyBody>,
    gate: &GateHandle,
    handler: &H,
    info: &ConnectionInfo,
) -> Response<ProxyBody> {
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switches && !gate.wants_upgrade() {
        let reason = "101 to a request that did not ask for it".to_owned();
        let error = RequestError::BadResponse { endpoint: "the upstream".to_owned(), reason };
        return closing(handler.refuse(info, &error));
    }
    gate.settle(switches);
    response
}

fn closing(mut response: Response<ProxyBody>) -> Response<ProxyBody> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::super::opening::FIRST_READ;
    use super::*;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};
    use tokio::io::{ReadBuf, join, sink};

    /// Notes how much room the first read has, and ends.
    struct Room(Arc<AtomicUsize>);

    impl AsyncRead for Room {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
            self.0.fetch_max(buffer.remaining(), Ordering::Relaxed);
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn the_library_begins_with_as_much_room_as_the_first_read_here() {
        let room = Arc::new(AtomicUsize::new(0));
        let stream = TokioIo::new(join(Room(Arc::clone(&room)), sink()));
        let answer = |_: Request<Incoming>| async { Ok::<_, Infallible>(Response::new(ProxyBody::empty())) };
        library().serve_connection(stream, service_fn(answer)).await.unwrap();
        assert_eq!(room.load(Ordering::Relaxed), FIRST_READ);
    }
}
