//! gRPC goes through: HTTP/2 on both sides, messages as they come, statuses where clients look for them.
//!
//! Client and service are hyper's HTTP/2 and the five bytes before each message, so that nothing is made good on the way.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sluicegate_tests::{Options, Proxy};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};

type Body = BoxBody<Bytes, Infallible>;

/// Runs a test's client and service; nothing of a test takes as long as the limit.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let limited = async { tokio::time::timeout(Duration::from_mins(1), test).await };
    runtime.block_on(limited).expect("the test ends in time")
}

/// A message with its five bytes in front: no compression, and its length.
fn message(text: &str) -> Bytes {
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(u32::try_from(text.len()).expect("a short text"));
    message.put_slice(text.as_bytes());
    message.freeze()
}

/// The messages of a stream, one after the other.
struct Messages<B> {
    body: B,
    read: BytesMut,
    trailers: Option<HeaderMap>,
}

impl<B: hyper::body::Body<Data = Bytes, Error = hyper::Error> + Unpin> Messages<B> {
    fn of(body: B) -> Self {
        Self { body, read: BytesMut::new(), trailers: None }
    }

    /// The next one; none at the end, and then there are trailers.
    async fn next(&mut self) -> Result<Option<String>, hyper::Error> {
        loop {
            if let Some(mut head) = self.read.get(..5) {
                assert_eq!(head.get_u8(), 0, "it is not compressed");
                let length = usize::try_from(head.get_u32()).expect("it fits");
                if self.read.len() >= 5 + length {
                    let message = self.read.split_to(5 + length).split_off(5);
                    return Ok(Some(String::from_utf8(message.to_vec()).expect("it is text")));
                }
            }
            match self.body.frame().await.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.read.extend_from_slice(&data),
                Some(Err(trailers)) => self.trailers = trailers.into_trailers().ok(),
                None => return Ok(None),
            }
        }
    }

    fn status(&self) -> Option<&str> {
        self.trailers.as_ref()?.get("grpc-status")?.to_str().ok()
    }
}

fn ok() -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().expect("a name"), HeaderValue::from_static("0"))])
}

/// The service; how many connections it has taken is counted.
async fn service() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let (address, connections) = (listener.local_addr().expect("it is bound"), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(method));
            tokio::spawn(serving);
        }
    });
    (address, connections)
}

async fn method(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let mut response = Response::builder().header("content-type", "application/grpc");
    for name in ["te", "grpc-timeout", "host", "connection", "transfer-encoding"] {
        if let Some(value) = request.headers().get(name) {
            response = response.header(format!("x-got-{name}"), value);
        }
    }
    response = response.header("x-got-authority", request.uri().authority().map_or("", |authority| authority.as_str()));
    let (head, body) = request.into_parts();
    let (sender, channel) = Channel::<Bytes, Infallible>::new(1);
    let streamed = |response: http::response::Builder| response.body(BoxBody::new(channel)).expect("it is complete");
    Ok(match head.uri.path() {
        "/shop.Shop/Greet" => {
            let mut messages = Messages::of(body);
            let name = messages.next().await.ok().flatten().unwrap_or_default();
            tokio::spawn(say(sender, format!("hello {name}")));
            streamed(response)
        }
        "/shop.Shop/Talk" => {
            tokio::spawn(talk(sender, body));
            streamed(response)
        }
        "/shop.Shop/Watch" => {
            tokio::spawn(watch(sender));
            streamed(response)
        }
        "/shop.Shop/Sleep" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            streamed(response)
        }
        _ => {
            let head = response.header("grpc-status", "5").header("grpc-message", "no such thing");
            head.body(BoxBody::new(Empty::new())).expect("it is complete")
        }
    })
}

/// Who has gone away ends what is said here.
async fn say(mut sender: Sender<Bytes, Infallible>, text: String) {
    let _ = sender.send_data(message(&text)).await;
    let _ = sender.send(Frame::trailers(ok())).await;
}

/// Answers each message when it comes, and ends when its client does.
async fn talk(mut sender: Sender<Bytes, Infallible>, body: Incoming) {
    let mut messages = Messages::of(body);
    while let Ok(Some(said)) = messages.next().await {
        let _ = sender.send_data(message(&format!("you said {said}"))).await;
    }
    let _ = sender.send(Frame::trailers(ok())).await;
}

async fn watch(mut sender: Sender<Bytes, Infallible>) {
    let _ = sender.send_data(message("first")).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    drop(sender);
}

async fn connect(proxy: &Proxy) -> SendRequest<Body> {
    let stream = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (sender, driver) = made.expect("the proxy speaks HTTP/2");
    tokio::spawn(driver);
    sender
}

fn call(method: &str) -> http::request::Builder {
    let request = Request::post(format!("http://shop/shop.Shop/{method}"));
    request.header("content-type", "application/grpc").header("te", "trailers")
}

async fn unary(client: &mut SendRequest<Body>, call: http::request::Builder) -> Response<Incoming> {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let request = call.body(BoxBody::new(body)).expect("it is complete");
    let sending = async move { sender.send_data(message("world")).await.expect("the body is wanted") };
    let (response, ()) = tokio::join!(client.send_request(request), sending);
    response.expect("there is an answer")
}

fn header<'a>(response: &'a Response<Incoming>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

fn through(address: SocketAddr) -> Proxy {
    Proxy::start(Options::new().argument("--upstream").argument(format!("shop=h2c://{address}")))
}

const ROUTE: &str = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: shop}\nspec:\n  hosts: [shop]\n  http:\n  \
     - timeout: TIMEOUT\n    route: [{destination: {host: shop}}]\n";

/// A Kubernetes service whose port says that it is HTTP/2.
fn service_of(address: SocketAddr, port: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: shop}}\nspec:\n  ports: [{{port: 80, {port}}}]\n---\n\
         apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n\
         metadata: {{name: shop, labels: {{kubernetes.io/service-name: shop}}}}\n\
         ports: [{{port: {}}}]\nendpoints: [{{addresses: [{}]}}]\n",
        address.port(),
        address.ip(),
    )
}

#[test]
fn a_call_arrives_as_http2_and_its_status_comes_back_in_trailers() {
    run(async {
        let (address, connections) = service().await;
        let proxy = through(address);
        let mut client = connect(&proxy).await;
        for _ in 0..3 {
            let response = unary(&mut client, call("Greet").header("grpc-timeout", "20S")).await;
            assert_eq!(response.status(), 200);
            assert_eq!(header(&response, "content-type"), Some("application/grpc"));
            assert_eq!(header(&response, "x-got-authority"), Some("shop"));
            assert_eq!(header(&response, "x-got-te"), Some("trailers"));
            assert_eq!(header(&response, "x-got-grpc-timeout"), Some("20S"));
            for never in ["x-got-host", "x-got-connection", "x-got-transfer-encoding"] {
                assert_eq!(header(&response, never), None);
            }
            let mut messages = Messages::of(response.into_body());
            assert_eq!(messages.next().await.expect("it is whole").as_deref(), Some("hello world"));
            assert_eq!(messages.next().await.expect("it ends well"), None);
            assert_eq!(messages.status(), Some("0"));
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1, "all calls share a connection");
    });
}

#[test]
fn a_port_or_a_rule_says_that_a_service_speaks_http2() {
    let upgrade = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: shop}\n\
                   spec: {host: shop, trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}}\n";
    let ways = [
        ("name: web, appProtocol: kubernetes.io/h2c", ""),
        ("name: grpc-shop", ""),
        ("name: http2", ""),
        ("name: web", upgrade),
    ];
    for (port, rule) in ways {
        run(async {
            let (address, _) = service().await;
            let manifest = format!("{}{rule}", service_of(address, port));
            let proxy = Proxy::start(Options::new().manifest("shop.yaml", manifest));
            let response = unary(&mut connect(&proxy).await, call("Greet")).await;
            let mut messages = Messages::of(response.into_body());
            let said = messages.next().await.expect("it is whole");
            assert_eq!(said.as_deref(), Some("hello world"), "{port} {rule}");
        });
    }
}

#[test]
fn both_sides_of_a_stream_speak_when_they_will() {
    run(async {
        let (address, _) = service().await;
        let proxy = through(address);
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
        let request = call("Talk").body(BoxBody::new(body)).expect("it is complete");
        // The service answers before its client has said a word.
        let response = connect(&proxy).await.send_request(request).await.expect("there is an answer");
        let mut messages = Messages::of(response.into_body());
        for word in ["one", "two", "three"] {
            sender.send_data(message(word)).await.expect("the body is wanted");
            let said = messages.next().await.expect("it is whole");
            assert_eq!(said, Some(format!("you said {word}")));
        }
        drop(sender);
        assert_eq!(messages.next().await.expect("it ends well"), None);
        assert_eq!(messages.status(), Some("0"));
    });
}

#[test]
fn an_answer_of_trailers_alone_goes_through() {
    run(async {
        let (address, _) = service().await;
        let response = unary(&mut connect(&through(address)).await, call("Nothing")).await;
        assert_eq!((header(&response, "grpc-status"), response.status().as_u16()), (Some("5"), 200));
        assert_eq!(header(&response, "grpc-message"), Some("no such thing"));
        assert!(hyper::body::Body::is_end_stream(response.body()));
    });
}

#[test]
fn a_call_ends_at_its_clients_deadline_or_the_routes_whichever_is_sooner() {
    run(async {
        let (address, _) = service().await;
        let manifests = |timeout| {
            let options = Options::new().manifest("route.yaml", ROUTE.replace("TIMEOUT", timeout));
            options.argument("--upstream").argument(format!("shop=h2c://{address}"))
        };
        for (route, client) in [("20s", "300m"), ("300ms", "20S")] {
            let proxy = Proxy::start(manifests(route));
            let mut sender = connect(&proxy).await;
            let started = Instant::now();
            let response = unary(&mut sender, call("Sleep").header("grpc-timeout", client)).await;
            assert_eq!((header(&response, "grpc-status"), response.status().as_u16()), (Some("4"), 200), "{route}");
            let response = unary(&mut sender, call("Watch").header("grpc-timeout", client)).await;
            let mut messages = Messages::of(response.into_body());
            assert_eq!(messages.next().await.expect("it is whole").as_deref(), Some("first"));
            assert_eq!(messages.next().await.expect("it ends well"), None);
            assert_eq!(messages.status(), Some("4"), "a stream that goes on ends as well");
            assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        }
    });
}

#[test]
fn what_the_proxy_has_to_say_to_a_call_is_said_in_grpc() {
    run(async {
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = gone.local_addr().expect("it is bound");
        drop(gone);
        let proxy = through(address);
        let mut client = connect(&proxy).await;
        let response = unary(&mut client, call("Greet")).await;
        assert_eq!((header(&response, "grpc-status"), response.status().as_u16()), (Some("14"), 200));
        assert_eq!(header(&response, "content-type"), Some("application/grpc"));
        assert!(header(&response, "grpc-message").is_some_and(|message| message.contains("no connection")));
        let elsewhere = Request::post("http://nowhere/shop.Shop/Greet").header("content-type", "application/grpc");
        let response = unary(&mut client, elsewhere).await;
        assert_eq!(header(&response, "grpc-status"), Some("12"));
        let plain = Request::post("http://nowhere/").header("content-type", "application/json");
        assert_eq!(unary(&mut client, plain).await.status(), 404);
    });
}
