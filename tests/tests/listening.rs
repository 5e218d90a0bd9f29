//! Clients listen to a channel: by server-sent events and over WebSocket, seen from the socket.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::Value;
use sluicegate_tests::{Directory, Eventing, Options, Proxy, Request, Upstream, wait_until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

const LISTEN: &str = "
apiVersion: sluicegate.dev/v1alpha1
kind: EventBridge
metadata: {name: listen}
spec:
  stream:
    host: shop
    path: /events
    from: {apiVersion: messaging.knative.dev/v1, kind: Channel, name: orders}
    filter: {attributes: {type: order.placed}}
    allowOrigins: ['https://desk.example']
";

const PLACE: &str = "
apiVersion: sluicegate.dev/v1alpha1
kind: EventBridge
metadata: {name: place}
spec:
  request:
    host: shop
    path: /orders
    to: {apiVersion: messaging.knative.dev/v1, kind: Channel, name: orders}
    event: {type: order.placed, source: /shop}
    acknowledge: none
";

fn manifests() -> String {
    let documents = Eventing::new().channel("orders").subscription("stock", "orders", "stock");
    documents.document(LISTEN).document(PLACE).to_string()
}

fn options(stock: &Upstream) -> Options {
    Options::new().manifest("events.yaml", manifests()).upstream("stock:80", stock.address())
}

fn in_files(stock: &Upstream, directory: &Directory) -> Options {
    let path = directory.path().display().to_string();
    options(stock).argument("--event-store").argument("file").argument("--event-directory").argument(path)
}

fn publish(proxy: &Proxy, id: &str, kind: &str) {
    let event = serde_json::json!({"specversion": "1.0", "id": id, "source": "/s", "type": kind, "data": {"n": id}});
    let request = Request::post("http://orders/", event.to_string());
    assert_eq!(proxy.send(request.header("content-type", "application/cloudevents+json")).status, 202);
}

/// A connection that has sent a request; the head of its response is read.
struct Client {
    reader: BufReader<TcpStream>,
    head: String,
    /// Of the body, and not looked at yet.
    pending: String,
}

impl Client {
    fn ask(proxy: &Proxy, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(proxy.address()).expect("it listens");
        stream.set_read_timeout(Some(LONG)).expect("a socket has a time-out");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: shop\r\n{headers}\r\n").expect("it takes a request");
        let (mut reader, mut head) = (BufReader::new(stream), String::new());
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).expect("a head comes") > 0, "{head}");
        }
        Self { reader, head, pending: String::new() }
    }

    fn websocket(proxy: &Proxy, path: &str, more: &str) -> Self {
        let handshake = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: cloudevents.json\r\n";
        Self::ask(proxy, path, &format!("{handshake}{more}"))
    }

    /// The lines of the next server-sent event that says something, out of the chunks of the body; none at its end, or
    /// when none comes in time.
    fn event(&mut self) -> Option<Vec<String>> {
        let begun = Instant::now();
        loop {
            if let Some((event, rest)) = self.pending.split_once("\n\n") {
                let lines: Vec<String> = event.lines().map(str::to_owned).collect();
                self.pending = rest.to_owned();
                if lines.iter().any(|line| line.starts_with("data: ")) {
                    return Some(lines);
                }
                continue;
            }
            // Signs of life would go on for ever.
            if begun.elapsed() > LONG {
                return None;
            }
            let chunk = self.chunk()?;
            self.pending.push_str(&chunk);
        }
    }

    fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        self.reader.read_line(&mut size).expect("a chunk comes");
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk has a size");
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).expect("a chunk is whole");
        chunk.truncate(size);
        (size > 0).then(|| String::from_utf8_lossy(&chunk).into_owned())
    }

    /// Opcode and payload of the next frame.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut start = [0; 2];
        self.reader.read_exact(&mut start).expect("a frame comes");
        assert_eq!(start[1] & 0x80, 0, "servers do not mask");
        let length = match start[1] {
            126 => {
                let mut length = [0; 2];
                self.reader.read_exact(&mut length).expect("a length");
                usize::from(u16::from_be_bytes(length))
            }
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.reader.read_exact(&mut payload).expect("a frame is whole");
        (start[0] & 0x0f, payload)
    }

    fn say(&mut self, opcode: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).expect("a short frame");
        // The mask of zeros changes nothing.
        let frame = [&[0x80 | opcode, 0x80 | length, 0, 0, 0, 0], payload].concat();
        self.reader.get_mut().write_all(&frame).expect("it reads");
    }

    fn ids(&mut self, count: usize) -> Vec<String> {
        let json = |payload: Vec<u8>| serde_json::from_slice::<Value>(&payload).expect("a message is JSON");
        (0..count).map(|_| json(self.frame().1)["id"].as_str().expect("an id").to_owned()).collect()
    }
}

fn id(event: &[String]) -> u64 {
    let line = event.iter().find_map(|line| line.strip_prefix("id: ")).expect("an event has an id");
    line.parse().expect("it is a position")
}

fn data(event: &[String]) -> Value {
    let data: String = event.iter().filter_map(|line| line.strip_prefix("data: ")).collect();
    serde_json::from_str(&data).expect("data is JSON")
}

#[test]
fn a_browser_gets_what_comes_and_what_it_has_missed() {
    let (stock, directory) = (Upstream::start(), Directory::new());
    let proxy = Proxy::start(in_files(&stock, &directory));
    publish(&proxy, "before", "order.placed");
    let mut client = Client::ask(&proxy, "/events", "accept: text/event-stream\r\n");
    assert!(client.head.starts_with("HTTP/1.1 200") && client.head.contains("content-type: text/event-stream"));
    assert!(client.chunk().expect("it begins").starts_with("retry: "));
    publish(&proxy, "1", "order.placed");
    publish(&proxy, "other", "order.paid");
    publish(&proxy, "2", "order.placed");
    let (one, two) = (client.event().expect("one"), client.event().expect("two"));
    assert_eq!((data(&one)["id"].as_str(), data(&two)["id"].as_str()), (Some("1"), Some("2")));
    assert!(one.contains(&"event: order.placed".to_owned()) && data(&one)["data"]["n"] == "1", "{one:?}");
    assert_eq!(id(&two), id(&one) + 2, "the other lies between");
    drop(client);
    publish(&proxy, "3", "order.placed");
    let mut again = Client::ask(&proxy, "/events", &format!("last-event-id: {}\r\n", id(&one)));
    let ids = [again.event(), again.event()].map(|event| data(&event.expect("it is kept"))["id"].clone());
    assert_eq!(ids, ["2", "3"]);
    let mut lost = Client::ask(&proxy, "/events", "last-event-id: 4000000000\r\n");
    assert!(lost.event().expect("it is told").contains(&"event: dev.sluicegate.missed".to_owned()));
    publish(&proxy, "4", "order.placed");
    assert_eq!(data(&lost.event().expect("it goes on"))["id"], "4");
    let metrics = proxy.ask_admin("/metrics").text();
    assert!(metrics.contains("sluicegate_events_listeners{channel=\"default/orders\"} 2"), "{metrics}");
}

#[test]
fn a_channel_in_memory_is_listened_to_as_well() {
    let stock = Upstream::start();
    let proxy = Proxy::start(options(&stock));
    let mut client = Client::ask(&proxy, "/events", "");
    client.chunk();
    publish(&proxy, "1", "order.placed");
    let one = client.event().expect("it comes");
    drop(client);
    publish(&proxy, "2", "order.placed");
    let mut again = Client::ask(&proxy, "/events", &format!("last-event-id: {}\r\n", id(&one)));
    assert_eq!(data(&again.event().expect("it is kept for a while"))["id"], "2");
    let answer = proxy.send(Request::post("http://shop/orders", "{}").header("content-type", "application/json"));
    assert_eq!((answer.status, answer.header("x-event-id").is_some()), (202, true));
    assert_eq!(data(&again.event().expect("nobody waited for it"))["source"], "/shop");
    wait_until(LONG, || stock.arrived() == 3);
}

#[test]
fn a_websocket_speaks_cloudevents_and_resumes() {
    let (stock, directory) = (Upstream::start(), Directory::new());
    let proxy = Proxy::start(in_files(&stock, &directory));
    let mut client = Client::websocket(&proxy, "/events", "");
    let head = client.head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101") && head.contains("sec-websocket-protocol: cloudevents.json"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    // Its answer says that it listens by now.
    client.say(9, b"hello");
    assert_eq!(client.frame(), (10, b"hello".to_vec()));
    publish(&proxy, "1", "order.placed");
    publish(&proxy, "other", "order.paid");
    let (opcode, payload) = client.frame();
    let event: Value = serde_json::from_slice(&payload).expect("a message is JSON");
    assert_eq!((opcode, &event["id"], &event["type"]), (1, &"1".into(), &"order.placed".into()));
    let position = event["streamposition"].as_str().expect("it says where it is").to_owned();
    client.say(8, &1000u16.to_be_bytes());
    assert_eq!(client.frame(), (8, 1000u16.to_be_bytes().to_vec()));
    for id in ["2", "3"] {
        publish(&proxy, id, "order.placed");
    }
    let mut again = Client::websocket(&proxy, &format!("/events?after={position}"), "");
    assert_eq!(again.ids(2), ["2", "3"]);
    again.say(1, b"{}");
    let (opcode, payload) = again.frame();
    assert_eq!((opcode, payload.get(..2)), (8, Some(&1008u16.to_be_bytes()[..])), "it only sends");
}

#[test]
fn pages_of_other_sites_do_not_listen_unless_they_may() {
    let stock = Upstream::start();
    let proxy = Proxy::start(options(&stock));
    let status = |client: &Client| client.head.split(' ').nth(1).map(str::to_owned);
    let evil = Client::websocket(&proxy, "/events", "origin: https://evil.example\r\n");
    assert_eq!(status(&evil).as_deref(), Some("403"));
    let desk = Client::websocket(&proxy, "/events", "origin: https://desk.example\r\n");
    assert_eq!(status(&desk).as_deref(), Some("101"));
    let desk = Client::ask(&proxy, "/events", "origin: https://desk.example\r\n");
    assert!(desk.head.contains("access-control-allow-origin: https://desk.example"), "{}", desk.head);
    let evil = Client::ask(&proxy, "/events", "origin: https://evil.example\r\n");
    assert!(!evil.head.contains("access-control-allow-origin"), "{}", evil.head);
    let handshake = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(status(&Client::ask(&proxy, "/events", handshake)).as_deref(), Some("400"), "no sub-protocol");
}

#[test]
fn streams_end_with_the_proxy_and_say_so() {
    let stock = Upstream::start();
    let mut proxy = Proxy::start(options(&stock));
    let mut browser = Client::ask(&proxy, "/events", "");
    browser.chunk();
    let mut socket = Client::websocket(&proxy, "/events", "");
    socket.say(9, b"");
    assert_eq!(socket.frame().0, 10);
    proxy.terminate();
    let (opcode, payload) = socket.frame();
    assert_eq!((opcode, payload.get(..2)), (8, Some(&1001u16.to_be_bytes()[..])));
    socket.say(8, &1001u16.to_be_bytes());
    assert!(browser.chunk().expect("it is told").contains("the proxy ends"));
    assert_eq!(browser.chunk(), None, "the body is complete");
    assert!(proxy.wait_for_end(Duration::from_secs(20)).success());
}
