//! The admin endpoint: what operators ask a running proxy.
//!
//! It has its own listener, thread and runtime, so that it answers however busy the workers are, and it reads the
//! proxy only through [`AdminView`]. It asks for no password: it is reached from this machine alone unless the
//! operator says otherwise, and through a Unix socket by the proxy's own user alone.

mod bind;
pub mod client;
pub mod dead_letters;
pub mod endpoints;
pub mod event_tools;
pub mod events;
mod guard;
pub mod overload;
mod query;
pub mod reload;
pub mod rollout;
mod routes;
pub mod server;
mod succession;
pub mod view;

pub use client::{AdminClient, ClientError};
pub use server::{AdminError, AdminServer, AdminSocket};
pub use succession::Succession;
pub use view::AdminView;
