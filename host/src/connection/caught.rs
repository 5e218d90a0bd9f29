//! A fault of the proxy's own code, a panic, ends the request that it happened on and nothing else: its client is answered 500,
//! and other requests, those on the same HTTP/2 connection included, go on.
//!
//! What the request held is dropped as the panic unwinds: a connection to an upstream is closed, a filter's instance is thrown
//! away. Where and how often it happens, [`crate::telemetry::faults`] says.

use super::{ConnectionInfo, Handler};
use crate::body::{BodyError, ProxyBody};
use crate::respond;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The handler's answer, or, after a panic, the one that says so.
pub(super) async fn handle<H: Handler>(
    handler: &Arc<H>,
    connection: &Arc<ConnectionInfo>,
    request: Request<Incoming>,
) -> Result<Response<ProxyBody>, Response<ProxyBody>> {
    let is_head = request.method() == Method::HEAD;
    // Whatever is shared between requests is behind locks and atomics that outlive a panic; what is not goes with the request.
    let handling = AssertUnwindSafe(Arc::clone(handler).handle(Arc::clone(connection), request));
    handling.catch_unwind().await.map_err(|_| {
        let answer = handler.broken(connection);
        if is_head { respond::head_only(answer) } else { answer }
    })
}

/// The next frame of a response's body. A body that panics has failed, and is not asked again.
pub(super) fn poll_frame(
    body: &mut ProxyBody,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *body).poll_frame(context)));
    polled.unwrap_or_else(|_| {
        *body = ProxyBody::empty();
        Poll::Ready(Some(Err(BodyError::Fault)))
    })
}
