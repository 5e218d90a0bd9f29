//! An order as events. Starts four small services and the proxy, places three orders by plain requests, prints what each
//! service hears, looks at the dead letter, and ends.

mod client;
mod proxy;
mod services;

use anyhow::{Result, ensure};
use proxy::Proxy;
use services::{Heard, Services};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// Orders with what they are to show, and how many services hear of each.
const ORDERS: [(&str, &str, usize); 3] = [
    ("is reserved, at the third try, and shipped", r#"{"product":"teapot","quantity":2,"customer":"ada"}"#, 5),
    ("is refused, as there are not so many", r#"{"product":"teapot","quantity":500,"customer":"ben"}"#, 2),
    ("cannot be read, and ends as a dead letter", r#"{"product":"riddle","customer":"eve"}"#, 2),
];
/// What all deliveries of an order take on a busy machine, retries included.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (services, mut heard) = Services::start().await?;
    let proxy = Proxy::start(services.addresses()).await?;
    println!("the proxy is at http://{}; its manifests are in {}\n", proxy.address(), proxy::MANIFESTS);
    for (what, order, count) in ORDERS {
        println!("an order that {what}\n  POST http://shop/orders {order}");
        let answer = client::post(proxy.address(), "shop", "/orders", order).await?;
        ensure!(answer.status == 202, "the order was answered {}: {}", answer.status, answer.text);
        println!("  202, event {}", answer.event_id);
        show(&mut heard, count).await?;
        println!();
    }
    println!("every service was only asked by POST, and none knows of another");
    Ok(())
}

/// Prints what services hear until so many have.
async fn show(heard: &mut UnboundedReceiver<Heard>, count: usize) -> Result<()> {
    for _ in 0..count {
        let next = tokio::time::timeout(LIMIT, heard.recv()).await;
        let Ok(Some(Heard { service, text })) = next else {
            anyhow::bail!("an event did not arrive within {LIMIT:?}");
        };
        println!("  {service:>9}  {text}");
    }
    Ok(())
}
