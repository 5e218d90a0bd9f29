//! Real receivers on the loopback interface, a transport that reaches them, and a plain decider.

use crate::event::{
    Backoff, ChannelSpec, Channels, Decide, Dispatcher, Ordering, Policy, Post, Stores, SubscriptionSpec,
    SubscriptionStats, Transport,
};
use crate::wasm::bindings::sluicegate::filter::types::{
    Answer, CallError, CallResponse, CorrelatedAnswer, Delivery, DeliveryDecision, DeliveryRequest, Emission, Event,
    EventDecision, Header, Target,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// A service that answers by a script and keeps what it was sent.
pub(super) struct Receiver {
    pub(super) uri: String,
    requests: Arc<Mutex<Vec<http::Request<Bytes>>>>,
}

/// What a receiver answers to its n-th request, from 1.
pub(super) type Script = Arc<dyn Fn(usize) -> Reaction + Send + Sync>;

/// How a receiver behaves.
pub(super) enum Reaction {
    Answer(u16),
    Reply(&'static str),
    RetryAfter(u16, u32),
    Silence,
}

impl Receiver {
    pub(super) async fn start(script: impl Fn(usize) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script: Script = Arc::new(script);
        tokio::spawn(accept(listener, script, Arc::clone(&requests)));
        Self { uri, requests }
    }

    pub(super) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// A header of the n-th request, from 1.
    pub(super) fn header(&self, n: usize, name: &str) -> String {
        let requests = self.requests.lock().unwrap();
        requests[n - 1].headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// Method and target of each request.
    pub(super) fn lines(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|request| format!("{} {}", request.method(), request.uri())).collect()
    }

    pub(super) fn ids(&self) -> Vec<String> {
        (1..=self.count()).map(|n| self.header(n, "ce-id")).collect()
    }
}

async fn accept(listener: TcpListener, script: Script, requests: Arc<Mutex<Vec<http::Request<Bytes>>>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (script, requests) = (Arc::clone(&script), Arc::clone(&requests));
        let service = service_fn(move |request| react(request, Arc::clone(&script), Arc::clone(&requests)));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn react(
    request: http::Request<Incoming>,
    script: Script,
    requests: Arc<Mutex<Vec<http::Request<Bytes>>>>,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let count = {
        let mut requests = requests.lock().unwrap();
        requests.push(http::Request::from_parts(head, body));
        requests.len()
    };
    let response = http::Response::builder();
    let (response, body) = match script(count) {
        Reaction::Answer(status) => (response.status(status), "said the receiver"),
        Reaction::Reply(id) => (response.status(200).header("ce-id", id), "reply"),
        Reaction::RetryAfter(status, seconds) => (response.status(status).header("retry-after", seconds), ""),
        Reaction::Silence => std::future::pending().await,
    };
    Ok(response.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap())
}

/// One connection for each request.
pub(super) struct Direct;

impl Transport for Direct {
    async fn send(&self, post: Post) -> Result<CallResponse, CallError> {
        let uri: http::Uri = post.uri.parse().map_err(|_| CallError::NoEndpoint)?;
        let authority = uri.authority().ok_or(CallError::NoEndpoint)?.as_str();
        let stream = TcpStream::connect(authority).await.map_err(|_| CallError::Refused)?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|_| CallError::Reset)?;
        let connection = tokio::spawn(connection);
        let mut request = http::Request::builder()
            .method(post.method)
            .uri(uri.path_and_query().unwrap().as_str())
            .header("host", authority);
        for header in &post.headers {
            request = request.header(&header.name, &header.value[..]);
        }
        let request = request.body(Full::new(Bytes::from(post.body))).unwrap();
        let response = sender.send_request(request).await.map_err(|_| CallError::Reset)?;
        let (head, body) = response.into_parts();
        let headers = head.headers.iter();
        let headers = headers.map(|(name, value)| Header { name: name.to_string(), value: value.as_bytes().to_vec() });
        let headers = headers.collect();
        let body = body.collect().await.map_err(|_| CallError::Reset)?.to_bytes().to_vec();
        connection.abort();
        Ok(CallResponse { status: head.status.as_u16(), headers, body })
    }
}

/// Sends every attribute as a header and judges by the status alone.
pub(super) struct Plain;

impl Decide for Plain {
    fn on_event(&self, event: Event, delivery: Delivery) -> Result<EventDecision, String> {
        match event.type_.as_str() {
            "skip" => return Ok(EventDecision::Ack),
            "later" if delivery.attempt == 1 => return Ok(EventDecision::Retry(Some(1))),
            "twice" => {
                let events = ["first", "second"].map(super::harness::event).into();
                return Ok(EventDecision::Emit(Emission { channel: event.subject, events }));
            }
            "answer" => {
                let answer = Answer { status: 200, headers: Vec::new(), body: b"so it is".to_vec(), delay: None };
                return Ok(EventDecision::Answer(CorrelatedAnswer { key: event.id, answer }));
            }
            "put" => {
                let (method, path) = (Some("PUT".into()), Some("/items/1?x=2".into()));
                return Ok(EventDecision::Deliver(DeliveryRequest {
                    method,
                    path,
                    headers: Vec::new(),
                    body: Vec::new(),
                }));
            }
            "broken" if delivery.target != Target::DeadLetter => return Err("trap".into()),
            _ => {}
        }
        let mut headers = vec![("ce-id".to_owned(), event.id), ("ce-time".to_owned(), event.time.unwrap_or_default())];
        headers.push(("attempt".to_owned(), delivery.attempt.to_string()));
        headers.extend(event.extensions.into_iter().map(|entry| (format!("ce-{}", entry.name), entry.value)));
        let headers = headers.into_iter().map(|(name, value)| Header { name, value: value.into_bytes() }).collect();
        Ok(EventDecision::Deliver(DeliveryRequest {
            method: None,
            path: None,
            headers,
            body: event.data.unwrap_or_default(),
        }))
    }

    fn on_delivered(
        &self,
        _: Event,
        _: Delivery,
        outcome: Result<CallResponse, CallError>,
    ) -> Result<DeliveryDecision, String> {
        let Ok(response) = outcome else { return Ok(DeliveryDecision::Retry(None)) };
        let header = |name: &str| {
            let found = response.headers.iter().find(|header| header.name == name);
            found.map(|header| String::from_utf8_lossy(&header.value).into_owned())
        };
        Ok(match response.status {
            200 => match header("ce-id") {
                Some(id) => DeliveryDecision::Emit(vec![event(&id)]),
                None => DeliveryDecision::Ack,
            },
            201..300 => DeliveryDecision::Ack,
            400 => DeliveryDecision::DeadLetter("refused".into()),
            _ => DeliveryDecision::Retry(header("retry-after").map(|text| text.parse::<u64>().unwrap() * 1_000)),
        })
    }

    fn may_log(&self, _: usize) -> bool {
        true
    }
}

pub(in crate::event) fn event(id: &str) -> Event {
    Event { data: Some(b"data".to_vec()), ..Event::new(id, "/test", "test") }
}

/// A subscription with waits of milliseconds.
pub(super) fn subscription(name: &str, subscriber: &str) -> SubscriptionSpec {
    SubscriptionSpec {
        name: format!("default/{name}"),
        subscriber: Some(subscriber.into()),
        reply: None,
        dead_letter_sink: None,
        retry: 0,
        backoff: Backoff { growth: Some((Policy::Linear, Duration::from_millis(10))), ..Backoff::default() },
        timeout: Duration::from_secs(5),
        format: None,
        concurrency: 16,
        ordering: Ordering::None,
    }
}

/// The one channel of most tests.
pub(super) const CHANNEL: &str = "default/orders";

pub(super) fn channel(name: &str, subscriptions: Vec<SubscriptionSpec>) -> ChannelSpec {
    let address = format!("{name}-kn-channel.default.svc");
    ChannelSpec { name: format!("default/{name}"), address, store: None, subscriptions }
}

pub(super) fn orders(subscriptions: Vec<SubscriptionSpec>) -> Vec<ChannelSpec> {
    vec![channel("orders", subscriptions)]
}

/// Channels whose dispatcher runs on its own thread.
pub(super) fn running(subscriptions: Vec<SubscriptionSpec>) -> Arc<Channels> {
    let (channels, dispatcher) = Channels::new(Stores::default());
    channels.apply(orders(subscriptions));
    run(dispatcher);
    channels
}

pub(super) fn run(dispatcher: Dispatcher) -> std::thread::JoinHandle<()> {
    dispatcher.without_jitter().spawn(Arc::new(Plain), || Direct).unwrap()
}

/// The figures of the n-th subscription, from 0.
pub(super) fn stats(channels: &Channels, n: usize) -> SubscriptionStats {
    channels.stats()[0].subscriptions[n].clone()
}

/// Waits until it is so; fails the test when that takes too long.
pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never came true: {what}");
}
