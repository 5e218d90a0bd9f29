//! Publishing: events are checked, all of them find room or none does, then they are stored.

use super::addressed;
use super::channel::Channel;
use super::channels::Channels;
use super::check::{check, stamp};
use super::refusal::PublishError;
use super::store::{Reserved, StoreError};
use crate::wasm::bindings::sluicegate::filter::types::{Event, Publication};
use std::sync::Arc;

/// Where an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A request.
    Request,
    /// A delivery of another channel, which a drain lets finish.
    Delivery,
}

impl Channels {
    /// Stores an event for every subscription of a channel (`NAMESPACE/NAME`), or for none. Without a subscription the
    /// event is taken and dropped. Resolves once the event is as durable as the channel's store promises.
    pub async fn publish(&self, channel: &str, event: Event) -> Result<(), PublishError> {
        self.publish_all(vec![Publication { channel: channel.to_owned(), event }]).await
    }

    /// Publishes all of these events, or none of them. Resolves once they are as durable as the stores of their channels
    /// promise. Only a store that fails while it writes can leave the events of one channel in and those of another out.
    pub async fn publish_all(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        self.storing(publications)?.await
    }

    /// The same in two steps: keeps room for all of these events, or for none, and gives what stores them. It has to come
    /// to its end, also when whoever waits for it gives up.
    pub fn storing(
        &self,
        publications: Vec<Publication>,
    ) -> Result<impl Future<Output = Result<(), PublishError>> + Send + use<>, PublishError> {
        let rooms = self.reserve(self.accept(publications)?, Origin::Request)?;
        Ok(fill(rooms))
    }

    /// Keeps room for all of these events, or for none, and gives what stores them. What a store then loses is counted.
    pub fn publish_unacknowledged(
        &self,
        publications: Vec<Publication>,
    ) -> Result<impl Future<Output = ()> + Send + use<>, PublishError> {
        let rooms = self.reserve(self.accept(publications)?, Origin::Request)?;
        Ok(async move {
            for room in rooms {
                let (channel, count) = (Arc::clone(&room.channel), room.count);
                if let Err(error) = room.fill().await {
                    channel.lost(count);
                    tracing::warn!(%error, count, "events were lost that nobody waited for");
                }
            }
        })
    }

    /// Publishes an event that another channel's delivery brings.
    pub(super) async fn relay(&self, channel: String, event: Event) -> Result<(), PublishError> {
        self.relay_all(vec![Publication { channel, event }]).await
    }

    /// Publishes all of these events that another channel's delivery brings, or none of them.
    pub(super) async fn relay_all(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        let rooms = self.reserve(self.accept(publications)?, Origin::Delivery)?;
        fill(rooms).await
    }

    /// Checks the events, and sorts them by channel.
    fn accept(&self, publications: Vec<Publication>) -> Result<Accepted, PublishError> {
        let table = self.table.load();
        let mut accepted: Accepted = Vec::with_capacity(1);
        for Publication { channel, mut event } in publications {
            let Some(entry) = table.channels.get(&channel) else {
                return Err(PublishError::UnknownChannel { channel });
            };
            if let Err(reason) = check(&event) {
                return Err(PublishError::Invalid { channel, reason });
            }
            stamp(&mut event);
            addressed::strip(&mut event);
            match accepted.iter_mut().find(|(known, _)| Arc::ptr_eq(known, entry)) {
                Some((_, events)) => events.push(Arc::new(event)),
                None => accepted.push((Arc::clone(entry), vec![Arc::new(event)])),
            }
        }
        Ok(accepted)
    }

    /// Keeps room for all of the events, or for none.
    fn reserve(&self, accepted: Accepted, origin: Origin) -> Result<Vec<Room>, PublishError> {
        let mut rooms: Vec<Room> = Vec::with_capacity(accepted.len());
        for (channel, events) in accepted {
            if self.is_released(&channel) {
                let reason = "another process is taking over".to_owned();
                return Err(channel.refused(&StoreError::Unavailable(reason)));
            }
            let (count, wanted) = (events.len(), channel.audience.wants(&events));
            let reserved = channel.log.reserve(events).map_err(|error| channel.refused(&error))?;
            rooms.push(Room { channel, count, wanted, reserved });
        }
        // A drain that has not seen the room kept above has begun before it was: then it is not filled.
        if origin == Origin::Request && self.is_draining() {
            let channel = rooms.first().map(|first| first.channel.name.clone()).unwrap_or_default();
            drop(rooms);
            self.finished.notify_one();
            return Err(PublishError::Draining { channel });
        }
        Ok(rooms)
    }
}

/// Room for events in the log of a channel; given back unless filled.
struct Room {
    channel: Arc<Channel>,
    count: usize,
    /// What those who look on get of it.
    wanted: Option<Vec<Arc<Event>>>,
    reserved: Box<dyn Reserved>,
}

impl Room {
    /// Stores its events.
    async fn fill(self) -> Result<(), PublishError> {
        let Self { channel, count, wanted, reserved } = self;
        reserved.commit().await.map_err(|error| channel.refused(&error))?;
        channel.count(count);
        channel.audience.tell(wanted);
        Ok(())
    }
}

/// Stores the events of all rooms.
async fn fill(rooms: Vec<Room>) -> Result<(), PublishError> {
    for room in rooms {
        room.fill().await?;
    }
    Ok(())
}

/// Events by their channel.
type Accepted = Vec<(Arc<Channel>, Vec<Arc<Event>>)>;
