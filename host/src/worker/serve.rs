//! A connection that was accepted: plain or over TLS, ended here or passed on as it is.

use super::accept::Worker;
use crate::admission::Place;
use crate::chain::Passing;
use crate::connection::{self, Accepted, Handler};
use crate::drain::Drain;
use crate::listener::Listener;
use crate::request::Arrival;
use crate::socket::Socket;
use crate::telemetry::metrics::HandshakeResult;
use crate::tls::{self, Greeted, HandshakeError};
use crate::upstream::tunnel;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

impl<H: Handler> Worker<H> {
    /// Serves a connection until it is over.
    pub(super) async fn serve(&self, listener: &Listener, stream: TcpStream, peer: SocketAddr, place: Place) {
        // Responses are written whole; waiting for more to put into a segment would only delay them.
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { return };
        let served = listener.served();
        let port = served.port.unwrap_or_else(|| local.port());
        let arrival = Arrival { listener: served.name, port, server_name: None };
        let accepted = Accepted { stream: Socket(stream), peer, local, arrival, tls: None, place };
        let drain = listener.drain.clone();
        match &served.tls {
            None => connection::serve(accepted, Arc::clone(&self.handler), self.timeouts, drain).await,
            // On the heap, so that plain connections need not hold its size.
            Some(servers) => Box::pin(self.serve_tls(servers, accepted, drain)).await,
        }
    }

    async fn serve_tls(&self, servers: &Arc<tls::Servers>, accepted: Accepted<Socket>, drain: Drain) {
        let Accepted { stream, peer, local, mut arrival, place, .. } = accepted;
        let handshake = tokio::time::timeout(self.timeouts.tls_handshake, tls::accept(stream, servers));
        let (stream, session) = match handshake.await {
            Ok(Ok(Greeted::Terminated(stream, session))) => {
                self.handler.handshaken(HandshakeResult::Completed(tls::version_name(stream.get_ref().1)));
                (*stream, session)
            }
            Ok(Ok(Greeted::Passed { stream, sent, name })) => {
                self.handler.handshaken(HandshakeResult::Passed);
                let passing = Passing { name: &name, port: arrival.port, local, peer };
                self.pass(stream, &sent, passing).await;
                return drop(place);
            }
            Ok(Err(error)) => {
                self.handler.handshaken(match error {
                    HandshakeError::UnknownName(_) => HandshakeResult::UnknownName,
                    HandshakeError::Failed(_) => HandshakeResult::Failed,
                });
                return tracing::debug!(%peer, %error, "a TLS handshake failed");
            }
            Err(_) => {
                self.handler.handshaken(HandshakeResult::TimedOut);
                return tracing::debug!(%peer, "a TLS handshake took too long");
            }
        };
        arrival.server_name.clone_from(&session.name);
        let accepted = Accepted { stream, peer, local, arrival, tls: Some(session), place };
        connection::serve(accepted, Arc::clone(&self.handler), self.timeouts, drain).await;
    }

    /// Passes a connection on as it is.
    async fn pass(&self, mut stream: Socket, sent: &[u8], passing: Passing<'_>) {
        let (endpoints, name) = (self.handler.endpoints(&passing), passing.name);
        if endpoints.is_empty() {
            tracing::debug!(name, "no service takes a connection that was to be passed on");
            return tls::refuse_name(&mut stream).await;
        }
        match tunnel::tunnel(stream, sent, &endpoints).await {
            Ok((sent, received)) => tracing::debug!(name, sent, received, "a connection that was passed on ended"),
            Err(error) => tracing::debug!(name, %error, "a connection that was passed on ended with an error"),
        }
    }
}
