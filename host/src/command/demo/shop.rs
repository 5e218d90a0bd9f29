//! The shop's services on a thread of their own: the proxy speaks to them over sockets, as to any others.

use sluicegate_shop::{Addresses, Shop};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// A free port of this machine.
const FREE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Running services. Dropping it ends them.
#[derive(Debug)]
pub(super) struct OpenShop {
    addresses: Addresses,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl OpenShop {
    /// Starts the services on free ports.
    ///
    /// # Errors
    /// When the system gives no thread or no socket.
    pub(super) fn open() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (opened, addresses) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let serve = async move {
            let shop = match Shop::open(Addresses { order: FREE, inventory: FREE, product: FREE }).await {
                Ok(shop) => shop,
                Err(error) => return drop(opened.send(Err(io::Error::other(error)))),
            };
            // Whoever asked waits for it. That nobody is left to ask for the end is the end too.
            let _ = opened.send(Ok(shop.addresses()));
            let _ = ended.await;
            shop.close().await;
        };
        let thread = thread::Builder::new().name("shop".into()).spawn(move || runtime.block_on(serve))?;
        let addresses = addresses.recv().map_err(io::Error::other)??;
        Ok(Self { addresses, end: Some(end), thread: Some(thread) })
    }

    /// Where the services listen.
    pub(super) fn addresses(&self) -> Addresses {
        self.addresses
    }
}

impl Drop for OpenShop {
    fn drop(&mut self) {
        drop(self.end.take());
        // A thread that panicked has ended, too.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn the_services_listen_until_the_shop_is_dropped() {
        let shop = OpenShop::open().unwrap();
        let Addresses { order, inventory, product } = shop.addresses();
        for address in [order, inventory, product] {
            TcpStream::connect(address).unwrap();
        }
        drop(shop);
        for address in [order, inventory, product] {
            assert!(TcpStream::connect(address).is_err(), "{address} still listens");
        }
    }
}
