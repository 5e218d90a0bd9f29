//! Requests that publish events.

use super::composing::too_many;
use super::run::Run;
use crate::body::ProxyBody;
use crate::chain::{Answered, Publishing, Reply};
use crate::decision;
use crate::error::RequestError;
use crate::event::{Channels, OpenError, Opened, Opener, PublishError, Waited};
use crate::wasm::types::Publication;
use crate::wasm::{Bound, Failure, Filter, Flight, InFlight};
use http::Response;
use std::sync::Arc;

impl Run {
    /// Publishes what a filter wants published, and answers when it says.
    pub(super) async fn published(&mut self, publishing: Publishing) -> Result<Response<ProxyBody>, RequestError> {
        let Publishing { mut publications, body, answer, answered } = publishing;
        if let (Some(most), [Publication { event, .. }]) = (body, publications.as_mut_slice()) {
            let data = self.collected(most).await?;
            event.data = (!data.is_empty()).then(|| data.into());
        }
        match answered {
            Answered::Stored => self.publish(publications).await.map(|()| answer),
            Answered::Unacknowledged => self.publish_unacknowledged(publications).map(|()| answer),
            Answered::ByEvent(reply) => Box::pin(self.replied(publications, answer, *reply)).await,
        }
    }

    fn enter_publications(&self, count: usize) -> Result<Option<InFlight>, RequestError> {
        let refused = |failure: Failure| self.snapshot.chain.refused(&failure, &self.course, self.head.id);
        self.enter(Flight::Publications, count).map_err(refused)
    }

    fn publish_unacknowledged(&self, mut publications: Vec<Publication>) -> Result<(), RequestError> {
        let under_way = self.enter_publications(publications.len())?;
        let publishing = self.trace.publish(&mut publications);
        let kept = self.exchange.channels.publish_unacknowledged(publications);
        let storing = publishing.end(kept.map_err(|error| of_publish(&error)))?;
        self.connection.drain.spawn(async move {
            storing.await;
            drop(under_way);
        });
        Ok(())
    }

    /// Publishes events: all of them or none.
    async fn publish(&mut self, mut publications: Vec<Publication>) -> Result<(), RequestError> {
        let under_way = self.enter_publications(publications.len())?;
        let publishing = self.trace.publish(&mut publications);
        let published = match self.exchange.channels.storing(publications) {
            Err(error) => Err(of_publish(&error)),
            Ok(storing) => {
                let stored = async move {
                    let stored = storing.await;
                    drop(under_way);
                    stored
                };
                // A client that leaves meanwhile leaves no half of it published.
                self.connection.drain.complete(stored).await.map_err(|error| of_publish(&error))
            }
        };
        publishing.end(published)
    }

    /// Publishes events and waits for the answer that one brings, or only waits where there are none to publish.
    async fn replied(
        &mut self,
        publications: Vec<Publication>,
        unknown: Response<ProxyBody>,
        reply: Reply,
    ) -> Result<Response<ProxyBody>, RequestError> {
        let channels = Arc::clone(&self.exchange.channels);
        let opened = match publications.first() {
            None => None,
            Some(Publication { channel, .. }) => {
                let opened = self.open(&channels, channel, &reply)?;
                if let Err(error) = self.publish(publications).await {
                    opened.cancel();
                    return Err(error);
                }
                Some(opened)
            }
        };
        let waited = channels.replies.wait(&reply.key, reply.timeout).await;
        if let Some(opened) = opened {
            opened.end();
        }
        match waited {
            Waited::Unknown => Ok(unknown),
            Waited::Pending => Ok(reply.pending),
            // Whoever gave it was told if it cannot be.
            Waited::Answered(answer) => decision::response(answer).map_err(|_| RequestError::Fault),
        }
    }

    /// Opens an exchange for the filter that wants it.
    fn open<'a>(&self, channels: &'a Channels, channel: &str, reply: &Reply) -> Result<Opened<'a>, RequestError> {
        let chain = &self.snapshot.chain;
        let Some(link) = chain.deciding(&self.course, self.head.id) else { return Err(RequestError::Fault) };
        let Filter { name, settings, .. } = &*link.filter;
        let opener = Opener { filter: name, most: settings.bounds.replies };
        channels.replies.open(opener, &reply.key, reply.timeout, reply.keep).map_err(|error| match error {
            OpenError::Share => {
                link.filter.refused(Bound::Replies);
                chain.refused(&too_many(Bound::Replies), &self.course, self.head.id)
            }
            OpenError::Full | OpenError::Taken => {
                RequestError::Publish { channel: channel.to_owned(), reason: error.to_string() }
            }
        })
    }
}

fn of_publish(error: &PublishError) -> RequestError {
    let (channel, reason) = (error.channel().to_owned(), error.to_string());
    match error {
        PublishError::NoSpace { .. } => RequestError::StorageFull { channel, reason },
        PublishError::Invalid { .. } => RequestError::EventRefused { channel, reason },
        _ => RequestError::Publish { channel, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_no_channel_can_take_is_the_clients_fault_and_a_full_channel_is_not() {
        let (channel, reason) = ("default/orders".to_owned(), "it is too large".to_owned());
        let refused = of_publish(&PublishError::Invalid { channel: channel.clone(), reason });
        let full = of_publish(&PublishError::Draining { channel });
        assert_eq!((refused.status().as_u16(), full.status().as_u16()), (400, 503));
    }
}
