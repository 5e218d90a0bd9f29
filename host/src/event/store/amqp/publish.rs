//! Publishing to the exchange of a channel.

use super::{Amqp, binding, exchange, short};
use crate::event::store::StoreError;
use crate::event::store::remote::unavailable;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

/// On the disk (AMQP 0-9-1, `delivery-mode`).
pub(super) const PERSISTENT: u8 = 2;

pub(super) async fn publish(amqp: &Amqp, channel: &str, events: &[Arc<Event>]) -> Result<(), StoreError> {
    let (exchange, link) = (exchange(channel)?, amqp.link().await?);
    let prepared: Result<Vec<BasicProperties>, StoreError> =
        events.iter().map(|event| named(amqp, binding::properties(event)?)).collect();
    let mut confirmations = Vec::with_capacity(events.len());
    for (event, properties) in events.iter().zip(prepared?) {
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let (data, key) = (event.data.as_deref().unwrap_or_default(), ShortString::default());
        let sent = link.publisher.basic_publish(exchange.clone(), key, options, data, properties).await;
        confirmations.push(sent.map_err(|error| unavailable(&error))?);
    }
    for confirmation in confirmations {
        match confirmation.await.map_err(|error| unavailable(&error))? {
            Confirmation::Ack(None) => {}
            Confirmation::Ack(Some(_)) => {
                return Err(StoreError::Unavailable("no queue is bound to its exchange".to_owned()));
            }
            Confirmation::Nack(_) => return Err(StoreError::Full("the broker refuses it: a queue is full".to_owned())),
            Confirmation::NotRequested => {
                return Err(StoreError::Unavailable("the broker confirms nothing".to_owned()));
            }
        }
    }
    Ok(())
}

/// With what a message is known by, and when it was published.
fn named(amqp: &Amqp, properties: BasicProperties) -> Result<BasicProperties, StoreError> {
    let number = amqp.messages.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let name = short(format!("{:032x}-{number}", amqp.process))?;
    Ok(properties.with_message_id(name).with_timestamp(now.as_secs()).with_delivery_mode(PERSISTENT))
}
