//! The session of one subscription, which outlives its connections.

use super::{Mqtt, REQUESTS, binding, client, topic};
use crate::event::store::StoreError;
use crate::event::store::remote::{ANSWER, Arrival, End, Place, unavailable};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ClientError, ConnectionError, Event, EventLoop};
use std::sync::Arc;
use std::time::SystemTime;

/// Given out and not acknowledged, at most: more than most subscriptions have in flight, and ahead.
const OUTSTANDING: u16 = 512;
/// A session that nobody uses never ends (MQTT 5, 3.1.2.11.2).
const NEVER: u32 = u32::MAX;

/// What it takes to acknowledge a message: the connection that it came by, and its number there.
#[derive(Debug, Clone)]
pub(in crate::event::store) struct Tag {
    client: AsyncClient,
    message: Publish,
}

impl Tag {
    /// Fails where the connection is gone: then the message comes again.
    pub(super) async fn acknowledge(&self) -> Result<(), ClientError> {
        self.client.ack(&self.message).await
    }
}

/// Takes what comes until something is wrong; an error says that it was wrong from the beginning.
pub(super) async fn serve(mqtt: &Mqtt, place: &Arc<Place<Mqtt>>) -> Result<(), StoreError> {
    let mut options = mqtt.address.options(client(place.channel(), &place.subscription));
    options
        .set_clean_start(false)
        .set_session_expiry_interval(Some(mqtt.age().unwrap_or(NEVER)))
        .set_receive_maximum(Some(OUTSTANDING))
        .set_manual_acks(true);
    let (client, events) = AsyncClient::new(options, REQUESTS);
    let subscribed = client.subscribe(topic(place.channel()), QoS::AtLeastOnce).await;
    subscribed.map_err(|error| unavailable(&error))?;
    let mut session = Session { place, client, events, known: false };
    let error = session.follow().await;
    let (channel, subscription) = (place.channel(), &place.subscription);
    tracing::debug!(channel, subscription, %error, "the connection of a subscription is lost");
    if session.known { Ok(()) } else { Err(unavailable(&error)) }
}

struct Session<'a> {
    place: &'a Arc<Place<Mqtt>>,
    client: AsyncClient,
    events: EventLoop,
    /// Whether the broker knows of the subscription.
    known: bool,
}

impl Session<'_> {
    async fn follow(&mut self) -> ConnectionError {
        loop {
            match self.events.poll().await {
                Ok(Event::Incoming(Packet::SubAck(answer))) => {
                    self.known = answer.return_codes.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_)));
                    if self.known {
                        self.place.is_known(true);
                    } else {
                        let (channel, codes) = (self.place.channel(), &answer.return_codes);
                        tracing::error!(channel, ?codes, "the MQTT broker does not let the proxy subscribe");
                    }
                }
                Ok(Event::Incoming(Packet::Publish(message))) => self.take(message),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    fn take(&self, mut message: Publish) {
        let properties = message.properties.take().unwrap_or_default();
        let (mark, data) = (properties.correlation_data.clone(), std::mem::take(&mut message.payload));
        let again = message.dup;
        let tag = Tag { client: self.client.clone(), message };
        if let Some(event) = binding::event(properties, &data) {
            // The protocol does not say when it was published.
            self.place.put(Arrival { mark, tag, event, since: SystemTime::now(), again });
            return;
        }
        let (channel, subscription) = (self.place.channel(), &self.place.subscription);
        tracing::warn!(channel, subscription, "a message of the topic is no event, and is passed over");
        self.place.settle(tag, End::Done);
    }
}

/// Takes the session over, and ends it.
pub(super) async fn remove(mqtt: &Mqtt, channel: &str, subscription: &str) -> Result<(), StoreError> {
    let mut options = mqtt.address.options(client(channel, subscription));
    options.set_clean_start(true).set_session_expiry_interval(Some(0));
    let (client, mut events) = AsyncClient::new(options, 1);
    let ended = async {
        let connected = events.poll().await;
        connected.map_err(|error| unavailable(&error))?;
        client.disconnect().await.map_err(|error| unavailable(&error))?;
        while events.poll().await.is_ok() {}
        Ok(())
    };
    let late = |_| StoreError::Unavailable("the MQTT broker does not answer".to_owned());
    tokio::time::timeout(ANSWER, ended).await.map_err(late)?
}
