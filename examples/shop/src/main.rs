//! Runs the shop's three services in one process until SIGINT or SIGTERM.

use anyhow::Context;
use clap::Parser;
use sluicegate_shop::{InventoryService, OrderService, ProductService, Service, serve};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Three small services to try the proxy with. Prints `NAME URL` for each once all of them take requests.
#[derive(Debug, Parser)]
#[command(name = "shop", version)]
struct Arguments {
    /// Where the order service listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:9101", value_name = "ADDRESS")]
    order: SocketAddr,
    /// Where the inventory service listens
    #[arg(long, default_value = "127.0.0.1:9102", value_name = "ADDRESS")]
    inventory: SocketAddr,
    /// Where the product service listens
    #[arg(long, default_value = "127.0.0.1:9103", value_name = "ADDRESS")]
    product: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let services: [(SocketAddr, Arc<dyn Service>); 3] = [
        (arguments.order, Arc::new(OrderService::default())),
        (arguments.inventory, Arc::new(InventoryService::default())),
        (arguments.product, Arc::new(ProductService::default())),
    ];
    // Before anything is printed, so that whoever has read the addresses may already send a signal.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (stop, stopped) = watch::channel(false);
    let (mut running, mut lines) = (JoinSet::new(), Vec::new());
    for (address, service) in services {
        let name = service.name();
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("{name} cannot listen on {address}"))?;
        writeln!(lines, "{name} http://{}", listener.local_addr()?)?;
        running.spawn(serve(listener, service, stopped.clone()));
    }
    std::io::stdout().write_all(&lines).context("cannot print the addresses")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stop.send_replace(true);
    while running.join_next().await.is_some() {}
    Ok(())
}
