//! Connections that are passed on as they are, such as TLS that is not ours to end.

use super::cluster::Cluster;
use super::connect::reach;
use super::endpoint::Endpoint;
use super::registry::Registry;
use super::splice::copy_both;
use super::target::Target;
use crate::config::limits;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Endpoints that are tried: one, and another when it cannot be reached.
const TRIES: usize = 2;

/// The endpoints of a service to try, in order. A service with a single port is taken whatever the port is.
pub fn endpoints(registry: &Registry, name: &str, port: u16) -> Vec<Endpoint> {
    let Some(cluster) = registry.find(name, Some(port)).or_else(|| registry.find(name, None)) else {
        return Vec::new();
    };
    endpoints_of(&cluster)
}

/// The endpoints of a cluster to try, in order.
pub fn endpoints_of(cluster: &Cluster) -> Vec<Endpoint> {
    let (mut tried, mut chosen) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        let Ok(target) = Target::pick(cluster, None, &tried) else { break };
        if !tried.contains(&target.address()) {
            tried.push(target.address());
            chosen.push(target.member.endpoint.clone());
        }
    }
    chosen
}

/// Connects to the first endpoint that can be reached, hands it what the client has sent already, and copies both ways
/// until the connection is over.
pub async fn tunnel<S>(client: S, sent: &[u8], endpoints: &[Endpoint]) -> io::Result<(u64, u64)>
where
    S: AsyncRead + AsyncWrite,
{
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "no endpoint is known");
    for endpoint in endpoints {
        let reaching = reach(endpoint.address, endpoint.alternatives.as_deref());
        match timeout(limits::UPSTREAM_CONNECT, reaching).await {
            Ok(Ok((_, mut upstream))) => {
                let _ = upstream.set_nodelay(true);
                timeout(limits::WRITE_STALLED, upstream.write_all(sent)).await??;
                return copy_both(client, upstream, limits::UPGRADED_IDLE).await;
            }
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Upstream;
    use crate::upstream::registry::Names;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    #[test]
    fn a_service_is_found_by_its_name_and_preferably_the_port() {
        let mut registry = Registry::new(Names::default());
        for upstream in ["a.example:443=10.0.0.1:1", "a.example:80=10.0.0.1:2", "b.example:8443=10.0.0.2:3"] {
            registry.add_upstream(&Upstream::parse(upstream).unwrap(), &[]);
        }
        assert_eq!(endpoints(&registry, "a.example", 443), [Endpoint::new(([10, 0, 0, 1], 1).into())]);
        assert_eq!(endpoints(&registry, "b.example", 443), [Endpoint::new(([10, 0, 0, 2], 3).into())]);
        assert_eq!(endpoints(&registry, "c.example", 443), []);
    }

    #[tokio::test]
    async fn the_next_endpoint_is_tried_and_gets_everything() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        let (mut client, near) = tokio::io::duplex(64);
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = [0; 9];
            stream.read_exact(&mut seen).await.unwrap();
            stream.write_all(b"answer").await.unwrap();
            seen
        };
        let asking = async {
            client.write_all(b"more").await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            drop(client);
            answer
        };
        let endpoints = [gone, listener.local_addr().unwrap()].map(Endpoint::new);
        let (tunnelled, seen, answer) = tokio::join!(tunnel(near, b"first", &endpoints), serving, asking);
        assert_eq!((&seen, answer.as_str()), (b"firstmore", "answer"));
        assert_eq!(tunnelled.unwrap(), (4, 6));
    }
}
