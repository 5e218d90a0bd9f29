//! CloudEvents over WebSocket (CloudEvents WebSocket binding 1.0.2): each event is a text message.

use super::{Listener, MISSED, Told};
use crate::config::limits::{LISTENER_HEARTBEAT, UPGRADE_HANDOVER, WRITE_STALLED};
use crate::drain::DrainSignal;
use crate::event::Seen;
use crate::event::json::Readable;
use crate::wasm::types::{Attribute, Event};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_websockets::{CloseCode, Limits, Message, ServerBuilder, WebSocketStream};

/// The sub-protocol (section 2.2).
pub const PROTOCOL: &str = "cloudevents.json";
/// The extension that holds an event's position.
const POSITION: &str = "streamposition";
/// What a client may send at once, in bytes: it has nothing to say but control frames, which have 125.
const LARGEST: usize = 4 << 10;
/// For the client to answer a close.
const CLOSE: Duration = Duration::from_secs(2);
/// Signs of life that a client may leave unanswered.
const SILENCES: u32 = 2;

/// Why a stream ends.
enum End {
    /// The client has closed it, or its connection is gone.
    Gone,
    /// With this code and reason.
    Close(CloseCode, &'static str),
}

/// Sends events until the client leaves, the channel is gone or the proxy ends.
pub async fn serve_websocket(client: OnUpgrade, listener: Listener, ending: DrainSignal) {
    let connection = match timeout(UPGRADE_HANDOVER, client).await {
        Ok(Ok(connection)) => TokioIo::new(connection),
        Ok(Err(error)) => return tracing::debug!(%error, "an upgrade was not completed"),
        Err(_) => return tracing::debug!("an upgrade was not completed in time"),
    };
    let limits = Limits::unlimited().max_payload_len(Some(LARGEST));
    let socket = ServerBuilder::new().limits(limits).serve(connection);
    Conversation { socket, listener, silences: 0 }.run(ending).await;
}

struct Conversation<T> {
    socket: WebSocketStream<T>,
    listener: Listener,
    /// Signs of life since the client last gave one.
    silences: u32,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Conversation<T> {
    async fn run(mut self, mut ending: DrainSignal) {
        let end = loop {
            let outcome = tokio::select! {
                biased;
                () = &mut ending => Err(End::Close(CloseCode::GOING_AWAY, "the proxy ends; come back")),
                message = self.socket.next() => self.heard(message).await,
                told = self.listener.next() => match told {
                    Some(told) => self.tell(&told).await,
                    None => Err(End::Close(CloseCode::GOING_AWAY, "the channel is gone")),
                },
                () = tokio::time::sleep(LISTENER_HEARTBEAT) => self.ping().await,
            };
            if let Err(end) = outcome {
                break end;
            }
        };
        if let End::Close(code, reason) = end {
            // Whether the client takes leave as well does not matter: its connection ends here.
            let _ = timeout(CLOSE, self.close(code, reason)).await;
        }
    }

    /// What the client says is answered where it has to be, and otherwise not listened to.
    async fn heard(&mut self, message: Option<Result<Message, tokio_websockets::Error>>) -> Result<(), End> {
        self.silences = 0;
        match message {
            None => Err(End::Gone),
            // The socket has queued a close that says why.
            Some(Err(_)) => {
                let _ = timeout(CLOSE, self.socket.flush()).await;
                Err(End::Gone)
            }
            Some(Ok(message)) if message.is_close() => {
                let _ = timeout(CLOSE, self.socket.flush()).await;
                Err(End::Gone)
            }
            Some(Ok(message)) if message.is_text() || message.is_binary() => {
                Err(End::Close(CloseCode::POLICY_VIOLATION, "this side only sends events"))
            }
            // The answer to a ping is on its way before the next one is read.
            Some(Ok(_)) => self.flush().await,
        }
    }

    async fn tell(&mut self, told: &Told) -> Result<(), End> {
        if told.missed {
            let missed = serde_json::json!({"specversion": "1.0", "type": MISSED, "source": "/", "id": "missed"});
            self.send(Message::text(missed.to_string())).await?;
        }
        for Seen { position, event, .. } in &told.events {
            let json = serde_json::to_string(&Readable(&placed(event, *position))).unwrap_or_default();
            self.send(Message::text(json)).await?;
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), End> {
        self.silences += 1;
        if self.silences > SILENCES {
            return Err(End::Close(CloseCode::POLICY_VIOLATION, "no sign of life"));
        }
        self.send(Message::ping("")).await
    }

    /// A client that does not read is cut.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(WRITE_STALLED, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn flush(&mut self) -> Result<(), End> {
        match timeout(WRITE_STALLED, self.socket.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn close(&mut self, code: CloseCode, reason: &str) {
        if self.socket.send(Message::close(Some(code), reason)).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
        }
    }
}

/// An event that says where it is.
fn placed(event: &Event, position: u64) -> Event {
    let mut event = event.clone();
    event.extensions.retain(|entry| entry.name != POSITION);
    event.extensions.push(Attribute { name: POSITION.to_owned(), value: position.to_string() });
    event
}
