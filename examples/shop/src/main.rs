//! Runs the shop's three services in one process until SIGINT or SIGTERM.

use anyhow::Context;
use clap::Parser;
use sluicegate_shop::{Addresses, Shop};
use std::io::Write;
use std::net::SocketAddr;
use tokio::signal::unix::{SignalKind, signal};

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
    let Arguments { order, inventory, product } = Arguments::parse();
    // Before anything is printed, so that whoever has read the addresses may already send a signal.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let shop = Shop::open(Addresses { order, inventory, product }).await?;
    let Addresses { order, inventory, product } = shop.addresses();
    let lines = format!(
        "order-service http://{order}\ninventory-service http://{inventory}\nproduct-service http://{product}\n"
    );
    std::io::stdout().write_all(lines.as_bytes()).context("cannot print the addresses")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    shop.close().await;
    Ok(())
}
