//! The place of one subscription: a durable pull consumer, and what was pulled and is not done with.

use super::log::Shared;
use super::{name, pull};
use crate::event::store::{Cursor, Figures, Taken};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use async_nats::jetstream::AckKind;
use async_nats::jetstream::message::Acker;
use futures_util::future::{BoxFuture, FutureExt};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Events that were pulled and not given out, at most: enough for the next deliveries not to wait for the server.
const PULLED: usize = 128;

/// The place of one subscription.
#[derive(Debug)]
pub(super) struct NatsCursor {
    pub(super) shared: Arc<Shared>,
    subscription: String,
    /// The name of the consumer.
    pub(super) consumer: String,
    state: Mutex<State>,
    arrived: Notify,
    room: Notify,
    exists: watch::Sender<bool>,
    /// Ends the pulling.
    pub(super) ended: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    pulled: VecDeque<Message>,
    in_flight: BTreeMap<u64, Message>,
    /// What the server says that it has beyond.
    pending: u64,
    redelivered: u64,
}

/// An event that was pulled.
#[derive(Clone)]
pub(super) struct Message {
    /// Its number in the stream.
    pub(super) position: u64,
    pub(super) event: Arc<Event>,
    pub(super) published: SystemTime,
    pub(super) redelivered: bool,
    pub(super) acker: Arc<Acker>,
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Message").field("position", &self.position).finish_non_exhaustive()
    }
}

impl NatsCursor {
    /// Begins to pull.
    pub(super) fn start(shared: &Arc<Shared>, subscription: &str) -> Arc<Self> {
        let cursor = Arc::new(Self {
            shared: Arc::clone(shared),
            subscription: subscription.to_owned(),
            consumer: name(subscription),
            state: Mutex::default(),
            arrived: Notify::new(),
            room: Notify::new(),
            exists: watch::Sender::new(false),
            ended: shared.server.end.child_token(),
        });
        shared.server.runtime.spawn(pull::run(Arc::clone(&cursor)));
        cursor
    }

    /// Waits until the server knows of the consumer.
    pub(super) async fn exists(&self) {
        // An error says that the sender is gone, which this borrows.
        let _ = self.exists.subscribe().wait_for(|exists| *exists).await;
    }

    /// Whether the server knows of it.
    pub(super) fn set_exists(&self, exists: bool) {
        self.exists.send_replace(exists);
    }

    /// An event was pulled. One that is here already only has a new way to be acknowledged.
    pub(super) fn put(&self, message: Message, pending: u64) {
        let mut state = self.state();
        state.pending = pending;
        let known = state.in_flight.get_mut(&message.position).map(|known| &mut known.acker);
        if let Some(acker) = known {
            *acker = message.acker;
            return;
        }
        if let Some(known) = state.pulled.iter_mut().find(|known| known.position == message.position) {
            known.acker = message.acker;
            return;
        }
        state.redelivered += u64::from(message.redelivered);
        state.pulled.push_back(message);
        drop(state);
        self.arrived.notify_one();
    }

    /// Waits until half of what may be here has gone, and says how many more may be pulled.
    pub(super) async fn room(&self) -> usize {
        loop {
            let pulled = self.state().pulled.len();
            if pulled <= PULLED / 2 {
                return PULLED.saturating_sub(pulled);
            }
            self.room.notified().await;
        }
    }

    /// What the server says that it has beyond what was pulled.
    pub(super) fn set_pending(&self, pending: u64) {
        self.state().pending = pending;
    }

    /// Everything that was pulled and is not done with, for the server to wait longer for: the last of the stream first,
    /// so that of what it is not asked for in time, what comes again first was there first.
    pub(super) fn held(&self) -> Vec<Arc<Acker>> {
        let state = self.state();
        let held = state.pulled.iter().chain(state.in_flight.values());
        let mut held: Vec<_> = held.map(|message| (message.position, Arc::clone(&message.acker))).collect();
        drop(state);
        held.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
        held.into_iter().map(|(_, acker)| acker).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, acker: Arc<Acker>, kind: AckKind) {
        let subscription = self.subscription.clone();
        self.shared.server.runtime.spawn(async move {
            if let Err(error) = acker.ack_with(kind).await {
                tracing::debug!(subscription, %error, "an acknowledgement was not sent; the event comes again");
            }
        });
    }
}

impl Cursor for NatsCursor {
    fn next(&self) -> BoxFuture<'_, Option<Taken>> {
        async {
            loop {
                if self.ended.is_cancelled() {
                    return None;
                }
                {
                    let mut state = self.state();
                    if let Some(message) = state.pulled.pop_front() {
                        let taken = Taken { event: Arc::clone(&message.event), position: message.position };
                        state.in_flight.insert(message.position, message);
                        drop(state);
                        self.room.notify_one();
                        return Some(taken);
                    }
                }
                tokio::select! {
                    () = self.arrived.notified() => {}
                    () = self.ended.cancelled() => return None,
                }
            }
        }
        .boxed()
    }

    fn ack(&self, position: u64) {
        let message = self.state().in_flight.remove(&position);
        if let Some(message) = message {
            self.answer(message.acker, AckKind::Ack);
        }
    }

    fn give_back(&self, position: u64, after: Duration) {
        let message = self.state().in_flight.remove(&position);
        if let Some(message) = message {
            // Without a wait another event of the same key could be given out before it.
            self.answer(message.acker, AckKind::Nak((!after.is_zero()).then_some(after)));
        }
    }

    fn figures(&self) -> Figures {
        let state = self.state();
        let in_flight = state.in_flight.values().map(|message| message.published);
        Figures {
            queued: usize::try_from(state.pending).unwrap_or(usize::MAX).saturating_add(state.pulled.len()),
            in_flight: state.in_flight.len(),
            redelivered: state.redelivered,
            lost: 0,
            oldest: in_flight.chain(state.pulled.iter().map(|message| message.published)).min(),
        }
    }

    fn is_idle(&self) -> bool {
        self.state().in_flight.is_empty()
    }

    fn stop(&self) {
        self.ended.cancel();
        for message in std::mem::take(&mut self.state().pulled) {
            self.answer(message.acker, AckKind::Nak(None));
        }
    }

    fn close(&self) -> usize {
        let left = self.figures();
        self.ended.cancel();
        self.shared.forget(&self.subscription);
        let (shared, consumer) = (Arc::clone(&self.shared), self.consumer.clone());
        self.shared.server.runtime.spawn(async move {
            let deleted = shared.server.context.delete_consumer_from_stream(&consumer, &shared.stream).await;
            if let Err(error) = deleted {
                tracing::warn!(channel = shared.channel, consumer, %error, "the consumer is not removed");
            }
        });
        left.queued.saturating_add(left.in_flight)
    }
}

/// How often the server is told that deliveries are under way, well within [`ACK_WAIT`](super::ACK_WAIT).
pub(super) const PROGRESS: Duration = Duration::from_secs(2);
