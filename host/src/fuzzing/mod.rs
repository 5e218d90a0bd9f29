//! Doors for the fuzz targets (`fuzz/`) to what nobody else outside has to do with. No part of the library's interface:
//! it may change with every commit.

pub use crate::event::store::exposed::{Files, Subscribed};

use crate::admission::Place;
use crate::body::ProxyBody;
use crate::connection::{ConnectionInfo, Flood, GateHandle, Timeouts, flood, target};
use crate::drain::Drain;
use crate::error::RequestError;
use crate::overload::admit::ClientSlot;
use crate::request::Arrival;
use crate::upstream::framing;
use crate::wasm::check::Allowed;
use crate::wasm::types::{RequestDecision, ResponseDecision};
use crate::wasm::{Bounds, Failure, Grants};
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, Request};
use std::net::{Ipv4Addr, SocketAddr};

/// A request as it is sent to an upstream that speaks HTTP/1.1.
///
/// # Errors
/// When it asks for another protocol and has a body.
pub fn frame(parts: Parts, body: ProxyBody) -> Result<Request<ProxyBody>, RequestError> {
    framing::frame(parts, body)
}

/// Whether a client may ask for this authority.
///
/// # Errors
/// With what is wrong with it.
pub fn check_authority(authority: &[u8]) -> Result<(), RequestError> {
    target::check_authority(authority)
}

/// How many bytes of a client's HTTP/2 frames pass, read in these pieces, and what the connection is flooded with when
/// not all do.
///
/// # Errors
/// With how many passed, when a frame is wrong in itself.
pub fn scan_frames<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Result<(usize, Option<Flood>), usize> {
    flood::scan(reads)
}

/// Whether a decision on a request stays within what its filter may decide.
///
/// # Errors
/// With what it goes beyond.
pub fn allow_request(grants: &Grants, bounds: &Bounds, decision: &RequestDecision) -> Result<(), Failure> {
    Allowed { grants, bounds }.request(decision)
}

/// The same for a response.
///
/// # Errors
/// With what it goes beyond.
pub fn allow_response(grants: &Grants, bounds: &Bounds, decision: &ResponseDecision) -> Result<(), Failure> {
    Allowed { grants, bounds }.response(decision)
}

/// An unencrypted connection of a client on the loopback interface.
pub fn connection(http1: bool) -> ConnectionInfo {
    let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 80);
    ConnectionInfo {
        peer: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 4000),
        local,
        arrival: Arrival::default(),
        scheme: Scheme::HTTP,
        tls: None,
        gate: http1.then(GateHandle::default),
        drain: Drain::default(),
        timeouts: Timeouts::default(),
        forwarded_for: HeaderValue::from_static("127.0.0.1"),
        client: ClientSlot::default(),
        place: Place::default(),
    }
}
