//! Builders for black-box tests: the real proxy, real services, real sockets.
//!
//! A test reads like what it promises. Everything listens on a free port of 127.0.0.1, everything started is ended
//! when it is dropped, and nothing waits without a limit; whatever goes wrong panics with what the proxy has logged.
//!
//! ```no_run
//! use sluicegate_tests::{Options, Proxy, Upstream};
//!
//! let inventory = Upstream::start();
//! let proxy = Proxy::start(Options::new().upstream("inventory", inventory.address()));
//! let answer = proxy.get("http://inventory/stock");
//! assert_eq!(answer.status, 200);
//! assert_eq!(inventory.requests().len(), 1);
//! ```
//!
//! The functions block and may be called from plain `#[test]` functions; the sockets live on a thread of their own.
//! Components and the proxy must have been built: `cargo xtask test` does so.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a test that cannot go on panics")]

mod artifact;
pub mod attack;
mod background;
pub mod bench;
mod broker;
mod client;
mod collector;
pub mod conformance;
mod directory;
mod eventing;
mod fickle;
pub mod frames;
mod load;
pub mod malformed;
mod options;
mod proxy;
mod raw;
pub mod smuggling;
pub mod suites;
mod times;
mod tls;
mod upstream;
mod wait;
mod websocket;

pub use artifact::{renumbered, rewritten, sluice, stock_filter, test_filter};
pub use broker::{Broker, Gap, Store};
pub use client::{Answer, Client, Protocol, Request};
pub use collector::{Collector, Traced, named};
pub use directory::Directory;
pub use eventing::Eventing;
pub use fickle::Fickle;
pub use load::{Load, LoadReport, Use};
pub use options::Options;
pub use proxy::Proxy;
pub use raw::{RawUpstream, raw, raw_until};
pub use times::Times;
pub use tls::{Authority, Pair, Tls, TlsClient};
pub use upstream::{Behaviour, Recorded, Upstream};
pub use wait::wait_until;
