//! Connections over real sockets on the loopback, with a handler that echoes.

use super::*;
use crate::body::BodyError;
use bytes::Bytes;
use http_body_util::BodyExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

mod drain;
mod faults;
mod framing;
mod http2;
mod limits;
mod tls;
mod upgrade;

/// More than any test should take.
const PATIENCE: Duration = Duration::from_secs(10);

/// For clients that are waited for once it is clear that nothing more is to come of them.
const SOON: Duration = Duration::from_millis(100);

/// Answers by path, and counts what it was given to handle.
#[derive(Debug, Default)]
struct Echo {
    handled: AtomicUsize,
}

impl Handler for Echo {
    async fn handle(
        self: Arc<Self>,
        connection: Arc<ConnectionInfo>,
        mut request: Request<Incoming>,
    ) -> Response<ProxyBody> {
        self.handled.fetch_add(1, Ordering::Relaxed);
        match request.uri().path() {
            "/panic" => panic!("a handler that panics"),
            "/broken-body" => Response::new(faults::broken_body()),
            "/early" => answer(413, "early"),
            "/unread" => {
                let _body = request.into_body();
                std::future::pending().await
            }
            "/slow" => {
                sleep(Duration::from_millis(300)).await;
                answer(200, "slow")
            }
            "/large" => Response::new(ProxyBody::full(vec![b'x'; 64 << 20])),
            "/switch" => {
                let upgrade = hyper::upgrade::on(&mut request);
                connection.drain.spawn(async move {
                    let Ok(upgraded) = upgrade.await else { return };
                    let mut io = hyper_util::rt::TokioIo::new(upgraded);
                    let mut bytes = [0; 5];
                    io.read_exact(&mut bytes).await.unwrap();
                    io.write_all(&bytes).await.unwrap();
                    io.shutdown().await.unwrap();
                });
                sleep(Duration::from_millis(100)).await;
                answer(101, "")
            }
            _ => match connection.body(request.into_body(), None).collect().await {
                Ok(body) => Response::new(ProxyBody::full(body.to_bytes())),
                Err(error) => self.refuse(&connection, &reason(&connection, &error)),
            },
        }
    }

    fn refuse(&self, _connection: &ConnectionInfo, error: &RequestError) -> Response<ProxyBody> {
        answer(error.status().as_u16(), &error.to_string())
    }
}

fn answer(status: u16, body: &str) -> Response<ProxyBody> {
    let body = ProxyBody::full(Bytes::copy_from_slice(body.as_bytes()));
    Response::builder().status(status).body(body).unwrap()
}

fn reason(connection: &ConnectionInfo, error: &BodyError) -> RequestError {
    let violation = connection.gate.as_ref().and_then(GateHandle::violation);
    match (violation, error) {
        (Some(violation), _) => violation.error.clone(),
        (None, BodyError::Timeout) => RequestError::RequestTimeout,
        (None, _) => RequestError::ClientGone,
    }
}

/// A server for one test.
struct Server {
    address: SocketAddr,
    echo: Arc<Echo>,
    drain: Drain,
}

impl Server {
    async fn start() -> Self {
        Self::with(Timeouts { linger: SOON, last_request: SOON, ..Timeouts::default() }).await
    }

    async fn with(timeouts: Timeouts) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), echo: Arc::default(), drain: Drain::default() };
        let (echo, drain, local) = (Arc::clone(&server.echo), server.drain.clone(), server.address);
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let accepted =
                    Accepted { stream, peer, local, arrival: Arrival::default(), tls: None, place: Place::default() };
                let (echo, token) = (Arc::clone(&echo), drain.track());
                let serving = serve(accepted, echo, timeouts, drain.clone());
                tokio::spawn(async move {
                    serving.await;
                    drop(token);
                });
            }
        });
        server
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends bytes on a new connection and gives all that comes back until the server closes it.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }

    fn handled(&self) -> usize {
        self.echo.handled.load(Ordering::Relaxed)
    }
}

/// A raw client.
struct Client(TcpStream);

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// What comes until the server closes the connection.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("the connection stays open").unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What comes until it ends with `end`.
    async fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        let reading = async {
            while !bytes.ends_with(end.as_bytes()) {
                bytes.push(self.0.read_u8().await.expect("the connection is closed"));
            }
        };
        timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("never came: {end}"));
        String::from_utf8(bytes).unwrap()
    }

    /// Whether nothing comes for a while and the connection stays open.
    async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_millis(50), self.0.read_u8()).await.is_err()
    }
}

/// The statuses in a stream of responses.
fn statuses(responses: &str) -> Vec<u16> {
    let lines = responses
        .match_indices("HTTP/1.1 ")
        .filter_map(|(at, start)| responses.get(at + start.len()..at + start.len() + 3)?.parse().ok());
    lines.collect()
}
