//! Services by name, their endpoints, and the way to them.
//!
//! [`forward`](forward()) picks an endpoint ([`balance`]), takes a connection to it ([`target`]: from the [`pool`] or,
//! where a [`policy`] rules them, from the [`slots`] of the [`cluster`]), unless its [`adaptive`] limit is met, makes the try ([`attempt`], within the time of its [`clock`]), repeats it when
//! that is allowed and worth it ([`retry`]) and streams the response back ([`response`]), followed to its end ([`watch`]);
//! after a 101, [`splice`] takes over. Endpoints of a name may
//! have several addresses ([`alternatives`]), and are reached at the first that answers ([`mod@race`]). Endpoints that speak HTTP/2 ([`wire`]) get it on shared connections ([`streams`],
//! [`multiplex`]). One that takes nothing for too long is given up ([`patient`]). Which service a request is for was decided before. What is known of endpoints
//! ([`state`]: activity, failures, health) outlives snapshots; [`outlier`] leaves those out that fail, and
//! [`health`] those that say they are unwell. [`tunnel`] passes on connections that are not ours to read.

pub mod adaptive;
mod admitted;
pub mod alternatives;
mod attempt;
mod balance;
mod clock;
pub mod cluster;
mod connect;
pub mod endpoint;
mod figures;
pub mod forward;
pub(crate) mod framing;
pub mod health;
pub mod limit;
pub mod member;
mod multiplex;
mod outlier;
mod patient;
pub mod policy;
mod pool;
mod race;
mod record;
pub mod registry;
mod response;
pub mod retry;
mod slots;
pub mod splice;
pub mod state;
mod streams;
mod target;
mod tries;
pub mod tunnel;
mod watch;
pub mod wire;

pub use forward::{ForwardPolicy, Forwarded, forward, forward_noting};
pub use tries::Tries;

#[cfg(test)]
pub(crate) mod tests;
