//! Which queues a channel has: the broker does not say, so that one message in a queue of its own lists them. One process
//! changes it in turn. Two proxies that change it at once may forget one; then its queue is left when it is gone.

use super::publish::PERSISTENT;
use super::{Amqp, short};
use crate::event::store::StoreError;
use crate::event::store::remote::{name, unavailable};
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel};

/// Adds a subscription.
pub(super) async fn add(amqp: &Amqp, channel: &str, subscription: &str) -> Result<(), StoreError> {
    let with = |known: &[String]| {
        let mut known = known.to_vec();
        if !known.iter().any(|one| one == subscription) {
            known.push(subscription.to_owned());
        }
        known
    };
    change(amqp, channel, with).await.map(drop)
}

/// Changes the list; gives it as it was.
pub(super) async fn change(
    amqp: &Amqp,
    channel: &str,
    change: impl Fn(&[String]) -> Vec<String>,
) -> Result<Vec<String>, StoreError> {
    // The ends of a name are digits and letters, so that no subscription is called so.
    let queue = short(format!("sluicegate.{}.~subscriptions", name(channel)))?;
    let _turn = amqp.registering.acquire().await.map_err(|error| unavailable(&error))?;
    let own = amqp.link().await?.channel().await?;
    let failed = |error: lapin::Error| unavailable(&error);
    own.confirm_select(ConfirmSelectOptions::default()).await.map_err(failed)?;
    let mut bounds = FieldTable::default();
    // The next list drops this one, so that there is one at any time.
    bounds.insert("x-max-length".into(), AMQPValue::LongLongInt(1));
    own.queue_declare(queue.clone(), QueueDeclareOptions::durable(), bounds.clone()).await.map_err(failed)?;
    let known = read(&own, &queue).await?;
    let changed = change(&known);
    if changed == known {
        // An answer of the queue's own comes after the list is back in it: whoever is next has another channel, whose
        // requests may overtake what this one has sent.
        own.queue_declare(queue, QueueDeclareOptions::durable(), bounds).await.map_err(failed)?;
    } else {
        let text = changed.join("\n");
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let (exchange, options) = (ShortString::default(), BasicPublishOptions::default());
        let sent = own.basic_publish(exchange, queue, options, text.as_bytes(), properties).await;
        sent.map_err(failed)?.await.map_err(failed)?;
    }
    Ok(known)
}

/// The list. The message stays: it is not acknowledged on a channel that is closed soon.
async fn read(channel: &Channel, queue: &ShortString) -> Result<Vec<String>, StoreError> {
    let message = channel.basic_get(queue.clone(), BasicGetOptions::default()).await;
    let Some(message) = message.map_err(|error| unavailable(&error))? else { return Ok(Vec::new()) };
    let requeued = message.delivery.acker.nack(lapin::options::BasicNackOptions { multiple: false, requeue: true });
    requeued.await.map_err(|error| unavailable(&error))?;
    let text = String::from_utf8_lossy(&message.delivery.data).into_owned();
    Ok(text.lines().map(str::to_owned).collect())
}
