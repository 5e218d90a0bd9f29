//! One question to one endpoint, on a connection of its own.

use super::super::connect::{Setup, connect};
use super::super::policy::{HealthCheck, Probe};
use crate::body::ProxyBody;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{Request, StatusCode};
use std::net::SocketAddr;
use tokio::time::timeout;

/// Asks. The error is for people to read.
pub(super) async fn ask(address: SocketAddr, service: &str, check: &HealthCheck) -> Result<(), String> {
    let asking = async {
        // The limit is the whole question's.
        let sender = connect(address, check.timeout, Setup::default()).await;
        let sender = sender.map_err(|reason| format!("no connection: {reason}"))?;
        match &check.probe {
            Probe::Tcp => Ok(()),
            Probe::Http { path, authority, expected } => {
                let status = get(sender, path, authority.as_deref().unwrap_or(service)).await?;
                let well = expected.iter().any(|(first, last)| (*first..=*last).contains(&status.as_u16()));
                if well { Ok(()) } else { Err(format!("{path} is answered {}", status.as_u16())) }
            }
        }
    };
    timeout(check.timeout, asking).await.unwrap_or_else(|_| Err(format!("no answer within {:?}", check.timeout)))
}

async fn get(
    mut sender: hyper::client::conn::http1::SendRequest<ProxyBody>,
    path: &str,
    authority: &str,
) -> Result<StatusCode, String> {
    let request = Request::get(path)
        .header(HOST, authority)
        .header(USER_AGENT, "sluice-health-check")
        .header(CONNECTION, "close")
        .body(ProxyBody::empty())
        .map_err(|error| error.to_string())?;
    sender.send_request(request).await.map(|response| response.status()).map_err(|error| format!("no answer: {error}"))
}
