//! Who publishes: on a thread that serves requests a client of its own, so that a request need not wait for another thread
//! to wake up; on others the store's.

use super::{Nats, jetstream_of, options};
use crate::event::store::StoreError;
use crate::event::store::remote::{PATIENCE, Server};
use crate::worker;
use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::Context;
use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Between two looks whether a client is connected.
const LOOK: Duration = Duration::from_millis(20);

/// A client and what speaks JetStream by it. It is shared, since copying both costs more than sending a message.
pub(super) struct Publisher {
    pub(super) client: Client,
    pub(super) context: Context,
}

/// Connected by the first who publishes.
type Slot = Arc<OnceCell<Arc<Publisher>>>;

thread_local! {
    /// Of each store that was published to on this thread.
    static PUBLISHERS: RefCell<Vec<(Weak<()>, Slot)>> = const { RefCell::new(Vec::new()) };
}

impl Nats {
    /// Who publishes on this thread, connected.
    pub(super) async fn publisher(&self) -> Result<Arc<Publisher>, StoreError> {
        let publisher = if worker::index() < worker::count() { self.own().await? } else { Arc::clone(&self.shared) };
        if is_connected(&publisher.client).await {
            Ok(publisher)
        } else {
            Err(StoreError::Unavailable(format!("the {} cannot be reached", Self::NAME)))
        }
    }

    async fn own(&self) -> Result<Arc<Publisher>, StoreError> {
        let slot = PUBLISHERS.with_borrow_mut(|publishers| {
            if let Some((_, slot)) =
                publishers.iter().find(|(store, _)| std::ptr::eq(store.as_ptr(), Arc::as_ptr(&self.alive)))
            {
                return Arc::clone(slot);
            }
            publishers.retain(|(store, _)| store.strong_count() > 0);
            let slot = Slot::default();
            publishers.push((Arc::downgrade(&self.alive), Arc::clone(&slot)));
            slot
        });
        match slot.get() {
            Some(publisher) => Ok(Arc::clone(publisher)),
            // In a box, as only the first publication has to connect.
            None => Box::pin(slot.get_or_try_init(|| connect(self))).await.cloned(),
        }
    }
}

/// A client of its own. The store's says what becomes of the server.
async fn connect(nats: &Nats) -> Result<Arc<Publisher>, StoreError> {
    // With `retry_on_initial_connect` this does not wait for the server.
    let client = options(nats.tls.clone(), |_| ()).connect(nats.settings.servers.clone()).await;
    let client = client.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(Arc::new(Publisher { context: jetstream_of(&client), client }))
}

/// Whether a client is connected, after waiting for that for at most [`PATIENCE`].
pub(super) async fn is_connected(client: &Client) -> bool {
    if client.connection_state() == State::Connected {
        return true;
    }
    let connected = async {
        while client.connection_state() != State::Connected {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, connected).await.is_ok()
}
