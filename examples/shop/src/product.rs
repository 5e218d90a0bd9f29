//! The product service: describes what the shop sells.
//!
//! | request | answer |
//! |---|---|
//! | `GET /products` | the catalogue |
//! | `GET /products/NAME` | one product |
//! | `PUT /products/NAME` with `{"description":"..."}` | 200, or 201 for a new product |

use crate::answer::{json, not_allowed, not_found, problem, read};
use crate::server::Service;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The service's name.
const NAME: &str = "product-service";
/// Products in the catalogue.
const MAX_PRODUCTS: usize = 1_000;

/// Describes products.
#[derive(Debug)]
pub struct ProductService(Mutex<BTreeMap<String, Description>>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Description {
    description: String,
}

impl Default for ProductService {
    /// A small catalogue.
    fn default() -> Self {
        let products =
            [("cup", "Holds a quarter of a litre"), ("saucer", "For the cup"), ("teapot", "Short and stout")];
        let products = products.map(|(name, text)| (name.to_owned(), Description { description: text.to_owned() }));
        Self(Mutex::new(products.into()))
    }
}

impl Service for ProductService {
    fn name(&self) -> &'static str {
        NAME
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        let products = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = path.strip_prefix("/products/").filter(|name| !name.is_empty() && !name.contains('/'));
        match (request.method(), path, one) {
            (&Method::GET | &Method::HEAD, "/products", _) => {
                json(StatusCode::OK, &json!({"service": NAME, "products": products}))
            }
            (_, "/products", _) => not_allowed(NAME, "GET, HEAD"),
            (&Method::GET | &Method::HEAD, _, Some(name)) => match products.get(name) {
                Some(product) => json(StatusCode::OK, product),
                None => not_found(NAME, path),
            },
            (&Method::PUT, _, Some(name)) => describe(products, name, request.body()),
            (_, _, Some(_)) => not_allowed(NAME, "GET, HEAD, PUT"),
            _ => not_found(NAME, path),
        }
    }
}

fn describe(products: &mut BTreeMap<String, Description>, name: &str, body: &[u8]) -> Response<Bytes> {
    let description: Description = match read(body) {
        Ok(description) => description,
        Err(reason) => return problem(NAME, StatusCode::BAD_REQUEST, &reason),
    };
    if products.len() >= MAX_PRODUCTS && !products.contains_key(name) {
        return problem(NAME, StatusCode::INSUFFICIENT_STORAGE, "the catalogue is full");
    }
    let known = products.insert(name.to_owned(), description.clone()).is_some();
    json(if known { StatusCode::OK } else { StatusCode::CREATED }, &description)
}
