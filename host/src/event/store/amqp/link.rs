//! The connection to the broker.

use crate::event::store::StoreError;
use crate::event::store::remote::tls::Tls;
use crate::event::store::remote::unavailable;
use async_compat::Compat;
use lapin::options::ConfirmSelectOptions;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Seconds between two signs of life, where the address says nothing else: twice that without one ends the connection.
const HEARTBEAT: u16 = 4;
/// Between two looks at whether the connection is still there.
const LOOK: Duration = Duration::from_millis(50);

/// A connection, and the channel of it that events are published on.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) connection: Arc<Connection>,
    pub(super) publisher: Channel,
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    /// A channel for something that can fail: an error closes the channel that it came on.
    pub(super) async fn channel(&self) -> Result<Channel, StoreError> {
        self.connection.create_channel().await.map_err(|error| unavailable(&error))
    }

    /// Ends with the connection, or with the channel that events are published on.
    pub(super) async fn lost(&self) -> String {
        while self.connection.status().connected() && self.publisher.status().connected() {
            tokio::time::sleep(LOOK).await;
        }
        "it was closed".to_owned()
    }
}

/// Connects, with confirmations for what is published.
pub(super) async fn connect(
    mut address: AMQPUri,
    tls: Option<Tls>,
) -> lapin::Result<(Link, impl Future<Output = String> + use<>)> {
    address.query.heartbeat.get_or_insert(HEARTBEAT);
    let properties = ConnectionProperties::default().with_connection_name("sluicegate".into());
    let connection = match tls {
        None => Connection::connect_uri(address, properties).await?,
        Some(tls) => {
            let connect = async move |_, _| Ok(AsyncTcpStream::Plain(Compat::new(tls.socket().await?)));
            Connection::connector(address, lapin::runtime::default_runtime()?, connect, properties).await?
        }
    };
    let connection = Arc::new(connection);
    let publisher = connection.create_channel().await?;
    publisher.confirm_select(ConfirmSelectOptions::default()).await?;
    let link = Link { connection, publisher };
    let watched = link.clone();
    Ok((link, async move { watched.lost().await }))
}
