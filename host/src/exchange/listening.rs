//! Requests of clients that listen to a channel.

use super::run::Run;
use crate::body::ProxyBody;
use crate::error::RequestError;
use crate::sanitize::Upgrading;
use crate::wasm::types::{StreamFormat, SubscriptionStream};
use crate::{stream, websocket};
use http::Response;

impl Run {
    /// Lets the client listen to a channel.
    pub(super) fn listen(&mut self, wanted: &SubscriptionStream) -> Result<Response<ProxyBody>, RequestError> {
        let drain = self.connection.drain.clone();
        let listener = stream::open(&self.exchange.channels, wanted)?;
        if wanted.format == StreamFormat::ServerSent {
            return Ok(stream::server_sent(listener, drain.signal()));
        }
        let response = websocket::accepted(&self.head.headers, self.head.version, stream::PROTOCOL)?;
        let upgrading = self.upgrade.take();
        let Upgrading { connection, held, place } =
            upgrading.ok_or(RequestError::BadRequest("it does not ask for WebSocket as HTTP has it"))?;
        let ending = drain.signal();
        drain.spawn(async move {
            stream::serve_websocket(connection, listener, ending).await;
            drop((held, place));
        });
        Ok(response)
    }
}
