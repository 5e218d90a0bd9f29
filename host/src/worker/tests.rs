use super::*;
use crate::body::ProxyBody;
use crate::connection::ConnectionInfo;
use crate::error::RequestError;
use crate::listener::{Change, Listeners, Planned, Served};
use crate::request::ListenerName;
use crate::tls;
use http::{Request, Response};
use hyper::body::Incoming;
use std::collections::HashSet;
use std::io::{Read, Write};

/// Answers with the number of the worker it runs on.
struct Where;

impl Handler for Where {
    async fn handle(
        self: Arc<Self>,
        connection: Arc<ConnectionInfo>,
        mut request: Request<Incoming>,
    ) -> Response<ProxyBody> {
        if request.uri().path() == "/switch" {
            let upgrade = hyper::upgrade::on(&mut request);
            connection.drain.spawn(async move {
                let _upgraded = upgrade.await;
                std::future::pending::<()>().await;
            });
            return Response::builder().status(101).body(ProxyBody::empty()).unwrap();
        }
        assert_ne!(request.uri().path(), "/panic");
        if request.uri().path() == "/never" {
            std::future::pending::<()>().await;
        }
        if request.uri().path() == "/slow" {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Response::new(ProxyBody::full(index().to_string()))
    }

    fn refuse(&self, _connection: &ConnectionInfo, error: &RequestError) -> Response<ProxyBody> {
        Response::builder().status(error.status()).body(ProxyBody::empty()).unwrap()
    }
}

fn start(connections: ConnectionLimits) -> Workers {
    let settings = Settings { workers: 2, connections, ..Settings::new(vec![([127, 0, 0, 1], 0).into()]) };
    Workers::start(&settings, &Arc::new(Where), &Drain::default(), &Inherited::default()).unwrap()
}

fn connect(workers: &Workers) -> std::net::TcpStream {
    let stream = std::net::TcpStream::connect(workers.addresses[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn send(stream: &mut std::net::TcpStream, path: &str) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
}

/// All that comes; empty when the connection is reset.
fn answer(stream: &mut std::net::TcpStream) -> String {
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn every_worker_serves_and_knows_its_number() {
    let workers = start(ConnectionLimits::default());
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let mut stream = connect(&workers);
        send(&mut stream, "/");
        let body = answer(&mut stream);
        seen.insert(body.chars().last());
        if seen.len() == 2 {
            break;
        }
    }
    assert_eq!(seen, HashSet::from([Some('0'), Some('1')]));
    assert_eq!(index(), count());
    assert!(count() >= 2);
    assert_eq!(workers.drain(Duration::from_secs(10)).await, Drained::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_too_many_connections_gets_no_more() {
    let workers = start(ConnectionLimits { total: 100, per_address: 2 });
    let mut open: Vec<_> = (0..2).map(|_| connect(&workers)).collect();
    for stream in &mut open {
        send(stream, "/slow");
    }
    std::thread::park_timeout(Duration::from_millis(50));
    let mut third = connect(&workers);
    let _ = write!(third, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(answer(&mut third), "");
    assert!(open.iter_mut().all(|stream| answer(stream).starts_with("HTTP/1.1 200")));
    workers.drain(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_total_a_connection_waits_for_its_turn() {
    let workers = start(ConnectionLimits { total: 1, per_address: 100 });
    let mut first = connect(&workers);
    send(&mut first, "/slow");
    std::thread::park_timeout(Duration::from_millis(50));
    let mut second = connect(&workers);
    send(&mut second, "/");
    assert!(answer(&mut second).starts_with("HTTP/1.1 200"));
    assert!(answer(&mut first).starts_with("HTTP/1.1 200"));
    workers.drain(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_answered_500_and_its_connection_and_nothing_else_ends() {
    let workers = start(ConnectionLimits { total: 1, per_address: 1 });
    // On either worker, and one after the other: a place that is not given back would be missed.
    for _ in 0..10 {
        let mut stream = connect(&workers);
        send(&mut stream, "/panic");
        assert!(answer(&mut stream).starts_with("HTTP/1.1 500"));
        let mut stream = connect(&workers);
        send(&mut stream, "/");
        assert!(answer(&mut stream).starts_with("HTTP/1.1 200"));
    }
    assert_eq!(workers.drain(Duration::from_secs(10)).await, Drained::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_lets_requests_finish_and_refuses_new_connections() {
    let workers = start(ConnectionLimits::default());
    let address = workers.addresses[0];
    let mut stream = connect(&workers);
    send(&mut stream, "/slow");
    std::thread::park_timeout(Duration::from_millis(50));
    assert_eq!(workers.drain(Duration::from_secs(10)).await, Drained::Completed);
    assert!(answer(&mut stream).starts_with("HTTP/1.1 200"));
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlives_the_grace_is_aborted() {
    let workers = start(ConnectionLimits::default());
    let mut stream = connect(&workers);
    send(&mut stream, "/never");
    std::thread::park_timeout(Duration::from_millis(50));
    assert_eq!(workers.drain(Duration::from_millis(50)).await, Drained::Aborted(1));
    assert_eq!(answer(&mut stream), "");
}

/// Opens a gateway's listener on running workers, and gives its address.
async fn open(workers: &Workers, listeners: &mut Listeners, tls: Option<Arc<tls::Servers>>) -> SocketAddr {
    let served = Served { name: ListenerName::Gateway, port: Some(443), tls };
    let planned = Planned { address: ([127, 0, 0, 1], 0).into(), served };
    apply(workers, listeners.prepare(&[planned]).unwrap()).await;
    listeners.open()[0].address
}

async fn apply(workers: &Workers, change: Change) {
    let doors = workers.doors();
    tokio::task::spawn_blocking(move || doors.apply(change)).await.unwrap();
}

fn connect_to(address: SocketAddr) -> std::net::TcpStream {
    let stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_comes_and_goes_while_others_stay() {
    let drain = Drain::default();
    let settings = Settings { workers: 2, ..Settings::new(vec![([127, 0, 0, 1], 0).into()]) };
    let workers = Workers::start(&settings, &Arc::new(Where), &drain, &Inherited::default()).unwrap();
    let mut listeners = Listeners::new(2, drain, Inherited::default());
    let address = open(&workers, &mut listeners, None).await;
    let mut idle = connect_to(address);
    write!(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 512]).unwrap() > 0);
    let mut busy = connect_to(address);
    write!(busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut other = connect(&workers);
    std::thread::park_timeout(Duration::from_millis(50));

    apply(&workers, listeners.prepare(&[]).unwrap()).await;
    let last = answer(&mut busy).to_ascii_lowercase();
    assert!(last.starts_with("http/1.1 200") && last.contains("connection: close"), "{last}");
    assert_eq!(answer(&mut idle), "");
    assert!(std::net::TcpStream::connect(address).is_err());
    send(&mut other, "/");
    assert!(answer(&mut other).starts_with("HTTP/1.1 200"));
    assert_eq!(workers.drain(Duration::from_secs(10)).await, Drained::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_listener_waits_for_its_connections_no_longer_than_the_grace() {
    let drain = Drain::default();
    let settings = Settings { workers: 1, drain: Duration::from_millis(50), ..Settings::new(Vec::new()) };
    let workers = Workers::start(&settings, &Arc::new(Where), &drain, &Inherited::default()).unwrap();
    let mut listeners = Listeners::new(1, drain, Inherited::default());
    let mut stream = connect_to(open(&workers, &mut listeners, None).await);
    send(&mut stream, "/never");
    std::thread::park_timeout(Duration::from_millis(50));
    apply(&workers, listeners.prepare(&[]).unwrap()).await;
    assert_eq!(answer(&mut stream), "");
    assert_eq!(workers.drain(Duration::from_secs(10)).await, Drained::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_listener_lets_go_of_its_address_and_who_waited_for_a_place_gets_it_yet() {
    let (drain, connections) = (Drain::default(), ConnectionLimits { total: 1, per_address: 9 });
    let settings = Settings { workers: 1, connections, ..Settings::new(vec![([127, 0, 0, 1], 0).into()]) };
    let workers = Workers::start(&settings, &Arc::new(Where), &drain, &Inherited::default()).unwrap();
    let mut listeners = Listeners::new(1, drain, Inherited::default());
    let address = open(&workers, &mut listeners, None).await;
    let mut busy = connect(&workers);
    send(&mut busy, "/never");
    std::thread::park_timeout(Duration::from_millis(50));
    // The first is accepted and waits for a place, the others wait to be accepted.
    let mut waiting: Vec<_> = (0..3).map(|_| connect_to(address)).collect();
    for stream in &mut waiting {
        send(stream, "/");
    }
    apply(&workers, listeners.prepare(&[]).unwrap()).await;
    let closed_at = std::time::Instant::now();
    while std::net::TcpStream::connect(address).is_ok() {
        assert!(closed_at.elapsed() < Duration::from_secs(5), "it is bound still");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    drop(busy);
    for stream in &mut waiting {
        assert!(answer(stream).starts_with("HTTP/1.1 200"));
    }
    assert_eq!(workers.drain(Duration::from_secs(10)).await, Drained::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_takes_all_who_wait_to_be_accepted_unless_another_process_does() {
    for is_shared in [false, true] {
        let (drain, connections) = (Drain::default(), ConnectionLimits { total: 1, per_address: 999 });
        let settings = Settings { workers: 1, connections, ..Settings::new(vec![([127, 0, 0, 1], 0).into()]) };
        let workers = Workers::start(&settings, &Arc::new(Where), &drain, &Inherited::default()).unwrap();
        let mut busy = connect(&workers);
        send(&mut busy, "/never");
        std::thread::park_timeout(Duration::from_millis(50));
        let mut waiting: Vec<_> = (0..200).map(|_| connect(&workers)).collect();
        for stream in &mut waiting {
            send(stream, "/");
        }
        let given = is_shared.then(|| workers.doors().sockets().unwrap());
        let drained = tokio::spawn(workers.drain(Duration::from_secs(20)));
        std::thread::park_timeout(Duration::from_millis(50));
        drop(busy);
        // The first was accepted by then, with another process or without.
        let served = |stream: &mut std::net::TcpStream| answer(stream).starts_with("HTTP/1.1 200");
        if let Some(given) = given {
            assert_eq!(drained.await.unwrap(), Drained::Completed);
            let other = std::net::TcpListener::from(given.into_iter().next().unwrap());
            let left = std::iter::from_fn(|| other.accept().ok()).count();
            assert!((198..=199).contains(&left), "{left} are left to the other process");
        } else {
            assert!(waiting.iter_mut().all(served));
            assert_eq!(drained.await.unwrap(), Drained::Completed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_listener_waits_no_longer_for_what_speaks_another_protocol() {
    let drain = Drain::default();
    let settings = Settings { workers: 2, drain: Duration::from_millis(50), ..Settings::new(Vec::new()) };
    let workers = Workers::start(&settings, &Arc::new(Where), &drain, &Inherited::default()).unwrap();
    let mut listeners = Listeners::new(2, drain, Inherited::default());
    let mut stream = connect_to(open(&workers, &mut listeners, None).await);
    write!(stream, "GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    std::thread::park_timeout(Duration::from_millis(50));
    apply(&workers, listeners.prepare(&[]).unwrap()).await;
    let closed_at = std::time::Instant::now();
    answer(&mut stream);
    assert!(closed_at.elapsed() < Duration::from_secs(5), "it goes on without its listener");
    assert_eq!(workers.drain(Duration::from_secs(10)).await, Drained::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_takes_too_long_is_cut() {
    let pair = tls::testing::Authority::new("ca").issue(&["a.example"]);
    let certified = tls::certificate::certified_key(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
    let action = tls::Action::Terminate(tls::server::Terms::simple(certified).config().unwrap());
    let servers = tls::Servers::new(vec![tls::Server { hosts: vec![tls::HostPattern::Any], action }]);
    let drain = Drain::default();
    let tls_handshake = Duration::from_millis(150);
    let timeouts = Timeouts { tls_handshake, ..Timeouts::default() };
    let settings = Settings { workers: 1, timeouts, ..Settings::new(Vec::new()) };
    let workers = Workers::start(&settings, &Arc::new(Where), &drain, &Inherited::default()).unwrap();
    let mut listeners = Listeners::new(1, drain, Inherited::default());
    let mut stream = connect_to(open(&workers, &mut listeners, Some(Arc::new(servers))).await);
    let started = std::time::Instant::now();
    // The beginning of a record that holds a ClientHello, and no more.
    stream.write_all(&[22, 3, 1, 2, 0, 1, 0]).unwrap();
    assert_eq!(answer(&mut stream), "");
    assert!(started.elapsed() >= tls_handshake && started.elapsed() < Duration::from_secs(5));
    workers.drain(Duration::from_secs(10)).await;
}
