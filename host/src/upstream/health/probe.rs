//! One question to one endpoint, on a connection of its own.

use super::super::connect::{Setup, connect, connect_http2};
use super::super::policy::{HealthCheck, Probe};
use super::super::wire::Wire;
use crate::body::ProxyBody;
use http::Request;
use http::header::{CONNECTION, HOST, USER_AGENT};
use std::net::SocketAddr;
use tokio::time::timeout;

/// Asks, in the way that requests are sent too. The error is for people to read.
pub(super) async fn ask(
    address: SocketAddr,
    service: &str,
    check: &HealthCheck,
    wire: Option<&Wire>,
    setup: Setup,
) -> Result<(), String> {
    let unreached = |reason| format!("no connection: {reason}");
    let asking = async {
        // The limit is the whole question's.
        let Probe::Http { path, authority, expected } = &check.probe else {
            // It says nothing, not even in TLS.
            let setup = Setup { tls: None, ..setup };
            return connect(address, check.timeout, setup).await.map(drop).map_err(unreached);
        };
        let authority = authority.as_deref().unwrap_or(service);
        let answer = if let Some(wire) = wire.filter(|wire| wire.is_multiplexed()) {
            let made = connect_http2(address, check.timeout, setup).await;
            let (mut sender, driver, _) = made.map_err(unreached)?;
            let request = Request::get(format!("{}://{authority}{path}", wire.scheme()));
            let asking = sender.send_request(question(request)?);
            tokio::select! {
                answer = asking => answer,
                Err(error) = driver => Err(error),
            }
        } else {
            let made = connect(address, check.timeout, setup).await;
            let request = Request::get(path).header(HOST, authority).header(CONNECTION, "close");
            made.map_err(unreached)?.0.send_request(question(request)?).await
        };
        let status = answer.map_err(|error| format!("no answer: {error}"))?.status();
        let well = expected.iter().any(|(first, last)| (*first..=*last).contains(&status.as_u16()));
        if well { Ok(()) } else { Err(format!("{path} is answered {}", status.as_u16())) }
    };
    timeout(check.timeout, asking).await.unwrap_or_else(|_| Err(format!("no answer within {:?}", check.timeout)))
}

fn question(request: http::request::Builder) -> Result<Request<ProxyBody>, String> {
    let request = request.header(USER_AGENT, "sluice-health-check");
    request.body(ProxyBody::empty()).map_err(|error| error.to_string())
}
