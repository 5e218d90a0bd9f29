//! Four services that hear of events by POST, and one that answers with events of its own.

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use sluicegate_shop::{Service, serve};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

/// How many teapots there are.
const STOCK: u64 = 100;
/// How often the inventory fails before it works, to show retries.
const FAILURES: usize = 2;

/// What a service has to say of an event.
pub(crate) struct Heard {
    pub(crate) service: &'static str,
    pub(crate) text: String,
}

/// All services, until it is dropped.
pub(crate) struct Services {
    addresses: Vec<(&'static str, SocketAddr)>,
    is_open: Arc<AtomicBool>,
    _stop: watch::Sender<bool>,
}

struct Listener {
    name: &'static str,
    heard: UnboundedSender<Heard>,
    asked: AtomicUsize,
    /// Whether the shipping works.
    is_open: Arc<AtomicBool>,
}

impl Services {
    /// Starts all of them on free ports.
    pub(crate) async fn start() -> Result<(Self, UnboundedReceiver<Heard>)> {
        let (heard, hearing) = unbounded_channel();
        let (stop, stopping) = watch::channel(false);
        let (mut addresses, is_open) = (Vec::new(), Arc::new(AtomicBool::new(true)));
        for name in ["inventory", "shipping", "mail", "desk"] {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            addresses.push((name, listener.local_addr()?));
            let (heard, asked) = (heard.clone(), AtomicUsize::new(0));
            let service = Listener { name, heard, asked, is_open: Arc::clone(&is_open) };
            tokio::spawn(serve(listener, Arc::new(service), stopping.clone()));
        }
        Ok((Self { addresses, is_open, _stop: stop }, hearing))
    }

    /// Opens the shipping, or closes it: then it refuses what comes.
    pub(crate) fn open_shipping(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::SeqCst);
    }

    pub(crate) fn addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }
}

impl Service for Listener {
    fn name(&self) -> &'static str {
        self.name
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let data: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        match self.name {
            "inventory" => self.reserve(request, &data),
            "shipping" if !self.is_open.load(Ordering::SeqCst) => {
                self.say("has no lorry: 422".to_owned());
                plain(StatusCode::UNPROCESSABLE_ENTITY, "there is no lorry today")
            }
            "shipping" => {
                self.say(format!("ships {} {}", data["quantity"], text(&data["product"])));
                reply(request, "shipped", "shop.order.shipped", &data)
            }
            "mail" => {
                self.say(format!("tells {} of {}", text(&data["customer"]), header(request, "ce-type")));
                plain(StatusCode::ACCEPTED, "")
            }
            _ => self.inspect(request),
        }
    }
}

impl Listener {
    /// Keeps the goods back, or says that there are not so many. An order that it cannot read is no event for it.
    fn reserve(&self, request: &Request<Bytes>, order: &Value) -> Response<Bytes> {
        let (Some(quantity), Some(product)) = (order["quantity"].as_u64(), order["product"].as_str()) else {
            self.say("cannot read it: 422".to_owned());
            return plain(StatusCode::UNPROCESSABLE_ENTITY, "an order has a product and a quantity");
        };
        if self.asked.fetch_add(1, Ordering::SeqCst) < FAILURES {
            self.say("is busy: 503".to_owned());
            return plain(StatusCode::SERVICE_UNAVAILABLE, "busy");
        }
        if quantity > STOCK {
            self.say(format!("has no {quantity} of {product}"));
            return reply(request, "refused", "shop.stock.refused", order);
        }
        self.say(format!("reserves {quantity} {product}"));
        reply(request, "reserved", "shop.stock.reserved", order)
    }

    /// The desk looks at what could not be delivered, and why.
    fn inspect(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let said = BASE64_STANDARD.decode(header(request, "ce-knativeerrordata")).unwrap_or_default();
        self.say(format!(
            "dead letter: {} {} of {} was answered {} by {}: {}",
            header(request, "ce-type"),
            header(request, "ce-id"),
            header(request, "ce-partitionkey"),
            header(request, "ce-knativeerrorcode"),
            header(request, "ce-knativeerrordest"),
            String::from_utf8_lossy(&said)
        ));
        plain(StatusCode::ACCEPTED, "")
    }

    fn say(&self, text: String) {
        // Nobody listens any more when the example ends.
        let _ = self.heard.send(Heard { service: self.name, text });
    }
}

/// A 200 that holds an event is a reply. Its id follows from the id of what it replies to, so that it stays the same when
/// the delivery is repeated.
fn reply(request: &Request<Bytes>, step: &str, kind: &str, data: &Value) -> Response<Bytes> {
    let id = format!("{}-{step}", header(request, "ce-id"));
    let response = Response::builder().header("ce-specversion", "1.0").header("ce-id", id).header("ce-type", kind);
    let response = response.header("ce-source", "/order-events").header("content-type", "application/json");
    let body = Bytes::from(json!(data).to_string());
    response.body(body).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "the event is no response"))
}

fn plain(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = status;
    response
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("nothing")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("nobody")
}
