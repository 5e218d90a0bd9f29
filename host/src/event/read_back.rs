//! Reading a channel back, from a place in what its store keeps.

use super::channel::Channel;
use super::channels::Channels;
use super::follow::{FollowError, Follower, Start};
use super::store::recent::Recent;
use super::store::{Archive, StoreError};
use crate::config::StoreChoice;
use std::sync::Arc;

impl Channels {
    /// Reads a channel back, whose store has to keep a history.
    ///
    /// # Errors
    /// When there is no such channel, or no history, or the server that has it does not answer.
    pub async fn read_back(&self, channel: &str, start: Start) -> Result<Follower, FollowError> {
        let channel = self.known(channel)?;
        match (channel.log.history(), channel.log.archive()) {
            (Some(history), _) => Ok(Follower::new(&channel, &*history, start)),
            (None, Some(archive)) => of_archive(&channel, archive, start).await,
            (None, None) => {
                Err(FollowError::NoHistory { channel: channel.name.clone(), reason: no_history(channel.store) })
            }
        }
    }

    /// Follows a channel from a place that an operator names: in what its store keeps, or of what is kept for those who look
    /// on.
    ///
    /// # Errors
    /// As [`read_back`](Self::read_back), and where what is meant is not kept by the store, as [`follow`](Self::follow).
    pub async fn look_back(&self, channel: &str, start: Start) -> Result<Follower, FollowError> {
        let known = self.known(channel)?;
        match (start, known.log.archive()) {
            // A time that lies before now needs a history; what is kept for those who look on has none.
            (Start::Time(_), _) => self.read_back(channel, start).await,
            (Start::Oldest, Some(archive)) => of_archive(&known, archive, start).await,
            (Start::Position(position), Some(archive)) if !Recent::is_position(position) => {
                of_archive(&known, archive, start).await
            }
            _ => self.follow(channel, start),
        }
    }
}

async fn of_archive(channel: &Channel, archive: Arc<dyn Archive>, start: Start) -> Result<Follower, FollowError> {
    let unanswered = |error: StoreError| {
        let (channel, reason) = (channel.name.clone(), error.to_string());
        FollowError::Unanswered { channel, reason }
    };
    Follower::of_archive(channel, archive, start).await.map_err(unanswered)
}

/// Why a store keeps none, and what to do.
fn no_history(store: StoreChoice) -> &'static str {
    match store {
        StoreChoice::Amqp => {
            "as RabbitMQ drops an event once it was delivered: have the channel in files, or on NATS or Redis with \
             `events: {history: 1d}`"
        }
        StoreChoice::Mqtt => {
            "as MQTT brokers drop an event once it was delivered: have the channel in files, or on NATS or Redis with \
             `events: {history: 1d}`"
        }
        StoreChoice::Kafka => {
            "that this proxy reads back: the topic has the events, for a consumer of Kafka, and what no subscription is done \
             with comes by itself"
        }
        StoreChoice::Memory | StoreChoice::File | StoreChoice::Nats | StoreChoice::Redis => {
            "have the channel in files (`sluicegate.dev/store: file`), or on NATS or Redis with `events: {history: 1d}`"
        }
    }
}
