//! One question to one endpoint, on a connection of its own.

use super::super::connect::{ConnectError, Multiplexed, Setup, connect, connect_http2};
use super::super::policy::{HealthCheck, Probe};
use super::super::wire::Wire;
use crate::body::ProxyBody;
use http::Request;
use http::header::{CONNECTION, HOST, USER_AGENT};
use std::net::SocketAddr;
use tokio::time::timeout;

/// Why it is not known that an endpoint is well.
#[derive(Debug)]
pub(super) enum Doubt {
    /// It did not answer, or not well; for people to read.
    Unwell(String),
    /// It was not asked: the proxy itself had nothing left to make a connection of.
    NotAsked(String),
}

impl From<String> for Doubt {
    fn from(reason: String) -> Self {
        Self::Unwell(reason)
    }
}

/// Asks, in the way that requests are sent too.
pub(super) async fn ask(
    address: SocketAddr,
    service: &str,
    check: &HealthCheck,
    wire: Option<&Wire>,
    setup: Setup,
) -> Result<(), Doubt> {
    let unreached = |error| {
        let reason = format!("no connection: {error}");
        if matches!(error, ConnectError::Exhausted(_)) { Doubt::NotAsked(reason) } else { Doubt::Unwell(reason) }
    };
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
            let Multiplexed { mut sender, driver, .. } = made.map_err(unreached)?;
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
        if well { Ok(()) } else { Err(format!("{path} is answered {}", status.as_u16()).into()) }
    };
    timeout(check.timeout, asking).await.unwrap_or_else(|_| Err(format!("no answer within {:?}", check.timeout).into()))
}

fn question(request: http::request::Builder) -> Result<Request<ProxyBody>, String> {
    let request = request.header(USER_AGENT, "sluice-health-check");
    request.body(ProxyBody::empty()).map_err(|error| error.to_string())
}
