//! Calls over HTTP/2, where a connection outlives those that are not wanted any more.

use super::*;
use crate::upstream::registry::{Endpoint, Names, Protocol, ServicePort};
use bytes::Bytes;
use h2::Reason;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

/// Answers `/quick` at once and anything else never, and tells how the streams of those ended.
async fn service() -> (SocketAddr, mpsc::UnboundedReceiver<Result<Reason, h2::Error>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, ended) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let tell = tell.clone();
            tokio::spawn(async move {
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    if request.uri().path() == "/quick" {
                        sleep(Duration::from_millis(50)).await;
                        let mut body = respond.send_response(http::Response::new(()), false).unwrap();
                        body.send_data(Bytes::from_static(b"ok"), true).unwrap();
                        continue;
                    }
                    let tell = tell.clone();
                    tokio::spawn(async move {
                        let _ = tell.send(std::future::poll_fn(|context| respond.poll_reset(context)).await);
                    });
                }
            });
        }
    });
    (address, ended)
}

fn to_shop(name: &str) -> Call {
    let destination = Destination { host: "shop".into(), port: None, subset: None };
    Call { destination, path: format!("/{name}"), ..call(name) }
}

#[tokio::test]
async fn the_stream_of_a_call_that_is_not_wanted_any_more_is_reset() {
    let (address, mut ended) = service().await;
    let mut registry = Registry::new(Names::default());
    let endpoints = vec![Endpoint::new(address)];
    let port = ServicePort { number: None, name: None, protocol: Protocol::Http2, endpoints };
    registry.add("shop".to_owned(), vec![port]);
    let first = CallGroup { enough: Some(1), ..group(&["slow", "quick"]) };
    let plan = types::Plan { groups: vec![first], ..plan([to_shop("slow"), to_shop("quick")]) };
    let outcomes = outcomes(&registry, plan).await;
    assert_eq!(results(&outcomes), [("slow", Err(CallError::Cancelled)), ("quick", Ok(&b"ok"[..]))]);
    assert_eq!(ended.recv().await.unwrap().unwrap(), Reason::CANCEL);
}
