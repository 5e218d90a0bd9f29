//! TLS to servers, as the proxy does it everywhere; also for clients of servers that have no TLS, or not the proxy's: they
//! get a socket of this process, and what they write to it is carried to the server.

use crate::config::ServerTls;
use crate::tls::client::{ClientTerms, Connector, Identity};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What it takes to speak to one server over TLS.
#[derive(Clone)]
pub(in crate::event::store) struct Tls {
    host: String,
    port: u16,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{} over TLS", self.host, self.port)
    }
}

impl Tls {
    /// Reads the files of the settings.
    ///
    /// # Errors
    /// When one cannot be read, or is not what it should be.
    pub(in crate::event::store) fn new(settings: &ServerTls, host: &str, port: u16) -> io::Result<Self> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let Connector { config, server_name } = connector(settings, &host)?;
        Ok(Self { host, port, name: server_name, config })
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        TlsConnector::from(Arc::clone(&self.config)).connect(self.name.clone(), stream).await
    }

    /// Connects; gives a socket whose other end is carried to the server until either of them ends. It has no address: it is
    /// one of a pair, of a kind that the client takes.
    pub(in crate::event::store) async fn socket(&self) -> io::Result<TcpStream> {
        let far = self.connect().await?;
        let (given, kept) = std::os::unix::net::UnixStream::pair()?;
        given.set_nonblocking(true)?;
        kept.set_nonblocking(true)?;
        tokio::spawn(carry(UnixStream::from_std(kept)?, far));
        TcpStream::from_std(std::net::TcpStream::from(OwnedFd::from(given)))
    }
}

/// For a client that has TLS of the same kind, and says by itself which server it means.
///
/// # Errors
/// As [`Tls::new`].
pub(in crate::event::store) fn config(settings: &ServerTls) -> io::Result<ClientConfig> {
    Ok((*connector(settings, "localhost")?.config).clone())
}

fn connector(settings: &ServerTls, host: &str) -> io::Result<Connector> {
    let own = match (&settings.certificate, &settings.key) {
        (Some(chain), Some(key)) => Some(Identity { chain: read(chain)?, key: read(key)? }),
        _ => None,
    };
    let authorities = settings.ca.as_ref().map(read).transpose()?;
    let terms = ClientTerms { server_name: host.to_owned(), authorities, own, ..ClientTerms::default() };
    terms.connector().map_err(|error| io::Error::other(format!("TLS to {host}: {error}")))
}

/// A file, whose name is said where it cannot be read.
pub(in crate::event::store) fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let path = path.as_ref();
    std::fs::read(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// What goes wrong ends both, as the client and the server see.
async fn carry(mut near: impl AsyncRead + AsyncWrite + Unpin, mut far: TlsStream<TcpStream>) {
    let _ = copy_bidirectional(&mut near, &mut far).await;
}

/// A Unix socket of this process alone, each of whose connections is carried to the server.
#[derive(Debug)]
pub(in crate::event::store) struct Door {
    directory: PathBuf,
}

impl Door {
    /// Opens it, in a directory that only this user may enter; connections are carried for as long as the runtime lives.
    ///
    /// # Errors
    /// When there is no place for it.
    pub(in crate::event::store) fn open(tls: Tls, server: &'static str) -> io::Result<Self> {
        let directory = std::env::temp_dir().join(format!("sluicegate-{:032x}", fastrand::u128(..)));
        // It fails where somebody else has made it.
        DirBuilder::new().mode(0o700).create(&directory)?;
        let door = Self { directory };
        let listener = UnixListener::bind(door.path())?;
        tokio::spawn(serve(listener, Arc::new(tls), server));
        Ok(door)
    }

    /// Where it is.
    pub(in crate::event::store) fn path(&self) -> PathBuf {
        self.directory.join("server")
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // What is left is an empty place.
        let _ = std::fs::remove_file(self.path());
        let _ = std::fs::remove_dir(&self.directory);
    }
}

async fn serve(listener: UnixListener, tls: Arc<Tls>, server: &'static str) {
    let last = Arc::new(Mutex::new(String::new()));
    while let Ok((near, _)) = listener.accept().await {
        let (tls, last) = (Arc::clone(&tls), Arc::clone(&last));
        tokio::spawn(async move {
            let said = match tls.connect().await {
                Ok(far) => return carry(near, far).await,
                Err(error) => error.to_string(),
            };
            // The client only sees that its connection ends; the same reason is said once.
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if *last != said {
                tracing::warn!(reason = said, "no connection over TLS to the {server}");
                *last = said;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::Authority;
    use crate::tls::{Greeted, HostPattern, accept, certificate, server};
    use std::os::unix::fs::PermissionsExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that sends back what it gets, and what knows it.
    async fn echo(authority: &Authority, name: &str) -> (u16, tempfile::TempDir, ServerTls) {
        let pair = authority.issue(&[name]);
        let certified = certificate::certified_key(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
        let config = server::Terms::simple(certified).config().unwrap();
        let all = server::Server { hosts: vec![HostPattern::Any], action: server::Action::Terminate(config) };
        let servers = Arc::new(server::Servers::new(vec![all]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let servers = Arc::clone(&servers);
                tokio::spawn(async move {
                    let Ok(Greeted::Terminated(stream, _)) = accept(stream, &servers).await else { return };
                    let (mut read, mut write) = tokio::io::split(stream);
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, authority.certificate()).unwrap();
        (port, directory, ServerTls { ca: Some(ca), ..ServerTls::default() })
    }

    async fn says_back(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> bool {
        let mut bytes = [0; 5];
        stream.write_all(b"hello").await.is_ok() && stream.read_exact(&mut bytes).await.is_ok() && bytes == *b"hello"
    }

    #[tokio::test]
    async fn what_is_written_to_a_socket_of_this_process_goes_to_the_server_over_tls() {
        let authority = Authority::new("ca");
        let (port, _directory, settings) = echo(&authority, "127.0.0.1").await;
        let tls = Tls::new(&settings, "127.0.0.1", port).unwrap();
        assert!(says_back(tls.socket().await.unwrap()).await);
        let door = Door::open(tls, "server").unwrap();
        assert!(says_back(UnixStream::connect(door.path()).await.unwrap()).await);
        let mode = std::fs::metadata(&door.directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "nobody else gets there");
        let directory = door.directory.clone();
        drop(door);
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn a_server_that_is_another_gets_nothing() {
        let authority = Authority::new("ca");
        let (port, _directory, settings) = echo(&authority, "other.example").await;
        let tls = Tls::new(&settings, "127.0.0.1", port).unwrap();
        assert!(tls.socket().await.is_err());
        let door = Door::open(tls, "server").unwrap();
        assert!(!says_back(UnixStream::connect(door.path()).await.unwrap()).await);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let settings = ServerTls { ca: Some("/nowhere/ca.pem".into()), ..ServerTls::default() };
        assert!(Tls::new(&settings, "localhost", 1).unwrap_err().to_string().contains("/nowhere/ca.pem"));
    }
}
