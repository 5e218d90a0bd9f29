//! Every limit, with its default and the reason for it.

use std::time::Duration;

/// The largest guest memory: room for a language runtime, far below what would hurt the host.
pub const FILTER_MEMORY: usize = 64 << 20;
/// One hook's share of a worker's time: a filter call costs microseconds, so this is only ever met by a broken one.
pub const FILTER_DEADLINE: Duration = Duration::from_millis(10);
/// `configure` may parse large documents and runs off the request path.
pub const CONFIGURE_DEADLINE: Duration = Duration::from_secs(1);
/// Buffered for a filter that asks for the body (`inspect-body`), unless it is granted more.
pub const INSPECTED_BODY: u64 = 256 << 10;
/// Largest component file: stock filters are a tenth of a megabyte, language runtimes up to 18 MB are refused.
pub const COMPONENT_SIZE: u64 = 16 << 20;
/// Calls of an instance before it is replaced, which bounds what a leak can cost.
pub const INSTANCE_CALLS: u32 = 100_000;

/// Connections in total: at some 40 kB each, far below what a small machine has.
pub const CONNECTIONS: usize = 10_000;
/// Connections of one client address, so that one client cannot take them all.
pub const CONNECTIONS_PER_ADDRESS: usize = 256;
/// For what is in flight when the proxy is asked to end.
pub const DRAIN: Duration = Duration::from_secs(30);
