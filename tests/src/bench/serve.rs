//! Serving on one thread.

use anyhow::{Context, Result};
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Listens and answers every request of every connection, until the process ends.
///
/// # Errors
///
/// When the address cannot be listened on or no connection can be accepted.
pub async fn accept<Answer, Answered, Sent>(listen: SocketAddr, answer: Answer) -> Result<()>
where
    Answer: Fn(Request<Incoming>) -> Answered + Copy + Send + 'static,
    Answered: Future<Output = Response<Sent>> + Send + 'static,
    Sent: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let listener = TcpListener::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
    loop {
        let (stream, _) = listener.accept().await.context("no connection can be accepted")?;
        stream.set_nodelay(true).context("a connection is broken")?;
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            // A connection that breaks ends with its load generator; nobody is left to be told.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
