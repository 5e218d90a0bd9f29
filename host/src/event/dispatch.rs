//! The thread that delivers, and what it needs from the rest of the proxy.

use super::channels::Channels;
use super::delivery::Courier;
use super::lanes::Lanes;
use super::store::Taken;
use super::subscription::Subscription;
use crate::telemetry::trace::{Parent, Span};
use crate::wasm::bindings::sluicegate::filter::types::{
    CallError, CallResponse, Delivery, DeliveryDecision, Event, EventDecision, Header,
};
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet};

/// After how long an event is delivered again whose delivery broke off by a fault of the proxy's own.
const AFTER_FAULT: Duration = Duration::from_secs(1);
/// The largest reply of a subscriber, in bytes; what a filter may see of a request's body by default.
pub(super) const REPLY_SIZE: u64 = crate::config::limits::INSPECTED_BODY;

/// Asks the event filter. An error says that the filter failed, which counts as a failed try.
pub trait Decide: Send + Sync {
    /// The span of a try to deliver an event; there is none unless traces are on.
    fn begins(&self, _event: &Event, _delivery: &Delivery) -> Span {
        Span::default()
    }
    /// How to deliver an event.
    fn on_event(&self, event: Event, delivery: Delivery) -> Result<EventDecision, String>;
    /// What the outcome of a delivery means.
    fn on_delivered(
        &self,
        event: Event,
        delivery: Delivery,
        outcome: Result<CallResponse, CallError>,
    ) -> Result<DeliveryDecision, String>;
    /// Whether a line of so many bytes may be logged now about an event that the filter's decisions gave up.
    fn may_log(&self, bytes: usize) -> bool;
}

/// Sends a delivery's request. The future stays on the dispatcher's thread.
pub trait Transport {
    /// Makes the request and takes in the response. The dispatcher ends it after `post.timeout`.
    fn send(&self, post: Post) -> impl Future<Output = Result<CallResponse, CallError>>;
}

/// A request to a subscriber, a reply's receiver or a dead letter sink.
#[derive(Debug, Clone)]
pub struct Post {
    /// Absolute, `http` or `https`.
    pub uri: String,
    /// `POST` unless the filter says otherwise.
    pub method: http::Method,
    /// As the filter wants them; framing and `host` are the transport's.
    pub headers: Vec<Header>,
    /// May be empty.
    pub body: Vec<u8>,
    /// For the whole exchange.
    pub timeout: Duration,
    /// What to take in of a response's body, in bytes.
    pub max_body: u64,
    /// Whether an event in the response goes somewhere, so that it has to be there as a whole.
    pub wants_reply: bool,
    /// What the spans of its tries begin from.
    pub trace: Parent,
}

/// Delivers the events of all channels.
#[derive(Debug)]
pub struct Dispatcher {
    channels: Arc<Channels>,
    jitter: bool,
}

impl Dispatcher {
    pub(super) fn new(channels: Arc<Channels>) -> Self {
        Self { channels, jitter: true }
    }

    /// Keeps waits exact instead of spreading them by a fifth each way.
    #[must_use]
    pub fn without_jitter(mut self) -> Self {
        self.jitter = false;
        self
    }

    /// Runs on a thread of its own until the channels are drained. The transport is made on that thread.
    pub fn spawn<T: Transport + 'static>(
        self,
        decide: Arc<dyn Decide>,
        transport: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("events".into()).spawn(move || {
            let local = LocalSet::new();
            local.block_on(&runtime, async { self.run(decide, transport()).await });
        })
    }

    /// Runs until the channels are drained. It has to run inside of a [`LocalSet`].
    pub async fn run<T: Transport + 'static>(self, decide: Arc<dyn Decide>, transport: T) {
        let transport = Rc::new(transport);
        let mut serving = JoinSet::new();
        loop {
            let starting = self.channels.take_starting();
            for letters in starting.letters {
                serving.spawn_local(async move { letters.run().await });
            }
            for subscription in starting.subscriptions {
                let courier = Courier {
                    decide: Arc::clone(&decide),
                    transport: Rc::clone(&transport),
                    jitter: self.jitter,
                    channels: Arc::clone(&self.channels),
                    subscription,
                };
                serving.spawn_local(serve(Rc::new(courier)));
            }
            tokio::select! {
                () = self.channels.stop.cancelled() => break,
                () = self.channels.started.notified() => {}
                Some(ended) = serving.join_next() => report(ended),
            }
        }
    }
}

/// Delivers the events of one subscription until it is gone.
async fn serve<T: Transport + 'static>(courier: Rc<Courier<T>>) {
    let subscription = Arc::clone(&courier.subscription);
    let (mut lanes, mut deliveries) = (Lanes::default(), Deliveries::default());
    loop {
        let (most, ordering) = {
            let spec = subscription.spec.load();
            (spec.concurrency, spec.ordering)
        };
        while deliveries.tasks.len() < most
            && !subscription.gone.is_cancelled()
            && let Some((key, taken)) = lanes.pop()
        {
            deliveries.start(&courier, key, taken);
        }
        let has_room = deliveries.tasks.len() < most && lanes.has_room();
        tokio::select! {
            Some(ended) = deliveries.tasks.join_next_with_id() => lanes.finished(deliveries.ended(ended)),
            taken = subscription.cursor.next(), if has_room => match taken {
                Some(taken) => lanes.push(ordering, taken),
                None => break,
            },
            () = subscription.gone.cancelled() => break,
        }
    }
    for taken in lanes.clear() {
        if !subscription.durable {
            subscription.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
        subscription.cursor.give_back(taken.position, Duration::ZERO);
    }
    while let Some(ended) = deliveries.tasks.join_next_with_id().await {
        deliveries.ended(ended);
    }
    courier.channels.finished.notify_one();
}

/// The deliveries of one subscription that are under way.
#[derive(Default)]
struct Deliveries {
    tasks: JoinSet<()>,
    /// Keys of those that are delivered in order.
    keys: HashMap<tokio::task::Id, String>,
}

impl Deliveries {
    fn start<T: Transport + 'static>(&mut self, courier: &Rc<Courier<T>>, key: Option<String>, taken: Taken) {
        let mut in_flight = InFlight {
            subscription: Arc::clone(&courier.subscription),
            channels: Arc::clone(&courier.channels),
            position: taken.position,
            done: false,
        };
        let (courier, is_ordered) = (Rc::clone(courier), key.is_some());
        let task = self.tasks.spawn_local(async move {
            let mut done = courier.deliver(&taken.event).await;
            // One that is given back others of its key would pass.
            while is_ordered && !done && courier.subscription.stays(AFTER_FAULT).await {
                done = courier.deliver(&taken.event).await;
            }
            in_flight.end(done);
        });
        if let Some(key) = key {
            self.keys.insert(task.id(), key);
        }
    }

    /// The key of a delivery that has ended, where it has one.
    fn ended(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) -> Option<String> {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "a delivery broke off");
                error.id()
            }
        };
        self.keys.remove(&id)
    }
}

/// Counts a delivery as in flight until it is dropped, however it ends.
struct InFlight {
    subscription: Arc<Subscription>,
    channels: Arc<Channels>,
    position: u64,
    done: bool,
}

impl InFlight {
    /// It is over; `done` says whether the subscription is done with the event.
    fn end(&mut self, done: bool) {
        self.done = done;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let cursor = &self.subscription.cursor;
        if self.done {
            cursor.ack(self.position);
        } else {
            let abandoned = self.subscription.gone.is_cancelled();
            cursor.give_back(self.position, if abandoned { Duration::ZERO } else { AFTER_FAULT });
        }
        self.channels.finished.notify_one();
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a delivery broke off");
    }
}
