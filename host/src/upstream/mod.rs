//! Services by name, their endpoints, and the way to them.
//!
//! [`forward`](forward()) picks an endpoint ([`balance`]), takes a connection to it ([`pool`], [`connect`]), makes the
//! try ([`attempt`]), repeats it when that is allowed and worth it ([`retry`]) and streams the response back
//! ([`response`]); after a 101, [`splice`] takes over. Which service a request is for was decided before. [`tunnel`] passes
//! on connections that are not ours to read.

mod attempt;
mod balance;
mod connect;
pub mod forward;
mod framing;
mod pool;
pub mod registry;
mod response;
pub mod retry;
pub mod splice;
pub mod tunnel;

pub use forward::{ForwardPolicy, Forwarded, forward};

#[cfg(test)]
pub(crate) mod tests;
