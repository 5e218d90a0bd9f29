//! A real service that records what arrives and behaves as it is told.

mod behaviour;
mod secure;

use crate::background::{self, AbortOnDrop};
use crate::tls::{Authority, Pair};
use behaviour::ScriptedBody;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub use behaviour::Behaviour;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers, in order.
    pub headers: HeaderMap,
    /// The body, as far as it came.
    pub body: Bytes,
    /// The trailers, if there were any.
    pub trailers: Option<HeaderMap>,
    /// Whether the whole body came.
    pub complete: bool,
    /// The connection that it came on, counted from 1.
    pub connection: usize,
    /// The name that the connection's client has asked for, where TLS is spoken.
    pub server_name: Option<String>,
    /// The certificate that it has shown, as it came over the wire.
    pub certificate: Option<Vec<u8>>,
}

/// What the connections of requests have in common.
#[derive(Debug, Clone, Default)]
struct Arrival {
    connection: usize,
    server_name: Option<String>,
    certificate: Option<Vec<u8>>,
}

impl Recorded {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        Some(String::from_utf8_lossy(self.headers.get(name)?.as_bytes()).into_owned())
    }
}

/// A service on a free port. Dropping it closes the listener; connections end with their clients.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
    _task: AbortOnDrop,
}

#[derive(Debug)]
struct State {
    script: Vec<Behaviour>,
    /// Heads that have arrived.
    arrived: AtomicUsize,
    connections: AtomicUsize,
    /// Exchanges that their client ended before the answer was complete.
    abandoned: AtomicUsize,
    requests: Mutex<Vec<Recorded>>,
}

impl Upstream {
    /// A service that answers everything with 200 and `ok`.
    pub fn start() -> Self {
        Self::with(Behaviour::text("ok"))
    }

    /// A service that behaves the same way every time.
    pub fn with(behaviour: Behaviour) -> Self {
        Self::scripted([behaviour])
    }

    /// A service that answers with these statuses, one after the other, and with the last one from then on.
    pub fn statuses(statuses: impl IntoIterator<Item = u16>) -> Self {
        Self::scripted(statuses.into_iter().map(Behaviour::status))
    }

    /// A service that behaves as the script says, request by request in the order of their arrival, and as its last
    /// entry from then on.
    ///
    /// # Panics
    /// When the script is empty.
    #[track_caller]
    pub fn scripted(script: impl IntoIterator<Item = Behaviour>) -> Self {
        Self::serving(script, None)
    }

    /// A service that speaks TLS with this certificate, and asks clients for one of an authority if there is one here.
    /// Answers everything with 200 and `ok`.
    #[track_caller]
    pub fn secure(pair: &Pair, clients: Option<&Authority>) -> Self {
        let mut tls = pair.server(clients);
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self::serving([Behaviour::text("ok")], Some(TlsAcceptor::from(Arc::new(tls))))
    }

    #[track_caller]
    fn serving(script: impl IntoIterator<Item = Behaviour>, tls: Option<TlsAcceptor>) -> Self {
        let script: Vec<Behaviour> = script.into_iter().collect();
        assert!(!script.is_empty(), "a script says at least one thing");
        let listener = background::run(async { TcpListener::bind(("127.0.0.1", 0)).await }).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let state = Arc::new(State {
            script,
            arrived: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            abandoned: AtomicUsize::new(0),
            requests: Mutex::new(Vec::new()),
        });
        let task = background::spawn(accept(listener, tls, Arc::clone(&state)));
        Self { address, state, _task: AbortOnDrop(task) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests whose body has come or broken off, in that order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many request heads have arrived, those included whose body has not.
    pub fn arrived(&self) -> usize {
        self.state.arrived.load(Ordering::SeqCst)
    }

    /// How many exchanges their client has ended before the answer was complete.
    pub fn abandoned(&self) -> usize {
        self.state.abandoned.load(Ordering::SeqCst)
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let connection = state.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let arrival = Arrival { connection, ..Arrival::default() };
        match tls.clone() {
            None => background::spawn(serve(stream, Arc::clone(&state), arrival)),
            Some(tls) => background::spawn(secure::serve(tls, stream, Arc::clone(&state), arrival)),
        };
    }
}

async fn serve<S>(stream: S, state: Arc<State>, arrival: Arrival)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let (state, arrival) = (Arc::clone(&state), arrival.clone());
        async move { state.answer(request, arrival).await }
    });
    // A behaviour may break the connection, and so may the client; the test looks at what the client sees.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

/// Counts an exchange as abandoned when it is dropped before its answer is complete.
#[derive(Debug)]
struct Unfinished(Option<Arc<State>>);

impl Unfinished {
    fn finish(&mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(state) = self.0.take() {
            state.abandoned.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl State {
    async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        arrival: Arrival,
    ) -> Result<Response<ScriptedBody>, behaviour::Broken> {
        let mut unfinished = Unfinished(Some(Arc::clone(self)));
        match self.behave(request, arrival).await {
            Ok(response) if response.body().is_end_stream() => {
                unfinished.finish();
                Ok(response)
            }
            Ok(response) => Ok(response.map(|body| behaviour::watched(body, move || unfinished.finish()))),
            Err(broken) => {
                unfinished.finish();
                Err(broken)
            }
        }
    }

    async fn behave(
        &self,
        request: Request<Incoming>,
        arrival: Arrival,
    ) -> Result<Response<ScriptedBody>, behaviour::Broken> {
        let number = self.arrived.fetch_add(1, Ordering::SeqCst);
        let behaviour = self.script.get(number).or(self.script.last()).cloned().unwrap_or(Behaviour::Reset);
        if behaviour.takes_body_itself() {
            self.record(recorded(&request, arrival));
            return behaviour.stream(request);
        }
        let head = recorded(&request, arrival);
        let arrived = match request.into_body().collect().await {
            Ok(body) => Recorded { trailers: body.trailers().cloned(), body: body.to_bytes(), complete: true, ..head },
            Err(_) => head,
        };
        self.record(arrived.clone());
        behaviour.answer(arrived).await
    }

    fn record(&self, request: Recorded) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }
}

/// The head of a request, as a record whose body has not come.
fn recorded(request: &Request<Incoming>, arrival: Arrival) -> Recorded {
    let Arrival { connection, server_name, certificate } = arrival;
    Recorded {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        headers: request.headers().clone(),
        body: Bytes::new(),
        trailers: None,
        complete: false,
        connection,
        server_name,
        certificate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Client, Request};
    use crate::raw::raw;
    use crate::wait::wait_until;
    use std::time::{Duration, Instant};

    fn ask(upstream: &Upstream) -> Result<crate::Answer, String> {
        Client::connect(upstream.address()).send(Request::post("http://shop/path?q", "data").header("x-one", "1"))
    }

    #[test]
    fn statuses_follow_their_sequence_and_stay_at_the_last() {
        let upstream = Upstream::statuses([503, 200]);
        let seen: Vec<u16> = (0..3).map(|_| ask(&upstream).unwrap().status).collect();
        assert_eq!(seen, [503, 200, 200]);
    }

    #[test]
    fn an_echo_tells_what_has_arrived() {
        let answer = ask(&Upstream::with(Behaviour::Echo)).unwrap().json();
        assert_eq!(answer["method"], "POST");
        assert_eq!(answer["target"], "/path?q");
        assert_eq!(answer["headers"]["x-one"][0], "1");
        assert_eq!(answer["body"], "data");
    }

    #[test]
    fn a_delayed_answer_comes_later() {
        let upstream = Upstream::with(Behaviour::text("late").after(Duration::from_millis(100)));
        let start = Instant::now();
        assert_eq!(ask(&upstream).unwrap().text(), "late");
        assert!(start.elapsed() >= Duration::from_millis(100));
    }

    #[test]
    fn half_an_answer_is_cut_short_of_its_length() {
        let upstream = Upstream::with(Behaviour::half("0123456789"));
        assert!(ask(&upstream).is_err(), "a client must see that half is missing");
        let bytes = raw(upstream.address(), "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(text.contains("content-length: 10") && text.ends_with("01234"), "{text}");
    }

    #[test]
    fn chunks_come_one_by_one_and_trailers_at_the_end() {
        let upstream = Upstream::with(Behaviour::Chunks {
            chunks: vec!["one".into(), "two".into()],
            pause: Duration::from_millis(1),
            trailers: vec![("x-end".into(), "yes".into())],
        });
        let bytes = raw(upstream.address(), "GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close\r\n\r\n");
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("3\r\none\r\n3\r\ntwo\r\n0\r\n"), "{text}");
        assert!(text.contains("x-end: yes"), "{text}");
    }

    #[test]
    fn a_client_that_leaves_early_is_noticed_and_one_that_stays_is_not() {
        let slow = Upstream::with(Behaviour::text("late").after(Duration::from_mins(1)));
        let head = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let mut stream = std::net::TcpStream::connect(slow.address()).unwrap();
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        wait_until(Duration::from_secs(5), || slow.arrived() == 1);
        assert_eq!(slow.abandoned(), 0);
        drop(stream);
        wait_until(Duration::from_secs(5), || slow.abandoned() == 1);
        let quick = Upstream::start();
        ask(&quick).unwrap();
        ask(&Upstream::with(Behaviour::Reset)).unwrap_err();
        assert_eq!(quick.abandoned(), 0);
    }

    #[test]
    fn a_stream_comes_back_before_the_request_has_ended() {
        let upstream = Upstream::with(Behaviour::EchoStream);
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let bytes = raw(upstream.address(), format!("{head}4\r\nping\r\n"));
        assert!(String::from_utf8_lossy(&bytes).contains("ping"), "nothing came back while the body was open");
    }

    #[test]
    fn an_upgraded_connection_echoes_bytes() {
        let upstream = Upstream::with(Behaviour::Upgrade);
        let head = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let bytes = raw(upstream.address(), format!("{head}\u{2}\u{1}hello"));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.starts_with("HTTP/1.1 101") && text.ends_with("\u{2}\u{1}hello"), "{text}");
    }

    #[test]
    fn a_body_that_breaks_off_is_recorded_as_incomplete() {
        let upstream = Upstream::start();
        {
            use std::io::Write;
            let mut stream = std::net::TcpStream::connect(upstream.address()).unwrap();
            stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
            wait_until(Duration::from_secs(5), || upstream.arrived() == 1);
        }
        wait_until(Duration::from_secs(5), || upstream.requests().len() == 1);
        assert!(!upstream.requests()[0].complete);
    }
}
