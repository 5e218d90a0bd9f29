//! The place of one subscription: what came from the server and is not done with.

use super::log::Shared;
use super::table::{Put, Table};
use super::{End, Server, removal};
use crate::event::store::{Cursor, Figures, Taken};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use futures_util::future::{BoxFuture, FutureExt};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Between two tries, after the first and at most.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_LATER: Duration = Duration::from_secs(2);
/// Between two looks at whether anything is in flight, as a subscription ends.
const LOOK: Duration = Duration::from_millis(10);
/// For the last acknowledgement of a subscription to leave.
const PARTING: Duration = Duration::from_millis(100);

/// An event as it comes from the server.
pub(in crate::event::store) struct Arrival<S: Server> {
    /// What it is known by; none where the server gives nothing to know it by.
    pub(in crate::event::store) mark: Option<S::Mark>,
    pub(in crate::event::store) tag: S::Tag,
    pub(in crate::event::store) event: Event,
    /// When it was published.
    pub(in crate::event::store) since: SystemTime,
    /// Whether the server says that it was given out before.
    pub(in crate::event::store) again: bool,
}

/// The place of one subscription.
pub(in crate::event::store) struct Place<S: Server> {
    pub(super) shared: Arc<Shared<S>>,
    /// `NAMESPACE/NAME`.
    pub(in crate::event::store) subscription: String,
    state: Mutex<State<S>>,
    arrived: Notify,
    room: Notify,
    known: watch::Sender<bool>,
    /// Ends the fetching.
    pub(in crate::event::store) ended: CancellationToken,
    /// The subscription is gone: what the server hears of its events does not matter any more.
    removed: CancellationToken,
    /// Nothing fetches any more, or will.
    left: CancellationToken,
}

struct State<S: Server> {
    table: Table<S::Mark, S::Tag>,
    /// What the server says that it has beyond.
    pending: u64,
    redelivered: u64,
    lost: u64,
}

impl<S: Server> fmt::Debug for Place<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Place").field("subscription", &self.subscription).finish_non_exhaustive()
    }
}

impl<S: Server> Place<S> {
    /// Begins to fetch.
    pub(super) fn start(shared: &Arc<Shared<S>>, subscription: &str) -> Arc<Self> {
        let place = Arc::new(Self {
            shared: Arc::clone(shared),
            subscription: subscription.to_owned(),
            state: Mutex::new(State { table: Table::default(), pending: 0, redelivered: 0, lost: 0 }),
            arrived: Notify::new(),
            room: Notify::new(),
            known: watch::Sender::new(false),
            ended: shared.server.thread().end.child_token(),
            removed: CancellationToken::new(),
            left: CancellationToken::new(),
        });
        let (thread, run) = (shared.server.thread(), run(Arc::clone(&place)));
        // What is tied to a connection has to have ended it before the process ends.
        if S::TIED {
            thread.tell(run);
        } else {
            thread.spawn(run);
        }
        place
    }

    /// `NAMESPACE/NAME` of the channel.
    pub(in crate::event::store) fn channel(&self) -> &str {
        &self.shared.channel
    }

    /// Whether the server knows of the subscription: events are published only then, as one that comes before is none of
    /// its.
    pub(in crate::event::store) fn is_known(&self, known: bool) {
        self.known.send_replace(known);
    }

    /// Waits until the server knows of it.
    pub(super) async fn known(&self) {
        // An error says that the sender is gone, which this borrows.
        let _ = self.known.subscribe().wait_for(|known| *known).await;
    }

    /// An event has come. One that is here already only has a new tag; for one that is done with, the server is told again.
    pub(in crate::event::store) fn put(self: &Arc<Self>, arrival: Arrival<S>) {
        let Arrival { mark, tag, event, since, again } = arrival;
        let mut state = self.state();
        let put = state.table.put(mark, Arc::new(event), since, tag.clone());
        state.redelivered += u64::from(again && put == Put::New);
        drop(state);
        match put {
            Put::New => self.arrived.notify_one(),
            Put::Here => {}
            Put::Done => self.settle(tag, End::Done),
        }
    }

    /// Waits until half of what may be here has gone, and says how many more may come.
    pub(in crate::event::store) async fn room(&self) -> usize {
        loop {
            if let Some(room) = self.state().table.room() {
                return room;
            }
            self.room.notified().await;
        }
    }

    /// What the server says that it has beyond what has come.
    pub(in crate::event::store) fn set_pending(&self, pending: u64) {
        self.state().pending = pending;
    }

    /// The server has dropped so many events that were to come.
    pub(in crate::event::store) fn add_lost(&self, lost: u64) {
        self.state().lost += lost;
    }

    /// The tags of all that is here, in the order of arrival.
    pub(in crate::event::store) fn tags(&self) -> Vec<S::Tag> {
        self.state().table.tags()
    }

    /// Tells the server what became of an event.
    pub(in crate::event::store) fn settle(self: &Arc<Self>, tag: S::Tag, end: End) {
        let place = Arc::clone(self);
        self.shared.server.thread().tell(async move {
            if let Err(error) = place.shared.server.settle(&place, tag, end).await {
                let subscription = &place.subscription;
                tracing::debug!(subscription, %error, "what became of an event was not said; it comes again");
            }
        });
    }

    /// Waits until nothing fetches any more, which would make the subscription known again.
    pub(super) async fn left(&self) {
        self.left.cancelled().await;
    }

    /// Ends once nothing is given out any more, and nothing that was needs the connection.
    async fn parted(&self) {
        self.ended.cancelled().await;
        if S::TIED {
            tokio::select! {
                () = self.acknowledged() => {}
                () = self.removed.cancelled() => {}
            }
        }
    }

    async fn acknowledged(&self) {
        while self.state().table.in_flight() > 0 {
            tokio::time::sleep(LOOK).await;
        }
        // For the last acknowledgement to be on its way.
        tokio::time::sleep(PARTING).await;
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        // No holder can leave the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches until the subscription is gone, through whatever happens to the server.
async fn run<S: Server>(place: Arc<Place<S>>) {
    let _left = place.left.clone().drop_guard();
    tokio::select! {
        () = place.parted() => {}
        () = fetch(&place) => {}
    }
}

async fn fetch<S: Server>(place: &Arc<Place<S>>) {
    let mut again = AGAIN;
    // What has come by a connection that is lost comes again to whoever fetches next, which is not this process any more.
    while !place.ended.is_cancelled() {
        match place.shared.server.serve(place).await {
            Ok(()) => again = AGAIN,
            Err(error) => {
                let (channel, subscription) = (place.channel(), &place.subscription);
                tracing::warn!(channel, subscription, %error, "no events come from the {}", S::NAME);
                again = again.saturating_mul(2).min(AGAIN_LATER);
            }
        }
        place.is_known(false);
        tokio::time::sleep(again).await;
    }
}

/// A place that others hold.
#[derive(Debug)]
pub(super) struct PlaceCursor<S: Server>(pub(super) Arc<Place<S>>);

impl<S: Server> Cursor for PlaceCursor<S> {
    fn next(&self) -> BoxFuture<'_, Option<Taken>> {
        async {
            let place = &self.0;
            loop {
                if place.ended.is_cancelled() {
                    return None;
                }
                let taken = place.state().table.take();
                if let Some((position, event)) = taken {
                    place.room.notify_one();
                    return Some(Taken { event, position });
                }
                tokio::select! {
                    () = place.arrived.notified() => {}
                    () = place.ended.cancelled() => return None,
                }
            }
        }
        .boxed()
    }

    fn ack(&self, position: u64) {
        let tag = self.0.state().table.finish(position);
        if let Some(tag) = tag {
            self.0.settle(tag, End::Done);
        }
    }

    fn give_back(&self, position: u64, after: Duration) {
        let place = Arc::clone(&self.0);
        self.0.shared.server.thread().spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(after) => {}
                () = place.ended.cancelled() => {}
            }
            if !place.ended.is_cancelled() {
                place.state().table.again(position);
                place.arrived.notify_one();
                return;
            }
            let tag = place.state().table.release(position);
            if let Some(tag) = tag.filter(|_| !S::TIED) {
                place.settle(tag, End::Released);
            }
        });
    }

    fn figures(&self) -> Figures {
        let state = self.0.state();
        let pending = usize::try_from(state.pending).unwrap_or(usize::MAX);
        Figures {
            queued: pending.saturating_add(state.table.waiting()),
            in_flight: state.table.in_flight(),
            redelivered: state.redelivered,
            lost: state.lost,
            oldest: state.table.oldest(),
        }
    }

    fn is_idle(&self) -> bool {
        self.0.state().table.in_flight() == 0
    }

    fn stop(&self) {
        self.0.ended.cancel();
        let left = self.0.state().table.clear();
        for tag in left.into_iter().filter(|_| !S::TIED) {
            self.0.settle(tag, End::Released);
        }
    }

    fn close(&self) -> usize {
        let left = self.figures();
        self.0.removed.cancel();
        self.0.ended.cancel();
        self.0.shared.forget(&self.0);
        self.0.shared.server.thread().forget(removal::remove(Arc::clone(&self.0)));
        left.queued.saturating_add(left.in_flight)
    }
}
