//! The command lines of these programs, which only `cargo xtask bench` writes.

use anyhow::{Context, Result};
use std::net::SocketAddr;

/// An argument that has to be an address; `usage` is shown when it is not there.
///
/// # Errors
///
/// When it is missing or not an address with a port.
pub fn address(argument: Option<String>, usage: &'static str) -> Result<SocketAddr> {
    let text = argument.with_context(|| format!("usage: {usage}"))?;
    text.parse().with_context(|| format!("{text} is not an address such as 127.0.0.1:80"))
}
