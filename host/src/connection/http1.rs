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
use tokio::io::{AsyncRead, AsyncWrite};

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
    let service = service_fn(move |mut request: Request<Incoming>| {
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
    let mut builder = http1::Builder::new();
    builder.keep_alive(true).half_close(false).max_buf_size(READ_BUFFER);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service).with_upgrades());
    tokio::select! {
        biased;
        result = connection.as_mut() => return result,
        () = info.drain.signal() => {}
    }
    // Whatever is answered from now on says that it is the last. A client whose next request is on its way as the proxy ends
    // is not to find its connection closed.
    tokio::select! {
        biased;
        result = connection.as_mut() => return result,
        () = tokio::time::sleep(info.timeouts.last_request) => connection.as_mut().graceful_shutdown(),
    }
    connection.await
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
