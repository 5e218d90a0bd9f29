//! Runs five services and a proxy that makes one page of them, in two forms, until Ctrl-C.

mod proxy;
mod reviews;

use anyhow::Result;
use clap::Parser;
use proxy::Proxy;
use reviews::ReviewsService;
use sluicegate_shop::{InventoryService, OrderService, ProductService, Service, serve};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// One page of five services. Prints what to try once everything runs.
#[derive(Debug, Parser)]
#[command(name = "product-page", version)]
struct Arguments {
    /// Where the proxy listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The proxy; what lies beside this program when left out
    #[arg(long, value_name = "FILE")]
    sluice: Option<PathBuf>,
    /// The filter that composes in code; what `cargo xtask build` has built when left out
    #[arg(long, value_name = "FILE")]
    filter: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Arguments { listen, sluice, filter } = Arguments::parse();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = watch::Sender::new(false);
    let mut running = JoinSet::new();
    let services: [Arc<dyn Service>; 5] = [
        Arc::new(OrderService::default()),
        Arc::new(InventoryService::default()),
        Arc::new(ProductService::default()),
        Arc::new(ReviewsService::live()),
        Arc::new(ReviewsService::archive()),
    ];
    let mut upstreams = Vec::new();
    for service in services {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        upstreams.push((service.name(), listener.local_addr()?));
        running.spawn(serve(listener, service, stop.subscribe()));
    }
    let mut proxy = Proxy::start(listen, sluice, filter, &upstreams)?;
    let address = proxy.ready().await?;
    std::io::stdout().write_all(guide(address).as_bytes())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        ended = proxy.ended() => return ended,
    }
    drop(proxy);
    stop.send_replace(true);
    while running.join_next().await.is_some() {}
    Ok(())
}

/// What to try.
fn guide(proxy: SocketAddr) -> String {
    let tries = [
        ("one product: described, with its stock, its orders and its reviews", "product-page", "/products/teapot"),
        ("the reviews fail: those of the archive stand in", "product-page", "/products/teapot?fail=reviews-service"),
        (
            "the stock fails: its default stands in, and `errors` says why",
            "product-page",
            "/products/cup?fail=inventory-service",
        ),
        ("the product is needed: no page without it, but the answer of its service", "product-page", "/products/spoon"),
        ("all products, each joined with its stock and its orders", "product-page", "/products"),
        ("the same list by a filter of forty lines", "product-filter", "/products"),
    ];
    let lines = tries.map(|(what, host, path)| format!("# {what}\ncurl -H 'Host: {host}' 'http://{proxy}{path}'\n"));
    format!(
        "{}\n# Calls, stages and destinations: sluice explain --manifests {} http://product-page/products/teapot\n# Ctrl-C ends it all.\n",
        lines.join("\n"),
        proxy::manifests().display()
    )
}
