//! TLS: certificates and keys, what a listener does with a handshake, and what is asked of an upstream in one.
//!
//! Nothing here reads files or manifests: [`crate::gateway`] does, and says what is wrong with them. Keys are never
//! part of an error or of a `Debug` text.

pub mod certificate;
pub mod client;
mod clients;
mod names;
pub mod server;
mod session;
#[cfg(test)]
pub(crate) mod testing;

pub use certificate::{CertificateError, Part};
pub use clients::{Authorities, ClientPins, Clients};
pub use names::{HostIndex, HostPattern};
pub use server::{Action, Server, Servers};
pub use session::{Greeted, HandshakeError, Session, accept, refuse_name, version_name};

use rustls::crypto::CryptoProvider;
use std::sync::{Arc, LazyLock};

/// The protocols of a listener, in the order of its preference (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

/// The cryptography that everything here uses.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
}
