//! One event on its way to one subscription: tries, replies, dead letter.

use super::backoff::jittered;
use super::channels::{Channels, PublishError};
use super::check::{check, set_extension, stamp};
use super::dispatch::{Decide, Post, REPLY_SIZE, Transport};
use super::resource::SubscriptionSpec;
use super::subscription::Subscription;
use crate::telemetry::trace::messaging;
use crate::wasm::bindings::sluicegate::filter::types::{
    CallError, CallResponse, Delivery, DeliveryDecision, Event, EventDecision, Target,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// `knativeerrordata` holds at most 1,024 characters of base64, which 768 bytes become.
const ERROR_DATA: usize = 768;
/// `knativeerrorcode` where there was no answer, as Knative has it.
const NO_ANSWER: u16 = 500;

/// Takes the events of one subscription to where they belong.
pub(super) struct Courier<T> {
    pub(super) decide: Arc<dyn Decide>,
    pub(super) transport: Rc<T>,
    pub(super) channels: Arc<Channels>,
    pub(super) subscription: Arc<Subscription>,
    pub(super) jitter: bool,
}

/// Which part of a delivery is tried again as one.
enum Leg<'a> {
    /// The subscriber, then its reply: when the reply does not arrive, the subscriber is asked again.
    Whole,
    /// The dead letter sink.
    DeadLetter(&'a str),
}

/// Why a try failed.
struct Failure {
    uri: String,
    code: u16,
    /// The answer's body, or the reason where there was none.
    data: Vec<u8>,
    reason: String,
    /// After how long at least another try may help, where one may.
    retry: Option<Duration>,
}

/// How all tries of a leg ended.
enum End {
    Delivered,
    Failed(Failure),
    /// The subscription is gone.
    Abandoned,
}

impl<T: Transport> Courier<T> {
    /// Delivers an event, or gives it to the dead letter sink, or drops it. Counts what became of it.
    pub(super) async fn deliver(&self, event: &Event) {
        let spec = self.subscription.spec.load_full();
        let counters = &self.subscription.counters;
        let failure = match self.persist(&spec, event, Leg::Whole).await {
            End::Delivered => return count(&counters.delivered),
            End::Abandoned => return count(&counters.dropped),
            End::Failed(failure) => failure,
        };
        let Some(sink) = spec.dead_letter_sink.as_deref() else {
            self.warn(
                event,
                &failure,
                "the event was dropped: it cannot be delivered and there is no dead letter sink",
            );
            return count(&counters.dropped);
        };
        let mut letter = event.clone();
        set_extension(&mut letter, "knativeerrordest", failure.uri.clone());
        set_extension(&mut letter, "knativeerrorcode", failure.code.to_string());
        set_extension(&mut letter, "knativeerrordata", BASE64_STANDARD.encode(&failure.data));
        match self.persist(&spec, &letter, Leg::DeadLetter(sink)).await {
            End::Delivered => count(&counters.dead_lettered),
            End::Abandoned => count(&counters.dropped),
            End::Failed(failure) => {
                self.warn(event, &failure, "the event was dropped: the dead letter sink does not take it");
                count(&counters.dropped);
            }
        }
    }

    /// Tries until it works, cannot work, or has been tried often enough.
    async fn persist(&self, spec: &SubscriptionSpec, event: &Event, leg: Leg<'_>) -> End {
        let mut attempt = 1;
        loop {
            let outcome = match leg {
                Leg::Whole => self.whole(spec, event, attempt).await,
                Leg::DeadLetter(sink) => self.post(spec, event, Target::DeadLetter, sink, attempt).await.map(drop),
            };
            let failure = match outcome {
                Ok(()) => return End::Delivered,
                Err(failure) => failure,
            };
            let Some(retry_after) = failure.retry.filter(|_| attempt <= spec.retry) else {
                return End::Failed(failure);
            };
            let wait = spec.backoff.wait(attempt, retry_after);
            tracing::debug!(
                subscription = spec.name,
                event = event.id,
                attempt,
                ?wait,
                reason = failure.reason,
                "will retry"
            );
            let wait = if self.jitter { jittered(wait) } else { wait };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.subscription.gone.cancelled() => {
                    self.warn(event, &failure, "the event was dropped: it failed, and its subscription is gone");
                    return End::Abandoned;
                }
            }
            count(&self.subscription.counters.retried);
            attempt += 1;
        }
    }

    /// One try: to the subscriber, then what it replies to where replies go. Without a subscriber the event itself goes there.
    async fn whole(&self, spec: &SubscriptionSpec, event: &Event, attempt: u32) -> Result<(), Failure> {
        let replies = match &spec.subscriber {
            Some(subscriber) => self.post(spec, event, Target::Subscriber, subscriber, attempt).await?,
            None => vec![event.clone()],
        };
        let Some(receiver) = &spec.reply else { return Ok(()) };
        for mut reply in replies {
            if let Err(reason) = check(&reply) {
                let uri = spec.subscriber.clone().unwrap_or_default();
                return Err(Failure::of_filter(uri, format!("the reply is not an event: {reason}"), None));
            }
            stamp(&mut reply);
            self.post(spec, &reply, Target::Reply, receiver, attempt).await?;
        }
        Ok(())
    }

    /// One request; gives the events that came back.
    async fn post(
        &self,
        spec: &SubscriptionSpec,
        event: &Event,
        target: Target,
        uri: &str,
        attempt: u32,
    ) -> Result<Vec<Event>, Failure> {
        let delivery = Delivery {
            channel: self.subscription.channel.clone(),
            subscription: spec.name.clone(),
            target,
            uri: uri.to_owned(),
            format: spec.format.clone(),
            attempt,
        };
        let mut span = self.decide.begins(event, &delivery);
        let of_filter = |reason, retry| Failure::of_filter(uri.to_owned(), reason, retry);
        let request = match self.decide.on_event(event.clone(), delivery.clone()) {
            Ok(EventDecision::Deliver(request)) => request,
            Ok(EventDecision::Ack) => return Ok(Vec::new()),
            Ok(EventDecision::DeadLetter(reason)) => return Err(of_filter(reason, None)),
            Err(reason) => return Err(of_filter(reason, Some(Duration::ZERO))),
        };
        let post = Post {
            uri: uri.to_owned(),
            headers: request.headers,
            body: request.body,
            timeout: spec.timeout,
            max_body: REPLY_SIZE,
            trace: span.parent(),
        };
        let outcome = if let Some(channel) = self.channels.at(uri) {
            Ok(answer(self.channels.relay(channel, event.clone())))
        } else {
            let sent = tokio::time::timeout(spec.timeout, self.transport.send(post)).await;
            sent.unwrap_or(Err(CallError::Deadline))
        };
        messaging::delivered(&mut span, &outcome);
        let failure = Failure::of_outcome(uri, &outcome);
        match self.decide.on_delivered(event.clone(), delivery, outcome) {
            Ok(DeliveryDecision::Ack) => Ok(Vec::new()),
            Ok(DeliveryDecision::Emit(events)) => Ok(events),
            Ok(DeliveryDecision::Retry(after)) => {
                Err(Failure { retry: Some(Duration::from_millis(after.unwrap_or_default())), ..failure })
            }
            Ok(DeliveryDecision::DeadLetter(reason)) => Err(Failure { reason, ..failure }),
            Err(reason) => Err(of_filter(reason, Some(Duration::ZERO))),
        }
    }

    fn warn(&self, event: &Event, failure: &Failure, message: &'static str) {
        tracing::warn!(
            channel = self.subscription.channel,
            subscription = self.subscription.name,
            event = event.id,
            uri = failure.uri,
            reason = failure.reason,
            "{message}"
        );
    }
}

impl Failure {
    /// What to say of an outcome, should the filter find that it is one.
    fn of_outcome(uri: &str, outcome: &Result<CallResponse, CallError>) -> Self {
        let (code, data, reason) = match outcome {
            Ok(response) => {
                let data = response.body.iter().take(ERROR_DATA).copied().collect();
                (response.status, data, format!("it answered {}", response.status))
            }
            Err(error) => {
                let reason = describe(error);
                (NO_ANSWER, reason.as_bytes().to_vec(), reason.to_owned())
            }
        };
        Self { uri: uri.to_owned(), code, data, reason, retry: None }
    }

    fn of_filter(uri: String, reason: String, retry: Option<Duration>) -> Self {
        let data = reason.bytes().take(ERROR_DATA).collect();
        Self { uri, code: NO_ANSWER, data, reason, retry }
    }
}

/// What a channel of this process would answer by HTTP.
fn answer(published: Result<(), PublishError>) -> CallResponse {
    let (status, body) = match published {
        Ok(()) => (202, String::new()),
        Err(error) => {
            let status = match error {
                PublishError::UnknownChannel { .. } => 404,
                PublishError::Invalid { .. } => 400,
                PublishError::Full { .. } | PublishError::Draining { .. } => 503,
            };
            (status, error.to_string())
        }
    };
    CallResponse { status, headers: Vec::new(), body: body.into_bytes() }
}

fn describe(error: &CallError) -> &'static str {
    match error {
        CallError::Deadline => "no answer in time",
        CallError::NoEndpoint => "no endpoint is known for it",
        CallError::Refused => "no connection could be made",
        CallError::Reset => "the connection ended before the answer was complete",
        CallError::TooLarge => "the answer is too large",
        CallError::Cancelled => "the call was given up",
        CallError::NotJson => "the answer is not JSON",
        CallError::Status(_) => "the answer has another status than the ones accepted",
    }
}

fn count(counter: &std::sync::atomic::AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
