//! The request, as a composition sees it.

use crate::percent;
use sluicegate_sdk::Request;

/// A request that a composition takes.
#[derive(Debug)]
pub struct View<'a> {
    /// The request itself.
    pub request: &'a Request<'a>,
    /// Its host, without port.
    pub host: String,
    /// The parameters of its path, decoded.
    pub parameters: Vec<String>,
    /// Its body, once it is there and is JSON.
    pub body: Option<String>,
}

impl View<'_> {
    /// How long ago the request came, in milliseconds.
    pub fn elapsed(&self) -> u64 {
        let elapsed = self.request.attribute("request.elapsed");
        elapsed.and_then(|elapsed| elapsed.parse().ok()).unwrap_or(0)
    }

    /// The first value of a parameter of its query, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        percent::query_value(&self.request.query()?, name)
    }
}
