//! An order as events. Starts four small services and the proxy, places four orders by plain requests, prints what each
//! service hears, looks at what could not be delivered, puts it back, and ends.

mod client;
mod proxy;
mod services;

use anyhow::{Result, ensure};
use proxy::Proxy;
use services::{Heard, Services};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;

/// Orders with what they are to show, and how many services hear of each.
const ORDERS: [(&str, &str, usize); 3] = [
    ("is reserved, at the third try, and shipped", r#"{"product":"teapot","quantity":2,"customer":"ada"}"#, 5),
    ("is refused, as there are not so many", r#"{"product":"teapot","quantity":500,"customer":"ben"}"#, 2),
    ("cannot be read, and ends as a dead letter", r#"{"product":"riddle","customer":"eve"}"#, 2),
];
/// An order that is placed while the shipping is closed.
const LATE: &str = r#"{"product":"teapot","quantity":1,"customer":"dan"}"#;
/// What all deliveries of an order take on a busy machine, retries included.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (services, mut heard) = Services::start().await?;
    let proxy = Proxy::start(services.addresses()).await?;
    println!("the proxy is at http://{}; its manifests are in {}\n", proxy.address(), proxy::MANIFESTS);
    for (what, order, count) in ORDERS {
        place(&proxy, what, order).await?;
        show(&mut heard, count).await?;
        println!();
    }
    services.open_shipping(false);
    place(&proxy, "cannot be shipped, and is put back once it can", LATE).await?;
    show(&mut heard, 2).await?;
    inspect_and_replay(&proxy, &services)?;
    show(&mut heard, 2).await?;
    ensure!(proxy.ask(&["dead-letter", "list"])? == "no dead letters\n", "the dead letter is still there");
    println!();
    println!("every service was only asked by POST, and none knows of another");
    Ok(())
}

async fn place(proxy: &Proxy, what: &str, order: &str) -> Result<()> {
    println!("an order that {what}\n  POST http://shop/orders {order}");
    let answer = client::post(proxy.address(), "shop", "/orders", order).await?;
    ensure!(answer.status == 202, "the order was answered {}: {}", answer.status, answer.text);
    println!("  202, event {}", answer.event_id);
    Ok(())
}

/// What an operator does with what could not be delivered: looks at it, sees to the cause, and puts it back.
fn inspect_and_replay(proxy: &Proxy, services: &Services) -> Result<()> {
    let started = Instant::now();
    let letter = loop {
        let listed = proxy.ask(&["dead-letter", "list", "--channel", "orders", "-o", "json"])?;
        let letters: Vec<serde_json::Value> = serde_json::from_str(&listed)?;
        if let Some(letter) = letters.into_iter().next() {
            break letter;
        }
        ensure!(started.elapsed() < LIMIT, "the dead letter did not come within {LIMIT:?}");
    };
    let number = letter["number"].to_string();
    for arguments in [&["dead-letter", "list"][..], &["dead-letter", "show", "orders", &number]] {
        print(proxy, arguments)?;
    }
    println!("  the lorry comes");
    services.open_shipping(true);
    print(proxy, &["dead-letter", "replay", "orders", &number])
}

fn print(proxy: &Proxy, arguments: &[&str]) -> Result<()> {
    println!("  $ sluice {}", arguments.join(" "));
    for line in proxy.ask(arguments)?.lines() {
        println!("    {line}");
    }
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
