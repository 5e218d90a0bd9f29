//! Against real servers on loopback, each of them a few lines of what goes over the wire.

mod connections;
pub(crate) mod harness;
mod retries;
mod streaming;
mod upgrades;
