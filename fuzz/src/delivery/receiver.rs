//! The filter that decides by plan, and the receivers, which keep what they are asked.

use super::SINK;
use super::plan::{Planned, Setup, Try};
use sluicegate::event::{Decide, Post, Transport};
use sluicegate::wasm::types::{
    CallError, CallResponse, Delivery, DeliveryDecision, DeliveryRequest, Event, EventDecision, Header, Target,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Decides by an event's byte.
pub(super) struct Script;

impl Decide for Script {
    fn on_event(&self, event: Event, delivery: Delivery) -> Result<EventDecision, String> {
        let planned = planned(event.data.as_deref());
        if delivery.target != Target::DeadLetter {
            match planned.attempt(delivery.attempt) {
                Try::Later => return Ok(EventDecision::Retry(Some(3))),
                Try::Skip => return Ok(EventDecision::Ack),
                Try::GiveUp => return Ok(EventDecision::DeadLetter("it is given up".into())),
                Try::Trap => return Err("trap".into()),
                _ => {}
            }
        }
        let headers = [("number", event.id), ("attempt", delivery.attempt.to_string())];
        let headers = headers.map(|(name, value)| Header { name: name.into(), value: value.into_bytes() });
        let body = event.data.unwrap_or_default();
        Ok(EventDecision::Deliver(DeliveryRequest { method: None, path: None, headers: headers.into(), body }))
    }

    fn on_delivered(
        &self,
        _: Event,
        _: Delivery,
        outcome: Result<CallResponse, CallError>,
    ) -> Result<DeliveryDecision, String> {
        Ok(match outcome {
            Ok(response) if (200..300).contains(&response.status) => DeliveryDecision::Ack,
            Ok(response) if response.status == 400 => DeliveryDecision::DeadLetter("it is refused".into()),
            _ => DeliveryDecision::Retry(None),
        })
    }

    fn may_log(&self, _: usize) -> bool {
        true
    }
}

/// Answers by plan.
pub(super) struct Receiver {
    setup: Setup,
    asked: RefCell<Vec<Asked>>,
    under_way: Cell<usize>,
}

struct Asked {
    number: usize,
    sink: bool,
    attempt: u32,
}

impl Receiver {
    pub(super) fn new(setup: Setup) -> Self {
        Self { setup, asked: RefCell::default(), under_way: Cell::default() }
    }

    /// How often subscriber and sink were asked for an event.
    pub(super) fn asked(&self, number: usize) -> (u32, u32) {
        let asked = self.asked.borrow();
        let count = |sink| asked.iter().filter(|asked| asked.number == number && asked.sink == sink).count();
        (u32::try_from(count(false)).unwrap_or(u32::MAX), u32::try_from(count(true)).unwrap_or(u32::MAX))
    }

    /// Tries of an event rise; events of one key come one after the other where the subscription says so.
    pub(super) fn check_order(&self, events: &[Planned]) {
        let asked = self.asked.borrow();
        for (at, one) in asked.iter().enumerate() {
            for other in &asked[at + 1..] {
                if one.number == other.number {
                    assert!((one.sink, one.attempt) < (other.sink, other.attempt), "event {}", one.number);
                } else if self.setup.ordered && events[one.number].key() == events[other.number].key() {
                    assert!(one.number < other.number, "{} came before {}", one.number, other.number);
                }
            }
        }
    }
}

/// Counts a request as under way until it is dropped, however it ends.
struct UnderWay<'a>(&'a Cell<usize>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The receiver, as the dispatcher has it.
pub(super) struct Asking(pub(super) Rc<Receiver>);

impl Transport for Asking {
    async fn send(&self, post: Post) -> Result<CallResponse, CallError> {
        self.0.answer(post).await
    }
}

impl Receiver {
    async fn answer(&self, post: Post) -> Result<CallResponse, CallError> {
        let sink = post.uri == SINK;
        let read = |name: &str| {
            let header = post.headers.iter().find(|header| header.name == name);
            header.and_then(|header| std::str::from_utf8(&header.value).ok()?.parse::<u32>().ok())
        };
        let (Some(number), Some(attempt)) = (read("number"), read("attempt")) else { panic!("{:?}", post.headers) };
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        self.asked.borrow_mut().push(Asked { number, sink, attempt });
        self.under_way.set(self.under_way.get() + 1);
        let _under_way = UnderWay(&self.under_way);
        assert!(self.under_way.get() <= self.setup.concurrency, "too many at a time");
        let planned = planned(Some(&post.body));
        let status = match if sink { planned.at_sink(attempt) } else { planned.attempt(attempt) } {
            Try::Answer(status) => status,
            Try::Silence => std::future::pending().await,
            Try::Refused => return Err(CallError::Refused),
            other => panic!("it was sent, though the filter said {other:?}"),
        };
        // Some of the time it takes, so that deliveries overlap.
        tokio::time::sleep(std::time::Duration::from_millis(u64::from(planned.byte() % 16))).await;
        Ok(CallResponse { status, headers: Vec::new(), body: Vec::new() })
    }
}

fn planned(data: Option<&[u8]>) -> Planned {
    match data {
        Some([byte]) => Planned::of(*byte),
        other => panic!("the data is {other:?}"),
    }
}
