//! The handshake of one connection, and what its requests may ask for.

use super::server::{Action, Servers};
use rustls::server::Acceptor;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// A fatal alert `unrecognized_name` (RFC 6066, section 3; RFC 8446, section 6), as a record.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// No server takes the name.
    #[error("no server takes the name {}", .0.as_deref().unwrap_or("(none)"))]
    UnknownName(Option<String>),
    /// The two do not agree, or the client does not speak TLS, or it is gone.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// Which server of a listener a connection belongs to.
#[derive(Debug, Clone)]
pub struct Session {
    /// The name that the client sent, in lower case.
    pub name: Option<Arc<str>>,
    servers: Arc<Servers>,
    server: usize,
}

impl Session {
    /// Whether a request for this authority belongs to the connection's server. One that does not was sent to the wrong
    /// connection, and might escape what its own server asks of clients.
    pub fn serves(&self, authority: &str) -> bool {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let same_name = self.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(host));
        same_name || self.servers.find(Some(host)) == Some(self.server)
    }
}

/// Takes a client's part of the handshake, chooses the server, and completes it. It takes as long as the client likes.
pub async fn accept<S>(stream: S, servers: &Arc<Servers>) -> Result<(TlsStream<S>, Session), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let name = start.client_hello().server_name().map(str::to_ascii_lowercase);
    let found = servers.find(name.as_deref()).and_then(|number| Some((number, servers.server(number)?)));
    let Some((server, chosen)) = found else {
        // The client is told why, if it still listens; either way the connection ends.
        let _ = start.io.write_all(&UNRECOGNIZED_NAME).await;
        let _ = start.io.shutdown().await;
        return Err(HandshakeError::UnknownName(name));
    };
    let Action::Terminate(config) = &chosen.action;
    let stream = start.into_stream(Arc::clone(config)).await?;
    Ok((stream, Session { name: name.map(Arc::from), servers: Arc::clone(servers), server }))
}

#[cfg(test)]
mod tests;
