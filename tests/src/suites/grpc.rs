//! gRPC's interoperability tests: straight at the service, through the proxy, and through a chain of filters.

use super::python::{Service, cases, text};
use super::{chain, plain};
use crate::conformance::CaseResult;
use crate::proxy::Proxy;
use std::net::SocketAddr;

const CASES: &str = "grpc_cases.py";
const SERVICE: &str = "grpc_service.py";
/// HTTP/2 without TLS, as gRPC has it.
const SCHEME: &str = "h2c://";

/// Runs all cases in all three ways; a case is called `WAY/CASE`.
///
/// # Errors
/// When the suite cannot be run.
///
/// # Panics
/// When the proxy or the suite is not there.
pub fn grpc() -> Result<Vec<CaseResult>, String> {
    let service = Service::start(SERVICE)?;
    let proxy = Proxy::start(plain(SCHEME, service.address));
    let filtered = Proxy::start(chain(SCHEME, service.address));
    let ways = [("direct", service.address), ("proxy", proxy.address()), ("filters", filtered.address())];
    let results = ways.into_iter().map(|(way, address)| of_way(way, address)).collect::<Result<Vec<_>, _>>()?;
    Ok(results.into_iter().flatten().collect())
}

fn of_way(way: &str, address: SocketAddr) -> Result<Vec<CaseResult>, String> {
    let result = |case: &serde_json::Value| CaseResult {
        name: format!("{way}/{}", text(case, "case")),
        failures: case["failure"].as_str().map(str::to_owned).into_iter().collect(),
        remark: String::new(),
    };
    Ok(cases(CASES, address)?.iter().map(result).collect())
}
