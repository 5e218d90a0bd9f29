//! Publishing to topics, each event acknowledged by the broker.

use super::{Address, REQUESTS, binding};
use crate::event::store::StoreError;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, PublishProperties};
use rumqttc::v5::{AsyncClient, ConnectionError, Event as Happened, EventLoop, MqttOptions};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// What a packet has beside the data and the properties, at most: its head, and a topic.
const AROUND: usize = 1 << 10;

/// One connection. What it has published and is not acknowledged fails with it.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    client: AsyncClient,
    state: Arc<Mutex<State>>,
    /// What the names of messages begin with, and how many there were.
    connection: u128,
    messages: Arc<AtomicU64>,
    /// What the broker takes in one packet, in bytes.
    largest: usize,
}

/// Who waits for what.
#[derive(Debug, Default)]
struct State {
    /// For a number, in the order in which they get theirs.
    waiting: VecDeque<oneshot::Sender<PubAckReason>>,
    /// For the acknowledgement of a number.
    sent: HashMap<u16, oneshot::Sender<PubAckReason>>,
}

pub(super) fn options(address: &Address) -> MqttOptions {
    address.options(format!("sluicegate-{:032x}", fastrand::u128(..)))
}

/// Connects.
pub(super) async fn connect(
    options: MqttOptions,
) -> Result<(Publisher, impl Future<Output = String> + use<>), ConnectionError> {
    let (client, mut events) = AsyncClient::new(options, REQUESTS);
    let largest = match events.poll().await? {
        Happened::Incoming(Packet::ConnAck(answer)) => answer.properties.and_then(|more| more.max_packet_size),
        _ => None,
    };
    let publisher = Publisher {
        client,
        state: Arc::default(),
        connection: fastrand::u128(..),
        messages: Arc::default(),
        largest: largest.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX),
    };
    let run = run(events, Arc::clone(&publisher.state));
    Ok((publisher, run))
}

/// Runs the connection until it is lost, and says why.
async fn run(mut events: EventLoop, state: Arc<Mutex<State>>) -> String {
    let error = loop {
        match events.poll().await {
            Ok(Happened::Outgoing(Outgoing::Publish(number))) => lock(&state).has_number(number),
            Ok(Happened::Incoming(Packet::PubAck(answer))) => lock(&state).is_acknowledged(answer.pkid, answer.reason),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    // Who still waits learns it by this.
    *lock(&state) = State::default();
    error.to_string()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn has_number(&mut self, number: u16) {
        if let Some(waiting) = self.waiting.pop_front() {
            self.sent.insert(number, waiting);
        }
    }

    fn is_acknowledged(&mut self, number: u16, reason: PubAckReason) {
        if let Some(waiting) = self.sent.remove(&number) {
            // Who gave up waiting does not need it.
            let _ = waiting.send(reason);
        }
    }
}

impl Publisher {
    /// Sends events, which are kept for so many seconds, and waits until the broker has acknowledged all of them.
    pub(super) async fn publish(&self, topic: &str, events: &[Arc<Event>], age: Option<u32>) -> Result<(), StoreError> {
        let mut prepared = Vec::with_capacity(events.len());
        for event in events {
            let mut properties = binding::properties(event)?;
            self.check_size(event, &properties)?;
            let number = self.messages.fetch_add(1, Ordering::Relaxed);
            properties.correlation_data = Some(format!("{:032x}-{number}", self.connection).into());
            properties.message_expiry_interval = age;
            prepared.push((event, properties));
        }
        let mut answers = Vec::with_capacity(events.len());
        for (event, properties) in prepared {
            answers.push(self.send(topic, event, properties)?);
        }
        for answer in answers {
            let lost = |_| StoreError::Unavailable("the connection to the MQTT broker was lost".to_owned());
            taken(answer.await.map_err(lost)?)?;
        }
        Ok(())
    }

    /// One that is larger than the broker takes would end the connection.
    fn check_size(&self, event: &Event, properties: &PublishProperties) -> Result<(), StoreError> {
        let data = event.data.as_ref().map_or(0, Vec::len);
        let attributes: usize =
            properties.user_properties.iter().map(|(name, value)| name.len() + value.len() + 5).sum();
        if data.saturating_add(attributes).saturating_add(AROUND) > self.largest {
            return Err(StoreError::TooLarge(format!("the MQTT broker takes {} bytes", self.largest)));
        }
        Ok(())
    }

    fn send(
        &self,
        topic: &str,
        event: &Event,
        properties: PublishProperties,
    ) -> Result<oneshot::Receiver<PubAckReason>, StoreError> {
        let (waiting, answer) = oneshot::channel();
        let data = event.data.clone().unwrap_or_default();
        // With the lock held, so that the order is that of the connection.
        let mut state = lock(&self.state);
        let sent = self.client.try_publish_with_properties(topic, QoS::AtLeastOnce, false, data, properties);
        sent.map_err(|_| StoreError::Full("too many events wait for the MQTT broker".to_owned()))?;
        state.waiting.push_back(waiting);
        Ok(answer)
    }
}

fn taken(reason: PubAckReason) -> Result<(), StoreError> {
    match reason {
        PubAckReason::Success => Ok(()),
        PubAckReason::NoMatchingSubscribers => {
            Err(StoreError::Unavailable("the MQTT broker has no session for it".to_owned()))
        }
        PubAckReason::QuotaExceeded => Err(StoreError::Full("the MQTT broker says that it is full".to_owned())),
        other => Err(StoreError::Unavailable(format!("the MQTT broker refuses it: {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn acknowledgements_go_to_who_waits_for_the_number() {
        let (mut state, mut answers) = (State::default(), Vec::new());
        for _ in 0..3 {
            let (waiting, answer) = oneshot::channel();
            state.waiting.push_back(waiting);
            answers.push(answer);
        }
        state.has_number(7);
        state.has_number(8);
        state.is_acknowledged(8, PubAckReason::QuotaExceeded);
        state.is_acknowledged(9, PubAckReason::Success);
        state.is_acknowledged(7, PubAckReason::Success);
        drop(state);
        let mut answers = answers.into_iter();
        assert_eq!(answers.next().unwrap().await, Ok(PubAckReason::Success));
        let full = taken(answers.next().unwrap().await.unwrap());
        assert!(matches!(full, Err(StoreError::Full(_))));
        assert!(answers.next().unwrap().await.is_err(), "it had no number when the connection was lost");
    }
}
