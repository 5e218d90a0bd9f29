//! Reading a stream back, whoever is done with its messages.

use super::{Nats, binding, publish};
use crate::event::store::remote::unavailable;
use crate::event::store::{Archive, Kept, StoreError};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use futures_util::future::{BoxFuture, FutureExt, try_join_all};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

/// Messages that are asked for at once.
const BATCH: u64 = 64;

/// The stream of a channel. Positions are the server's.
#[derive(Debug)]
pub(super) struct NatsArchive {
    nats: Arc<Nats>,
    channel: String,
}

impl NatsArchive {
    pub(super) fn new(nats: &Arc<Nats>, channel: &str) -> Self {
        Self { nats: Arc::clone(nats), channel: channel.to_owned() }
    }

    async fn stream(&self) -> Result<Stream, StoreError> {
        let stream = self.nats.shared.context.get_stream(publish::stream_name(&self.channel)).await;
        stream.map_err(|error| unavailable(&error))
    }

    /// What comes first from a position on.
    async fn first(&self, stream: &Stream, from: u64) -> Result<Option<StreamMessage>, StoreError> {
        let subject = publish::subject(&self.channel);
        match stream.get_first_raw_message_by_subject(subject, from).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Halves the positions until one is left.
    async fn search(&self, time: SystemTime) -> Result<u64, StoreError> {
        let stream = self.stream().await?;
        let mut span = span_of(&stream);
        while span.start < span.end {
            let middle = span.start + (span.end - span.start) / 2;
            match self.first(&stream, middle).await? {
                // Behind it there may be others that came before that time, but none of them before this one.
                Some(message) if SystemTime::from(message.time) < time => span.start = message.sequence + 1,
                _ => span.end = middle,
            }
        }
        Ok(span.end)
    }

    async fn batch(&self, from: u64) -> Result<(Vec<Kept>, u64), StoreError> {
        let stream = self.stream().await?;
        let span = span_of(&stream);
        // What lies before the first message that there is was dropped.
        let start = match self.first(&stream, from.max(span.start)).await? {
            Some(first) => first.sequence,
            None => return Ok((Vec::new(), from.max(span.end))),
        };
        let next = start.saturating_add(BATCH).min(span.end).max(start + 1);
        let messages = try_join_all((start..next).map(|sequence| message(&stream, sequence))).await?;
        Ok((messages.into_iter().flatten().filter_map(|message| kept(&message)).collect(), next))
    }
}

/// The positions of a stream, as it was when it was asked for.
fn span_of(stream: &Stream) -> Range<u64> {
    let state = &stream.cached_info().state;
    // An empty one begins behind its end.
    let end = state.last_sequence.saturating_add(1);
    state.first_sequence.min(end)..end
}

async fn message(stream: &Stream, sequence: u64) -> Result<Option<StreamMessage>, StoreError> {
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(unavailable(&error)),
    }
}

fn kept(message: &StreamMessage) -> Option<Kept> {
    let event = Arc::new(binding::event(&message.headers, &message.payload)?);
    Some(Kept { position: message.sequence, time: SystemTime::from(message.time), event })
}

impl Archive for NatsArchive {
    fn span(&self) -> BoxFuture<'_, Result<Range<u64>, StoreError>> {
        async { Ok(span_of(&self.stream().await?)) }.boxed()
    }

    fn since(&self, time: SystemTime) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.search(time).boxed()
    }

    fn read(&self, from: u64) -> BoxFuture<'_, Result<(Vec<Kept>, u64), StoreError>> {
        self.batch(from).boxed()
    }
}
