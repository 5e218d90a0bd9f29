//! The handshake of one connection, and what its requests may ask for.

use super::server::{Action, Server, Servers};
use rustls::server::{Accepted, Acceptor};
use rustls::{ProtocolVersion, ServerConnection};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

/// Room for what is read at once of a ClientHello, in bytes: those with post-quantum keys have some 1,700.
const HELLO: usize = 4 << 10;

/// The most that is read of one, in bytes: the largest that TLS allows (RFC 8446, section 4, and 65,535 bytes are the TLS
/// library's limit), in records of a usual size.
const HELLO_LIMIT: usize = 72 << 10;

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

/// What a handshake has led to.
#[derive(Debug)]
pub enum Greeted<S> {
    /// TLS ends here.
    Terminated(Box<TlsStream<S>>, Session),
    /// TLS is not ours to end.
    Passed {
        /// The client.
        stream: S,
        /// What it has sent already.
        sent: Vec<u8>,
        /// The name that it asks for.
        name: String,
    },
}

/// Takes a client's part of the handshake, chooses the server, and completes it where TLS ends here. It takes as long as
/// the client likes.
pub async fn accept<S>(mut stream: S, servers: &Arc<Servers>) -> Result<Greeted<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut sent = Vec::new();
    let accepted = read_hello(&mut stream, &mut sent).await?;
    let name = accepted.client_hello().server_name().map(str::to_ascii_lowercase);
    let found = servers.find(name.as_deref()).and_then(|number| Some((number, servers.server(number)?)));
    match (found, name) {
        (Some((server, Server { action: Action::Terminate(config), .. })), name) => {
            let start = StartHandshake::from_parts(accepted, stream);
            let stream = start.into_stream(Arc::clone(config)).await?;
            let session = Session { name: name.map(Arc::from), servers: Arc::clone(servers), server };
            Ok(Greeted::Terminated(Box::new(stream), session))
        }
        (Some((_, Server { action: Action::Pass, .. })), Some(name)) => Ok(Greeted::Passed { stream, sent, name }),
        (_, name) => {
            refuse_name(&mut stream).await;
            Err(HandshakeError::UnknownName(name))
        }
    }
}

/// The version of TLS that was agreed on, as metrics name it.
pub fn version_name(connection: &ServerConnection) -> &'static str {
    match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "1.2",
        Some(ProtocolVersion::TLSv1_3) => "1.3",
        _ => "",
    }
}

/// Tells the client that nobody has the name, if it still listens; either way the connection ends.
pub async fn refuse_name(stream: &mut (impl AsyncWrite + Unpin)) {
    let _ = stream.write_all(&UNRECOGNIZED_NAME).await;
    let _ = stream.shutdown().await;
}

/// Reads a ClientHello, and keeps its bytes.
async fn read_hello<S>(stream: &mut S, sent: &mut Vec<u8>) -> io::Result<Accepted>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut acceptor = Acceptor::default();
    loop {
        let before = sent.len();
        sent.reserve(HELLO);
        if stream.read_buf(sent).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if sent.len() > HELLO_LIMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the ClientHello is too large"));
        }
        let mut new = sent.get(before..).unwrap_or_default();
        while !new.is_empty() {
            if acceptor.read_tls(&mut new)? == 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the client closed TLS before it began"));
            }
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                alert.write_all(&mut bytes)?;
                // The client is told why, if it still listens.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
}

#[cfg(test)]
mod tests;
