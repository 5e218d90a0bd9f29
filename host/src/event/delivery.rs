//! One event on its way to one subscription: tries, replies, dead letter.

use super::addressed;
use super::backoff::jittered;
use super::channels::Channels;
use super::check::{check, set_extension, stamp};
use super::dispatch::{Decide, Post, REPLY_SIZE, Transport};
use super::letters::{Letter, shortened};
use super::refusal::PublishError;
use super::resource::SubscriptionSpec;
use super::store::StoreError;
use super::subscription::Subscription;
use crate::telemetry::trace::messaging;
use crate::wasm::bindings::sluicegate::filter::types::{
    CallError, CallResponse, CorrelatedAnswer, Delivery, DeliveryDecision, DeliveryRequest, Emission, Event,
    EventDecision, Publication, Target,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Method, Uri};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
    /// Whether the code is an answer's.
    answered: bool,
    /// The answer's body, or the reason where there was none.
    data: Vec<u8>,
    /// In few words, however many a filter has made of it.
    reason: String,
    /// After how long at least another try may help, where one may.
    retry: Option<Duration>,
    /// How many tries there were.
    tries: u32,
}

/// What one try led to that did not fail.
enum Sent {
    /// The receiver has it, and replied with these events.
    Taken(Vec<Event>),
    /// The filter wants it not to be sent.
    Filtered,
}

/// How all tries of a leg ended.
enum End {
    Delivered,
    /// The filter wants it not to be delivered.
    Filtered,
    Failed(Failure),
    /// The subscription is gone, or what is left is the next process's.
    Abandoned,
}

impl<T: Transport> Courier<T> {
    /// Delivers an event, or gives it to the dead letter sink, or keeps it with the dead letters. Counts what became of
    /// it, and says whether it is done with.
    pub(super) async fn deliver(&self, event: &Event) -> bool {
        if addressed::mark(event).is_none() {
            return self.deliver_own(event).await;
        }
        if addressed::receiver(event).is_some_and(|receiver| receiver != self.subscription.name) {
            return true;
        }
        let mut own = event.clone();
        addressed::strip(&mut own);
        self.deliver_own(&own).await
    }

    async fn deliver_own(&self, event: &Event) -> bool {
        let counters = &self.subscription.counters;
        let counter = match self.settle(event).await {
            Some(counter) => counter,
            None if self.subscription.durable => return false,
            None => &counters.dropped,
        };
        count(counter);
        true
    }

    /// What became of an event; none when its delivery was abandoned.
    async fn settle(&self, event: &Event) -> Option<&AtomicU64> {
        let spec = self.subscription.spec.load_full();
        let counters = &self.subscription.counters;
        let failure = match self.persist(&spec, event, Leg::Whole).await {
            End::Delivered => return Some(&counters.delivered),
            End::Filtered => return Some(&counters.filtered),
            End::Abandoned => return None,
            End::Failed(failure) => failure,
        };
        let Some(sink) = spec.dead_letter_sink.as_deref() else {
            return self.keep(event, failure).await;
        };
        let mut letter = event.clone();
        set_extension(&mut letter, "knativeerrordest", failure.uri.clone());
        set_extension(&mut letter, "knativeerrorcode", failure.code.to_string());
        set_extension(&mut letter, "knativeerrordata", BASE64_STANDARD.encode(&failure.data));
        match self.persist(&spec, &letter, Leg::DeadLetter(sink)).await {
            End::Delivered | End::Filtered => Some(&counters.dead_lettered),
            End::Abandoned => None,
            End::Failed(failure) => self.keep(event, failure).await,
        }
    }

    /// Puts an event that cannot be delivered to the dead letters of its channel. Where that fails, a durable store gives
    /// the event out again.
    async fn keep(&self, event: &Event, failure: Failure) -> Option<&AtomicU64> {
        let counters = &self.subscription.counters;
        let channel = self.channels.channel(&self.subscription.channel);
        let Some(letters) = channel.and_then(|channel| channel.letters.clone()) else {
            self.warn(event, &failure, "the event was dropped: it cannot be delivered and no dead letters are kept");
            return Some(&counters.dropped);
        };
        let status = failure.answered.then_some(failure.code);
        let letter = Letter {
            subscription: self.subscription.name.clone(),
            uri: failure.uri.clone(),
            reason: failure.reason.clone(),
            status,
            tries: failure.tries,
            event: event.clone(),
        };
        match letters.put(&letter).await {
            Ok(()) => {
                self.warn(event, &failure, "the event cannot be delivered: it is now a dead letter of its channel");
                Some(&counters.kept)
            }
            Err(error) if self.subscription.durable && !matches!(error, StoreError::TooLarge(_)) => {
                let subscription = &self.subscription.name;
                let event = shortened(&event.id);
                tracing::warn!(subscription, event, %error, "a dead letter is not kept: the event is tried again");
                None
            }
            Err(error) => {
                let failure = Failure { reason: format!("{}; as a dead letter: {error}", failure.reason), ..failure };
                self.warn(event, &failure, "the event was dropped: it cannot be delivered, nor kept as a dead letter");
                Some(&counters.dropped)
            }
        }
    }

    /// Tries until it works, cannot work, or has been tried often enough.
    async fn persist(&self, spec: &SubscriptionSpec, event: &Event, leg: Leg<'_>) -> End {
        let mut attempt = 1;
        loop {
            let outcome = match leg {
                Leg::Whole => self.whole(spec, event, attempt).await,
                Leg::DeadLetter(sink) => self.post(spec, event, Target::DeadLetter, sink, attempt).await,
            };
            let failure = match outcome {
                Ok(Sent::Filtered) => return End::Filtered,
                Ok(Sent::Taken(_)) => return End::Delivered,
                Err(failure) => failure,
            };
            let Some(retry_after) = failure.retry.filter(|_| attempt <= spec.retry) else {
                return End::Failed(Failure { tries: attempt, ..failure });
            };
            let wait = spec.backoff.wait(attempt, retry_after);
            tracing::debug!(
                subscription = spec.name,
                event = shortened(&event.id),
                attempt,
                ?wait,
                reason = failure.reason,
                "will retry"
            );
            let wait = if self.jitter { jittered(wait) } else { wait };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.subscription.gone.cancelled() => {
                    if !self.subscription.durable {
                        self.warn(event, &failure, "the event was dropped: it failed, and its subscription is gone");
                    }
                    return End::Abandoned;
                }
            }
            count(&self.subscription.counters.retried);
            attempt += 1;
        }
    }

    /// One try: to the subscriber, then what it replies to where replies go. Without a subscriber the event itself goes there.
    async fn whole(&self, spec: &SubscriptionSpec, event: &Event, attempt: u32) -> Result<Sent, Failure> {
        let replies = match &spec.subscriber {
            Some(subscriber) => match self.post(spec, event, Target::Subscriber, subscriber, attempt).await? {
                Sent::Filtered => return Ok(Sent::Filtered),
                Sent::Taken(replies) => replies,
            },
            None => vec![event.clone()],
        };
        let taken = Ok(Sent::Taken(Vec::new()));
        let Some(receiver) = &spec.reply else { return taken };
        for mut reply in replies {
            if let Err(reason) = check(&reply) {
                let uri = spec.subscriber.clone().unwrap_or_default();
                return Err(Failure::of_filter(uri, &format!("the reply is not an event: {reason}"), None));
            }
            stamp(&mut reply);
            self.post(spec, &reply, Target::Reply, receiver, attempt).await?;
        }
        taken
    }

    /// One request; gives the events that came back.
    async fn post(
        &self,
        spec: &SubscriptionSpec,
        event: &Event,
        target: Target,
        uri: &str,
        attempt: u32,
    ) -> Result<Sent, Failure> {
        let delivery = Delivery {
            channel: self.subscription.channel.clone(),
            subscription: spec.name.clone(),
            target,
            uri: uri.to_owned(),
            format: spec.format.clone(),
            attempt,
        };
        let mut span = self.decide.begins(event, &delivery);
        let of_filter = |reason: &str, retry| Failure::of_filter(uri.to_owned(), reason, retry);
        let request = match self.decide.on_event(event.clone(), delivery.clone()) {
            Ok(EventDecision::Deliver(request)) => request,
            Ok(EventDecision::Ack) => return Ok(Sent::Filtered),
            Ok(EventDecision::DeadLetter(reason)) => return Err(of_filter(&reason, None)),
            Ok(EventDecision::Emit(emission)) => return self.emit(uri, target, emission).await.map(Sent::Taken),
            Ok(EventDecision::Retry(after)) => {
                let after = Duration::from_millis(after.unwrap_or_default());
                return Err(of_filter("the filter asks for another try", Some(after)));
            }
            Ok(EventDecision::Answer(CorrelatedAnswer { key, answer })) => {
                self.channels.replies.answer(&key, answer);
                return Ok(Sent::Taken(Vec::new()));
            }
            Err(reason) => return Err(of_filter(&reason, Some(Duration::ZERO))),
        };
        let (method, sent_to) = target_of(&request, uri).map_err(|reason| of_filter(&reason, None))?;
        let post = Post {
            uri: sent_to,
            method,
            headers: request.headers,
            body: request.body,
            timeout: spec.timeout,
            max_body: REPLY_SIZE,
            wants_reply: target == Target::Subscriber && spec.reply.is_some(),
            trace: span.parent(),
        };
        let outcome = if let Some(channel) = self.channels.at(uri) {
            Ok(answer(self.channels.relay(channel, event.clone()).await))
        } else {
            let sent = tokio::time::timeout(spec.timeout, self.transport.send(post)).await;
            sent.unwrap_or(Err(CallError::Deadline))
        };
        messaging::delivered(&mut span, &outcome);
        let failure = Failure::of_outcome(uri, &outcome);
        match self.decide.on_delivered(event.clone(), delivery, outcome) {
            Ok(DeliveryDecision::Ack) => Ok(Sent::Taken(Vec::new())),
            Ok(DeliveryDecision::Emit(events)) => Ok(Sent::Taken(events)),
            Ok(DeliveryDecision::Retry(after)) => {
                Err(Failure { retry: Some(Duration::from_millis(after.unwrap_or_default())), ..failure })
            }
            Ok(DeliveryDecision::DeadLetter(reason)) => Err(Failure { reason: shortened(&reason), ..failure }),
            Err(reason) => Err(of_filter(&reason, Some(Duration::ZERO))),
        }
    }

    /// Events in place of the one that is delivered: into a channel, all of them or none, or to where replies go.
    async fn emit(&self, uri: &str, target: Target, emission: Emission) -> Result<Vec<Event>, Failure> {
        let Some(channel) = emission.channel else {
            let reason = "the filter emits events where no replies are taken";
            return match target {
                Target::Subscriber => Ok(emission.events),
                _ => Err(Failure::of_filter(uri.to_owned(), reason, None)),
            };
        };
        if emission.events.is_empty() {
            return Ok(Vec::new());
        }
        let events = emission.events.into_iter();
        let publications = events.map(|event| Publication { channel: channel.clone(), event }).collect();
        let answer = answer(self.channels.relay_all(publications).await);
        if answer.status < 300 {
            return Ok(Vec::new());
        }
        let retry = (answer.status != 400).then_some(Duration::ZERO);
        Err(Failure { retry, ..Failure::of_outcome(uri, &Ok(answer)) })
    }

    /// Says what became of an event, as far as the filter that decides on deliveries may still log: one that gives up every
    /// event must not fill the disk with them.
    fn warn(&self, event: &Event, failure: &Failure, message: &'static str) {
        let id = shortened(&event.id);
        if !self.decide.may_log(id.len() + failure.reason.len()) {
            return;
        }
        tracing::warn!(
            channel = self.subscription.channel,
            subscription = self.subscription.name,
            event = id,
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
        Self { uri: uri.to_owned(), code, answered: outcome.is_ok(), data, reason, retry: None, tries: 1 }
    }

    fn of_filter(uri: String, reason: &str, retry: Option<Duration>) -> Self {
        let data = reason.bytes().take(ERROR_DATA).collect();
        Self { uri, code: NO_ANSWER, answered: false, data, reason: shortened(reason), retry, tries: 1 }
    }
}

/// The method of a delivery's request and where it goes, with the path that the filter wants.
fn target_of(request: &DeliveryRequest, uri: &str) -> Result<(Method, String), String> {
    let method = request.method.as_deref().unwrap_or("POST");
    let wrong = || format!("the filter's method {method:?} is none that an event can be sent by");
    let parsed = Method::from_bytes(method.as_bytes()).map_err(|_| wrong())?;
    if parsed == Method::CONNECT {
        return Err(wrong());
    }
    let Some(path) = &request.path else { return Ok((parsed, uri.to_owned())) };
    let changed = uri.parse::<Uri>().ok().and_then(|uri| {
        let mut parts = uri.into_parts();
        parts.path_and_query = Some(path.parse().ok().filter(|_| path.starts_with('/'))?);
        Uri::from_parts(parts).ok()
    });
    let changed = changed.ok_or_else(|| format!("the filter's path {path:?} is none"))?;
    Ok((parsed, changed.to_string()))
}

/// What a channel of this process would answer by HTTP.
fn answer(published: Result<(), PublishError>) -> CallResponse {
    let (status, body) = match published {
        Ok(()) => (202, String::new()),
        Err(error) => {
            let status = match error {
                PublishError::UnknownChannel { .. } => 404,
                PublishError::Invalid { .. } => 400,
                PublishError::NoSpace { .. } => 507,
                PublishError::Full { .. } | PublishError::Draining { .. } | PublishError::Unavailable { .. } => 503,
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

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
