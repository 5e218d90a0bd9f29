//! Services that speak TLS.

use super::{Arrival, State};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

pub(super) async fn serve(tls: TlsAcceptor, stream: TcpStream, state: Arc<State>, arrival: Arrival) {
    // The test looks at what becomes of the client.
    let Ok(stream) = tls.accept(stream).await else { return };
    let session = stream.get_ref().1;
    let certificate = session.peer_certificates().and_then(|chain| chain.first()).map(|own| own.to_vec());
    let server_name = session.server_name().map(str::to_owned);
    super::serve(stream, state, Arrival { server_name, certificate, ..arrival }).await;
}
