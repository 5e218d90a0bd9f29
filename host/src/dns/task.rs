//! The thread that asks.

use super::{Answer, Shared};
use crate::config::limits;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

/// Starts it; it ends with the sender of `asked`.
pub(super) fn spawn(server: Option<SocketAddr>, shared: Arc<Shared>, asked: mpsc::Receiver<String>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = move || runtime.block_on(async { run(resolver(server), shared, asked).await });
    std::thread::Builder::new().name("dns".into()).spawn(run).map(drop)
}

fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, String> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = match server {
        None => TokioResolver::builder(provider).map_err(|error| error.to_string())?,
        Some(server) => {
            let mut named = NameServerConfig::udp_and_tcp(server.ip());
            named.connections.iter_mut().for_each(|connection| connection.port = server.port());
            TokioResolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), vec![named]), provider)
        }
    };
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.timeout = limits::DNS_TRY;
    // What is asked is asked because its time is over.
    options.cache_size = 0;
    builder.build().map_err(|error| error.to_string())
}

async fn run(resolver: Result<TokioResolver, String>, shared: Arc<Shared>, mut asked: mpsc::Receiver<String>) {
    let mut due: HashMap<String, Instant> = HashMap::new();
    let mut running = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let room = limits::DNS_LOOK_UPS.saturating_sub(running.len());
        let ready: Vec<String> =
            due.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).take(room).collect();
        for name in ready {
            due.remove(&name);
            running.push(ask(&resolver, name));
        }
        let next = due.values().min().copied().filter(|_| running.len() < limits::DNS_LOOK_UPS);
        tokio::select! {
            name = asked.recv() => match name {
                Some(name) => drop(due.insert(name, now)),
                None => return,
            },
            Some((name, answer)) = running.next() => {
                if let Some(pause) = shared.take_in(&name, answer) {
                    due.insert(name, Instant::now() + pause);
                }
            }
            () = sleep_until(next.unwrap_or(now)), if next.is_some() => {}
        }
    }
}

async fn ask(resolver: &Result<TokioResolver, String>, name: String) -> (String, Answer) {
    let answer = match resolver {
        Err(reason) => Err(reason.clone()),
        Ok(resolver) => match timeout(limits::DNS_ANSWER, resolver.lookup_ip(name.as_str())).await {
            Err(_) => Err(format!("no answer within {:?}", limits::DNS_ANSWER)),
            Ok(Err(error)) => Err(error.to_string()),
            Ok(Ok(found)) => {
                let life = found.valid_until().saturating_duration_since(std::time::Instant::now());
                Ok((found.iter().collect(), life))
            }
        },
    };
    (name, answer)
}
