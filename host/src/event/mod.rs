//! Channels and the delivery of their events.
//!
//! An event that is published to a channel goes into the channel's [store]; each subscription has its own place in it and
//! delivers on its own, with retries, replies and a dead letter sink, so that a slow one holds no other. The event
//! filter decides what to send and what an outcome means; this module does the waiting, counting and bounding.
//!
//! Stores belong to the process and not to a snapshot: a reload keeps them. Whether events survive the process is the
//! store's to promise.
//!
//! - [`resource`]: documents of channels, brokers, flows and bridges, resolved to channels and subscriptions
//! - [`replies`]: requests that wait for an answer by an event
//! - [`channels`], [`apply`], [`publish`]: all channels of the process, as a configuration wants them, and events for them
//! - [`follow`], [`read_back`]: looking on, and back
//! - [`letters`], [`operate`]: dead letters, and what operators do with them
//! - [`store`]: where events are kept until every subscription is done with them
//! - [`dispatch`]: the thread that delivers, and what it needs from the rest of the proxy

mod addressed;
mod apply;
mod attribute;
mod backoff;
mod channel;
pub mod channels;
mod check;
mod delivery;
pub mod dispatch;
mod figures;
mod follow;
pub mod json;
mod lanes;
mod letters;
mod operate;
mod publish;
mod read_back;
mod refusal;
pub mod release;
mod replies;
pub mod resource;
pub mod store;
mod subscription;
#[cfg(test)]
mod tests;
mod tuning;
mod wanted;

pub use backoff::{Backoff, Policy};
pub use channels::{Channels, Drained};
pub use dispatch::{Decide, Dispatcher, Post, Transport};
pub use follow::{FollowError, Follower, Glimpse, Listening, Seen, Start};
pub use letters::{Letter, Numbered};
pub use operate::{PutBack, Replay, Replayed, Selection, Until};
pub use refusal::PublishError;
pub use replies::{OpenError, Opened, Opener, Replies, Waited};
pub use resource::{ChannelSpec, Document, ResourceError, SubscriptionSpec, resolve};
pub use store::Stores;
pub use subscription::{ChannelStats, SubscriptionStats};
pub use tuning::Ordering;
pub use wanted::Wanted;
