//! Sluicegate: an HTTP proxy, run as gateway or sidecar, whose policies are sandboxed WebAssembly filters.
//!
//! Filters decide and the host acts. The life of a request: bytes -> [`connection`] (limits, strict framing) ->
//! [`exchange`] (one [`snapshot`] for its whole life) -> [`chain`] (each filter's decision, applied in one step) ->
//! [`upstream`], [`gather`] or [`event`] -> response phases in reverse -> one access record ([`telemetry`]).

pub mod admin;
pub mod admission;
mod allocator;
pub mod body;
pub mod chain;
pub mod config;
pub mod connection;
pub mod decision;
pub mod deliver;
pub mod dns;
pub mod drain;
pub mod error;
pub mod event;
pub mod exchange;
pub mod explain;
#[doc(hidden)]
pub mod fuzzing;
pub mod gateway;
pub mod gather;
pub mod grpc;
pub mod json;
pub mod listener;
pub mod manifest;
pub mod mirror;
pub mod notify;
pub mod overload;
pub mod priority;
pub mod proxy;
pub mod reload;
pub mod request;
pub mod respond;
pub mod rollout;
pub mod sanitize;
pub mod shed;
pub mod snapshot;
mod socket;
pub mod status;
pub mod stream;
pub mod take_over;
pub mod telemetry;
mod timer;
pub mod tls;
pub mod trial;
pub mod unix_socket;
pub mod upstream;
pub mod wasm;
pub mod watch;
pub mod websocket;
pub mod worker;
