//! The inventory service: keeps the stock, and hears of orders by events.
//!
//! | request | answer |
//! |---|---|
//! | `GET /orders` | what was reserved for which order, and the stock |
//! | `GET /products` | stock and price of each product |
//! | `POST /` or `POST /events` with a CloudEvent | see below |
//!
//! A `shop.order.placed` event reserves its quantity and is replied to with `shop.stock.reserved`, or with
//! `shop.stock.refused` and the reason. Delivery is at least once, so an event that comes again (same `source` and `id`)
//! gets the same reply and changes nothing. Events of other types are taken and ignored (202); what is not an event is
//! refused (400).

use crate::answer::{json, not_allowed, not_found, problem};
use crate::event::Event;
use crate::server::Service;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// The service's name.
const NAME: &str = "inventory-service";
/// Where its own events come from.
const SOURCE: &str = "/inventory-service";
/// The events it acts on.
const ORDER_PLACED: &str = "shop.order.placed";
/// Events that are remembered, to know one that comes again: a delivery is repeated within minutes.
const REMEMBERED: usize = 10_000;
/// Reservations that are listed.
const LISTED: usize = 1_000;

/// Keeps the stock.
#[derive(Debug)]
pub struct InventoryService(Mutex<Inventory>);

#[derive(Debug)]
struct Inventory {
    products: BTreeMap<&'static str, Product>,
    reservations: VecDeque<Reservation>,
    replies: HashMap<(String, String), Event>,
    /// The keys of `replies`, oldest first.
    remembered: VecDeque<(String, String)>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Product {
    stock: u32,
    price_in_cents: u32,
}

#[derive(Debug, Serialize)]
struct Reservation {
    /// The id of the event that told of the order.
    order: String,
    product: String,
    quantity: u32,
}

#[derive(Debug, Deserialize)]
struct Placed {
    product: String,
    quantity: u32,
}

impl Default for InventoryService {
    /// A service with some stock.
    fn default() -> Self {
        let products = [("cup", 120, 450), ("saucer", 80, 300), ("teapot", 12, 2_490)];
        let products = products.map(|(name, stock, price_in_cents)| (name, Product { stock, price_in_cents }));
        Self(Mutex::new(Inventory {
            products: products.into(),
            reservations: VecDeque::new(),
            replies: HashMap::new(),
            remembered: VecDeque::new(),
        }))
    }
}

impl Service for InventoryService {
    fn name(&self) -> &'static str {
        NAME
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        let inventory = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (request.method(), path) {
            (&Method::GET | &Method::HEAD, "/orders") => json(StatusCode::OK, &inventory.orders()),
            (&Method::GET | &Method::HEAD, "/products") => {
                json(StatusCode::OK, &json!({"service": NAME, "products": inventory.products}))
            }
            (&Method::POST, "/" | "/events") => match Event::read(request) {
                Ok(event) => inventory.take(event),
                Err(reason) => problem(NAME, StatusCode::BAD_REQUEST, &reason),
            },
            (_, "/orders" | "/products") => not_allowed(NAME, "GET, HEAD"),
            (_, "/" | "/events") => not_allowed(NAME, "POST"),
            _ => not_found(NAME, path),
        }
    }
}

impl Inventory {
    fn orders(&self) -> Value {
        let stock: BTreeMap<_, _> = self.products.iter().map(|(name, product)| (name, product.stock)).collect();
        json!({"service": NAME, "orders": self.reservations, "stock": stock})
    }

    /// Acts on an event that is new, and replies to one that came before as it did then.
    fn take(&mut self, event: Event) -> Response<Bytes> {
        if event.kind != ORDER_PLACED {
            return json(StatusCode::ACCEPTED, &json!({"service": NAME, "ignored": event.kind}));
        }
        let key = (event.source, event.id);
        if let Some(reply) = self.replies.get(&key) {
            return reply.reply();
        }
        let placed: Placed = match serde_json::from_value(event.data) {
            Ok(placed) => placed,
            Err(error) => return problem(NAME, StatusCode::BAD_REQUEST, &format!("the data does not fit: {error}")),
        };
        let (kind, data) = match self.reserve(&key.1, &placed) {
            Ok(left) => ("shop.stock.reserved", json!({"product": placed.product, "left": left})),
            Err(reason) => ("shop.stock.refused", json!({"product": placed.product, "reason": reason})),
        };
        let reply = Event::new(format!("reply-to-{}", key.1), SOURCE, kind, data);
        let response = reply.reply();
        self.remember(key, reply);
        response
    }

    /// Takes the quantity from the stock and returns what is left of it.
    fn reserve(&mut self, order: &str, placed: &Placed) -> Result<u32, String> {
        let product = self.products.get_mut(placed.product.as_str()).ok_or("the product is not known")?;
        if placed.quantity == 0 {
            return Err("the quantity is 0".into());
        }
        let left = product.stock.checked_sub(placed.quantity).ok_or_else(|| format!("only {} left", product.stock))?;
        product.stock = left;
        if self.reservations.len() == LISTED {
            self.reservations.pop_front();
        }
        let (product, quantity) = (placed.product.clone(), placed.quantity);
        self.reservations.push_back(Reservation { order: order.to_owned(), product, quantity });
        Ok(left)
    }

    fn remember(&mut self, key: (String, String), reply: Event) {
        if self.remembered.len() == REMEMBERED
            && let Some(oldest) = self.remembered.pop_front()
        {
            self.replies.remove(&oldest);
        }
        self.remembered.push_back(key.clone());
        self.replies.insert(key, reply);
    }
}
