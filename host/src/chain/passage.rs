//! Connections that are passed on undecrypted: filters say where to, as they do for requests.

use super::Chain;
use super::failure::{Failing, failed};
use super::link::{Link, Stopwatch};
use crate::error::RequestError;
use crate::request::RequestId;
use crate::telemetry::trace::Parent;
use crate::telemetry::{CallResult, Phase};
use crate::wasm::connection_filter::{Connection, ConnectionDecision};
use crate::wasm::types::Destination;
use std::net::SocketAddr;

/// A connection of which no more is known than its handshake says.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    /// The name that the client asks for, in lower case.
    pub name: &'a str,
    /// The listener's port as declared.
    pub port: u16,
    /// The address it came in on.
    pub local: SocketAddr,
    /// The client's address.
    pub peer: SocketAddr,
}

/// Where it goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Passage {
    /// There.
    To(Destination),
    /// No filter has decided: to the service of its name.
    ByName,
    /// Nowhere.
    Refused,
}

impl Chain {
    /// Asks the filters that decide on connections, one after the other.
    ///
    /// # Errors
    /// When a filter fails that may not be left out.
    pub fn pass(&self, passing: &Passing<'_>) -> Result<Passage, RequestError> {
        let deciding = |link: &&Link| link.filter.code.hooks.has_connection();
        let mut links = self.links.iter().filter(deciding).peekable();
        if links.peek().is_none() {
            return Ok(Passage::ByName);
        }
        let asked = Connection {
            id: RequestId::random().to_string(),
            server_name: passing.name.to_owned(),
            port: passing.port,
            local_address: passing.local.ip().to_canonical().to_string(),
            peer_address: passing.peer.ip().to_canonical().to_string(),
        };
        let mut watch = Stopwatch::start();
        for link in links {
            let (result, passage) = match link.filter.on_connection(&asked) {
                Ok(ConnectionDecision::Next) => (CallResult::Next, None),
                Ok(ConnectionDecision::Forward(destination)) => (CallResult::Forward, Some(Passage::To(destination))),
                Ok(ConnectionDecision::Refuse) => (CallResult::Respond, Some(Passage::Refused)),
                Err(failure) => {
                    let failing = Failing { phase: Phase::Connection, parent: &Parent::default(), request: None };
                    failed(link, &failing, &mut watch, &failure)?;
                    continue;
                }
            };
            link.metrics.observe(Phase::Connection, result, watch.lap());
            if let Some(passage) = passage {
                return Ok(passage);
            }
        }
        Ok(Passage::ByName)
    }
}
