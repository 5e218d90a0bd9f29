//! Events in sessions of an MQTT 5 broker.
//!
//! Guarantees: an event that was taken is in the session of every subscription, as the broker has acknowledged, and is given
//! to each at least once (QoS 1). It survives the end of the proxy. What the broker itself survives, and how much it keeps for
//! a session, is up to its settings, and the protocol does not tell: Mosquitto keeps a thousand events for each session and
//! then drops others unless `max_queued_messages` is 0, keeps none through its end without `persistence`, and may lose the last
//! ones when it is killed. `size` is not counted. There is no window of duplicates: a sender that tries again after a
//! refusal may be heard twice. Events are given out in the order in which the broker took them; what a proxy that died had
//! not finished comes again first, so a subscription that is ordered by key keeps that order. A session is one proxy's: of two
//! with the same subscription, the one that connects last has it.
//!
//! A channel is a topic, and a subscription a session that outlives its connections, which listens to it. Events are messages
//! in the binary mode of CloudEvents' MQTT binding. A session is removed with its subscription while a proxy runs; one whose
//! subscription went while none did is left to the broker, which removes it after `age`, or never. While the broker cannot
//! be reached, publishing is refused after a bounded wait and deliveries stop; both go on when it is back. An event that was
//! refused because no answer came may still be stored. `mqtts://` is with TLS.
//!
//! - [`binding`]: events as messages
//! - [`publisher`]: to a topic
//! - [`session`]: from a session

mod binding;
mod publisher;
mod session;

use super::StoreError;
use super::remote::line::Line;
use super::remote::thread::Thread;
use super::remote::tls::{Door, Tls};
use super::remote::{CONNECT, End, Place, RemoteStore, Server, WINDOW, name, unavailable};
use crate::config::ServerSettings;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use percent_encoding::percent_decode_str;
use publisher::Publisher;
use rumqttc::Transport;
use rumqttc::v5::MqttOptions;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Between two questions whether the broker is still there; the second without an answer ends the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The ports of brokers whose addresses have none.
const PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;
/// The largest message, in bytes (MQTT 5, 2.1.4).
const LARGEST: u32 = 268_435_455;
/// Requests that wait for the connection.
const REQUESTS: usize = WINDOW;

/// An MQTT broker.
#[derive(Debug)]
pub(super) struct Mqtt {
    settings: ServerSettings,
    address: Address,
    line: Arc<Line<Publisher>>,
    thread: Thread,
}

/// Where the broker is, and what it takes to be let in.
#[derive(Clone)]
struct Address {
    host: String,
    port: u16,
    credentials: Option<(String, String)>,
    with_tls: bool,
    /// Where the client reaches the broker instead, over TLS.
    door: Option<Arc<Door>>,
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

impl Address {
    /// `mqtt://USER:PASSWORD@HOST:PORT`, or with `mqtts`.
    fn parse(text: &str) -> Option<Self> {
        let uri: http::Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = authority.as_str().rsplit_once('@').map(|(user, _)| {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            (decoded(user), decoded(password))
        });
        let with_tls = uri.scheme_str() == Some("mqtts");
        let (host, default) = (authority.host().to_owned(), if with_tls { TLS_PORT } else { PORT });
        Some(Self { host, port: authority.port_u16().unwrap_or(default), credentials, with_tls, door: None })
    }

    /// What a client of this name connects with.
    fn options(&self, client: impl Into<String>) -> MqttOptions {
        let mut options = match &self.door {
            None => MqttOptions::new(client, &self.host, self.port),
            Some(door) => {
                let mut options = MqttOptions::new(client, door.path().to_string_lossy(), self.port);
                options.set_transport(Transport::Unix);
                options
            }
        };
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_connection_timeout(CONNECT.as_secs())
            .set_max_packet_size(Some(LARGEST))
            .set_request_channel_capacity(REQUESTS);
        if let Some((user, password)) = &self.credentials {
            options.set_credentials(user, password);
        }
        options
    }
}

impl Mqtt {
    /// Begins to connect; whether the broker is there turns out later.
    pub(super) fn start(settings: &ServerSettings) -> io::Result<RemoteStore<Self>> {
        let unreadable = || io::Error::other("the address of the MQTT broker cannot be read");
        let mut address = Address::parse(&settings.server).ok_or_else(unreadable)?;
        let tls = || Tls::new(&settings.tls, &address.host, address.port);
        let tls = address.with_tls.then(tls).transpose()?;
        let door = async move { tls.map(|tls| Door::open(tls, Self::NAME)).transpose() };
        let (thread, door) = Thread::start("mqtt", door)?;
        address.door = door.map(Arc::new);
        let line = Arc::new(Line::new(Self::NAME));
        let (keeper, end, options) = (Arc::clone(&line), thread.end.clone(), publisher::options(&address));
        thread.spawn(async move { keeper.keep(end, || publisher::connect(options.clone())).await });
        Ok(RemoteStore::new(Arc::new(Self { settings: settings.clone(), address, line, thread })))
    }

    /// For how long the broker keeps an event, or a session without a connection, in seconds; none is for ever.
    fn age(&self) -> Option<u32> {
        self.settings.age.map(|age| u32::try_from(age.as_secs().max(1)).unwrap_or(u32::MAX))
    }
}

/// The topic of a channel.
fn topic(channel: &str) -> String {
    format!("sluicegate/events/{}", name(channel))
}

/// What a subscription is called among the clients of the broker.
fn client(channel: &str, subscription: &str) -> String {
    format!("sluicegate-{}-{}", name(channel), name(subscription))
}

impl Server for Mqtt {
    /// What a message is known by: it has a name in its correlation data.
    type Mark = bytes::Bytes;
    type Tag = session::Tag;
    const NAME: &'static str = "MQTT broker";
    const TIED: bool = true;

    fn thread(&self) -> &Thread {
        &self.thread
    }

    async fn is_reached(&self) -> bool {
        self.line.reached().await.is_ok()
    }

    async fn publish(&self, channel: &str, events: Vec<Arc<Event>>) -> Result<(), StoreError> {
        let publisher = self.line.reached().await?;
        publisher.publish(&topic(channel), &events, self.age()).await
    }

    async fn serve(&self, place: &Arc<Place<Self>>) -> Result<(), StoreError> {
        session::serve(self, place).await
    }

    async fn settle(&self, _: &Arc<Place<Self>>, tag: session::Tag, end: End) -> Result<(), StoreError> {
        // What is released comes again with the session's next connection.
        if end == End::Released {
            return Ok(());
        }
        tag.acknowledge().await.map_err(|error| unavailable(&error))
    }

    async fn remove(&self, channel: &str, subscription: &str) -> Result<(), StoreError> {
        session::remove(self, channel, subscription).await
    }

    /// The broker does not say which sessions it has.
    async fn keep_only(&self, _: &str, _: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Every connection of a session has sent what it had before it ended.
    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_may_have_credentials() {
        let parse = |text| Address::parse(text).map(|one| (one.host, one.port, one.credentials));
        assert_eq!(parse("mqtt://broker"), Some(("broker".into(), 1883, None)));
        assert_eq!(parse("mqtts://broker"), Some(("broker".into(), 8883, None)));
        let credentials = Some(("me".to_owned(), "se@cret".to_owned()));
        assert_eq!(parse("mqtt://me:se%40cret@[::1]:1884"), Some(("[::1]".into(), 1884, credentials)));
    }
}
