//! The three services together.

use crate::inventory::InventoryService;
use crate::order::OrderService;
use crate::product::ProductService;
use crate::server::{Service, serve};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where each service listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The order service.
    pub order: SocketAddr,
    /// The inventory service.
    pub inventory: SocketAddr,
    /// The product service.
    pub product: SocketAddr,
}

/// Why the shop stays closed.
#[derive(Debug, thiserror::Error)]
#[error("{service} cannot listen on {address}: {reason}")]
pub struct OpenError {
    /// The name of the service.
    pub service: &'static str,
    /// The address, as asked for.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub reason: io::Error,
}

/// The three services, running as tasks of the runtime that opened them. Dropping it ends them at once.
#[derive(Debug)]
pub struct Shop {
    addresses: Addresses,
    services: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Shop {
    /// Starts all services. Port 0 takes a free one.
    ///
    /// # Errors
    /// When an address is not to be had; then none is running.
    pub async fn open(addresses: Addresses) -> Result<Self, OpenError> {
        let mut shop = Self { addresses, services: JoinSet::new(), stop: watch::Sender::new(false) };
        shop.addresses.order = shop.start(OrderService::default(), addresses.order).await?;
        shop.addresses.inventory = shop.start(InventoryService::default(), addresses.inventory).await?;
        shop.addresses.product = shop.start(ProductService::default(), addresses.product).await?;
        Ok(shop)
    }

    /// Where they listen, with the ports that were chosen.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Takes no more requests, and lets those in flight finish, for two seconds at most.
    pub async fn close(mut self) {
        self.stop.send_replace(true);
        while self.services.join_next().await.is_some() {}
    }

    async fn start(&mut self, service: impl Service, address: SocketAddr) -> Result<SocketAddr, OpenError> {
        let failed = |reason| OpenError { service: service.name(), address, reason };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        self.services.spawn(serve(listener, Arc::new(service), self.stop.subscribe()));
        Ok(bound)
    }
}
