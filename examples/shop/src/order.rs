//! The order service: takes orders and knows how often each product was ordered.
//!
//! | request | answer |
//! |---|---|
//! | `GET /orders` | the latest orders |
//! | `POST /orders` with `{"product":"teapot","quantity":2}` | 201 and the order |
//! | `GET /orders/ID` | one order |
//! | `GET /products` | how often each product was ordered |

use crate::answer::{json, not_allowed, not_found, problem, read};
use crate::server::Service;
use bytes::Bytes;
use http::header::{HeaderValue, LOCATION};
use http::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// The service's name.
const NAME: &str = "order-service";
/// Orders that are kept; older ones live on in the figures only.
const KEPT: usize = 1_000;
/// Different products: more than the shop sells, few enough to bound what callers can make it remember.
const MAX_PRODUCTS: usize = 1_000;
/// The longest name of a product, in bytes.
const MAX_NAME: usize = 100;

/// Takes orders.
#[derive(Debug)]
pub struct OrderService(Mutex<Orders>);

#[derive(Debug, Default)]
struct Orders {
    last: u64,
    latest: VecDeque<Order>,
    figures: BTreeMap<String, Figures>,
}

#[derive(Debug, Clone, Serialize)]
struct Order {
    id: u64,
    #[serde(flatten)]
    wanted: Wanted,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wanted {
    product: String,
    quantity: u32,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Figures {
    orders: u64,
    ordered: u64,
}

impl Default for OrderService {
    /// A service that has taken two orders already.
    fn default() -> Self {
        let mut orders = Orders::default();
        for (product, quantity) in [("teapot", 1), ("cup", 6)] {
            orders.place(Wanted { product: product.into(), quantity });
        }
        Self(Mutex::new(orders))
    }
}

impl Service for OrderService {
    fn name(&self) -> &'static str {
        NAME
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        let orders = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (request.method(), path) {
            (&Method::GET | &Method::HEAD, "/orders") => {
                json(StatusCode::OK, &json!({"service": NAME, "orders": orders.latest}))
            }
            (&Method::POST, "/orders") => take(orders, request.body()),
            (_, "/orders") => not_allowed(NAME, "GET, HEAD, POST"),
            (&Method::GET | &Method::HEAD, "/products") => {
                json(StatusCode::OK, &json!({"service": NAME, "products": orders.figures}))
            }
            (&Method::GET | &Method::HEAD, _) => match path.strip_prefix("/orders/").and_then(|id| orders.find(id)) {
                Some(order) => json(StatusCode::OK, order),
                None => not_found(NAME, path),
            },
            _ => not_found(NAME, path),
        }
    }
}

fn take(orders: &mut Orders, body: &[u8]) -> Response<Bytes> {
    let wanted: Wanted = match read(body) {
        Ok(wanted) => wanted,
        Err(reason) => return problem(NAME, StatusCode::BAD_REQUEST, &reason),
    };
    if let Err(reason) = orders.check(&wanted) {
        return problem(NAME, StatusCode::UNPROCESSABLE_ENTITY, reason);
    }
    let order = orders.place(wanted);
    let mut response = json(StatusCode::CREATED, &order);
    if let Ok(location) = HeaderValue::from_str(&format!("/orders/{}", order.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

impl Orders {
    fn check(&self, wanted: &Wanted) -> Result<(), &'static str> {
        if wanted.quantity == 0 {
            return Err("the quantity is 0");
        }
        if wanted.product.is_empty() || wanted.product.len() > MAX_NAME {
            return Err("the product's name is empty or too long");
        }
        if self.figures.len() >= MAX_PRODUCTS && !self.figures.contains_key(&wanted.product) {
            return Err("the shop does not sell that many products");
        }
        Ok(())
    }

    fn place(&mut self, wanted: Wanted) -> Order {
        self.last += 1;
        let figures = self.figures.entry(wanted.product.clone()).or_default();
        figures.orders += 1;
        figures.ordered = figures.ordered.saturating_add(u64::from(wanted.quantity));
        let order = Order { id: self.last, wanted };
        if self.latest.len() == KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(order.clone());
        order
    }

    fn find(&self, id: &str) -> Option<&Order> {
        let id: u64 = id.parse().ok()?;
        self.latest.iter().find(|order| order.id == id)
    }
}
