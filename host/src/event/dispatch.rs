//! The thread that delivers, and what it needs from the rest of the proxy.

use super::channels::Channels;
use super::delivery::Courier;
use super::subscription::Subscription;
use crate::telemetry::trace::{Parent, Span};
use crate::wasm::bindings::sluicegate::filter::types::{
    CallError, CallResponse, Delivery, DeliveryDecision, Event, EventDecision, Header,
};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

/// Deliveries of one subscription at a time, those that wait for their next try included: enough to hide a
/// subscriber's latency, few enough not to be what overloads it.
pub(super) const DELIVERIES_IN_FLIGHT: usize = 16;
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
}

/// Sends a delivery's request. The future stays on the dispatcher's thread.
pub trait Transport {
    /// Makes the request and takes in the whole response. The dispatcher ends it after `post.timeout`.
    fn send(&self, post: Post) -> impl Future<Output = Result<CallResponse, CallError>>;
}

/// A POST to a subscriber, a reply's receiver or a dead letter sink.
#[derive(Debug, Clone)]
pub struct Post {
    /// Absolute, `http` or `https`.
    pub uri: String,
    /// As the filter wants them; framing and `host` are the transport's.
    pub headers: Vec<Header>,
    /// May be empty.
    pub body: Vec<u8>,
    /// For the whole exchange.
    pub timeout: Duration,
    /// The largest response body to take in, in bytes.
    pub max_body: u64,
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
            for subscription in self.channels.take_starting() {
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
    let slots = Arc::new(Semaphore::new(DELIVERIES_IN_FLIGHT));
    let mut deliveries = JoinSet::new();
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let Some(event) = courier.subscription.queue.next().await else { break };
        while let Some(ended) = deliveries.try_join_next() {
            report(ended);
        }
        let in_flight =
            InFlight { subscription: Arc::clone(&courier.subscription), channels: Arc::clone(&courier.channels) };
        let courier = Rc::clone(&courier);
        deliveries.spawn_local(async move {
            let _ends_with_the_delivery = (slot, in_flight);
            courier.deliver(&event).await;
        });
    }
    while let Some(ended) = deliveries.join_next().await {
        report(ended);
    }
}

/// Counts a delivery as in flight until it is dropped, however it ends.
struct InFlight {
    subscription: Arc<Subscription>,
    channels: Arc<Channels>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.subscription.queue.finish();
        self.channels.finished.notify_one();
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a delivery broke off");
    }
}
