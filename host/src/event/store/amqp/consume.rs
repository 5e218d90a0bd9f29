//! Takes the events of one subscription from its queue.

use super::link::Link;
use super::{Amqp, binding, exchange, queue, register};
use crate::event::store::StoreError;
use crate::event::store::remote::{Arrival, End, Place, unavailable};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer, ExchangeKind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Given out and not acknowledged, at most: more than most subscriptions have in flight, and ahead.
const OUTSTANDING: u16 = 512;
/// How often the broker is asked how many more there are.
const LOOK: Duration = Duration::from_secs(1);

/// Takes until something is wrong; an error says that it was wrong from the beginning.
pub(super) async fn serve(amqp: &Amqp, place: &Arc<Place<Amqp>>) -> Result<(), StoreError> {
    let link = amqp.link().await?;
    let queue = queue(place.channel(), &place.subscription)?;
    let channel = declare(amqp, place, &link, &queue).await?;
    register::add(amqp, place.channel(), &place.subscription).await?;
    place.is_known(true);
    let limit = channel.basic_qos(OUTSTANDING, BasicQosOptions::default()).await;
    limit.map_err(|error| unavailable(&error))?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.clone(), ShortString::default(), options, FieldTable::default()).await;
    let consumer = consumer.map_err(|error| unavailable(&error))?;
    tokio::select! {
        () = take_all(place, consumer) => {}
        () = count(&link, place, &queue) => {}
        _ = link.lost() => {}
        // It does not answer, or another has taken its place.
        () = amqp.line.lost() => {}
    }
    Ok(())
}

/// Makes the exchange and the queue where they are missing; gives a channel that works.
async fn declare(amqp: &Amqp, place: &Place<Amqp>, link: &Link, queue: &ShortString) -> Result<Channel, StoreError> {
    let (mut channel, exchange) = (link.channel().await?, exchange(place.channel())?);
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let made = channel.exchange_declare(exchange.clone(), ExchangeKind::Fanout, durable, FieldTable::default()).await;
    made.map_err(|error| unavailable(&error))?;
    let made = channel.queue_declare(queue.clone(), QueueDeclareOptions::durable(), bounds(amqp)).await;
    if let Err(error) = made {
        // The error has closed the channel. A queue with other bounds does too.
        channel = link.channel().await?;
        look(&channel, queue).await.map_err(|_| unavailable(&error))?;
        let (channel, subscription) = (place.channel(), &place.subscription);
        tracing::warn!(channel, subscription, %error, "the queue keeps the bounds that it was made with");
    }
    let (key, options) = (ShortString::default(), QueueBindOptions::default());
    let bound = channel.queue_bind(queue.clone(), exchange, key, options, FieldTable::default()).await;
    bound.map_err(|error| unavailable(&error))?;
    Ok(channel)
}

/// How many events wait in a queue that is there.
async fn look(channel: &Channel, queue: &ShortString) -> lapin::Result<u32> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let state = channel.queue_declare(queue.clone(), passive, FieldTable::default()).await?;
    Ok(state.message_count())
}

/// What a queue may take, and that it refuses more.
fn bounds(amqp: &Amqp) -> FieldTable {
    let number = |value: u64| AMQPValue::LongLongInt(i64::try_from(value).unwrap_or(i64::MAX));
    let mut bounds = FieldTable::default();
    bounds.insert("x-max-length-bytes".into(), number(amqp.settings.bytes));
    bounds.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    if let Some(age) = amqp.settings.age {
        bounds.insert("x-message-ttl".into(), number(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
    }
    bounds
}

async fn take_all(place: &Arc<Place<Amqp>>, mut consumer: Consumer) {
    while let Some(Ok(delivery)) = consumer.next().await {
        place.room().await;
        take(place, delivery);
    }
}

fn take(place: &Arc<Place<Amqp>>, delivery: Delivery) {
    let properties = &delivery.properties;
    if let Some(event) = binding::event(properties, &delivery.data) {
        let since = properties.timestamp().map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        place.put(Arrival {
            mark: properties.message_id().clone(),
            tag: delivery.acker,
            event,
            since: since.unwrap_or_else(SystemTime::now),
            again: delivery.redelivered,
        });
        return;
    }
    let (channel, subscription) = (place.channel(), &place.subscription);
    tracing::warn!(channel, subscription, "a message of the queue is no event, and is passed over");
    place.settle(delivery.acker, End::Done);
}

/// Asks how many events wait at the broker, again and again; on a channel of its own, which an error closes.
async fn count(link: &Link, place: &Place<Amqp>, queue: &ShortString) {
    let Ok(channel) = link.channel().await else { return };
    loop {
        let Ok(waiting) = look(&channel, queue).await else { return };
        place.set_pending(u64::from(waiting));
        tokio::time::sleep(LOOK).await;
    }
}
