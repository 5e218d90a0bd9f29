//! The request, as a composition sees it.

use crate::{host, percent};
use sluicegate_sdk::Request;
use std::cell::OnceCell;

/// A request that a composition takes. What it does not use is never asked for.
#[derive(Debug)]
pub struct View<'a> {
    /// The request itself.
    pub request: &'a Request<'a>,
    /// The parameters of its path, decoded.
    pub parameters: Vec<String>,
    /// Its body, once it is there and is JSON.
    pub body: Option<String>,
    host: OnceCell<String>,
    method: OnceCell<String>,
}

impl<'a> View<'a> {
    /// A request of which nothing is known yet.
    pub fn new(request: &'a Request<'a>) -> Self {
        Self { request, parameters: Vec::new(), body: None, host: OnceCell::new(), method: OnceCell::new() }
    }

    /// Its host, without port.
    pub fn host(&self) -> &str {
        self.host.get_or_init(|| host::of_authority(&self.request.authority()))
    }

    /// Its method.
    pub fn method(&self) -> &str {
        self.method.get_or_init(|| self.request.method())
    }

    /// Whether it asks for something and changes nothing.
    pub fn asks(&self) -> bool {
        matches!(self.method(), "GET" | "HEAD")
    }

    /// How long ago it came, in milliseconds.
    pub fn elapsed(&self) -> u64 {
        let elapsed = self.request.attribute("request.elapsed");
        elapsed.and_then(|elapsed| elapsed.parse().ok()).unwrap_or(0)
    }

    /// The first value of a parameter of its query, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        percent::query_value(&self.request.query()?, name)
    }
}
