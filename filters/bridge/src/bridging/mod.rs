//! Bridges between requests and events: kind EventBridge.

mod emit;
mod making;
mod request;
mod send;
mod stream;
pub(crate) mod template;
#[cfg(test)]
mod tests;

pub(crate) use emit::Emit;
pub(crate) use making::Making;
pub(crate) use request::{Reply, RequestBridge, late};
pub(crate) use send::Send;
pub(crate) use stream::EventStream;
