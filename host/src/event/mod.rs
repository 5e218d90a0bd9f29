//! Channels and the delivery of their events, in memory.
//!
//! An event that is published to a channel goes into the queue of each of the channel's subscriptions; each subscription
//! delivers on its own, with retries, replies and a dead letter sink, so that a slow one holds no other. The event
//! filter decides what to send and what an outcome means; this module does the waiting, counting and bounding.
//!
//! Queues belong to the process and not to a snapshot: a reload keeps them. They do not survive the process.
//!
//! - [`resource`]: documents of channels, brokers, flows and bridges, resolved to channels and subscriptions
//! - [`replies`]: requests that wait for an answer by an event
//! - [`channels`]: publish, apply, drain
//! - [`dispatch`]: the thread that delivers, and what it needs from the rest of the proxy

mod backoff;
pub mod channels;
mod check;
mod delivery;
pub mod dispatch;
mod queue;
pub mod replies;
pub mod resource;
mod subscription;
#[cfg(test)]
mod tests;

pub use backoff::{Backoff, Policy};
pub use channels::{Channels, Drained, PublishError};
pub use dispatch::{Decide, Dispatcher, Post, Transport};
pub use replies::{Replies, Waited};
pub use resource::{ChannelSpec, Document, ResourceError, SubscriptionSpec, resolve};
pub use subscription::{ChannelStats, SubscriptionStats};
