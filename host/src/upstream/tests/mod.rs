//! Against real servers on loopback, each of them a few lines of what goes over the wire.

mod adaptive;
mod blame;
mod connections;
mod failing;
pub(crate) mod harness;
mod http2;
mod limits;
mod queue;
mod retries;
mod streaming;
mod tls;
mod upgrades;
