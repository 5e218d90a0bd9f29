//! Every limit, with its default and the reason for it.

use std::time::Duration;

/// Guest memory unless the operator grants more: room for a language runtime, far below what would hurt the host.
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
/// What one call may log: enough for a long message, too little to fill a disk with.
pub const FILTER_LOG: usize = 4 << 10;
/// What is kept of a guest's standard streams: a panic's message and a few lines before it.
pub const FILTER_LAST_WORDS: usize = 2 << 10;
/// Random bytes in one call: keys and nonces are far smaller.
pub const FILTER_RANDOM: usize = 4 << 10;
/// Table elements of an instance; big language runtimes have some thousands.
pub const FILTER_TABLE: usize = 20_000;
/// The guest's stack: wasmtime's own default, a tenth of a worker thread's.
pub const FILTER_STACK: usize = 512 << 10;
/// How often running guests are asked whether their time is up. Finer ticks cost wake-ups when nothing runs.
pub const FILTER_TICK: Duration = Duration::from_millis(5);
/// Instances that can live at once: workers times filters times the snapshots that requests still hold.
pub const FILTER_INSTANCES: u32 = 1_000;
/// The most guest memory that an operator can grant: what the pool reserves address space for.
pub const FILTER_MEMORY_MAX: usize = 256 << 20;
/// For a connection to an upstream: on one network it takes milliseconds.
pub const UPSTREAM_CONNECT: Duration = Duration::from_secs(2);
/// For a response's head when the route sets no timeout, so that nothing waits for ever.
pub const UPSTREAM_TOTAL: Duration = Duration::from_secs(60);
/// For the next byte of a response body.
pub const UPSTREAM_BODY_IDLE: Duration = Duration::from_secs(60);
/// How long an idle connection is kept: shorter than what servers commonly allow, so that we close first.
pub const UPSTREAM_IDLE: Duration = Duration::from_secs(30);
/// Idle connections that a worker keeps to one endpoint.
pub const UPSTREAM_IDLE_CONNECTIONS: usize = 256;
/// Headers of an upstream's response; twice what we take from clients, since upstreams are the operator's own.
pub const UPSTREAM_HEADERS: usize = 200;
/// For a call of a plan that sets no deadline.
pub const CALL_DEADLINE: Duration = Duration::from_secs(10);
/// The largest answer to a call of a plan that sets no limit: it is held in memory twice.
pub const CALL_BODY: u64 = 1 << 20;
/// Calls of one plan.
pub const PLAN_CALLS: usize = 64;
/// Plans that one request may run one after the other.
pub const PLAN_STAGES: usize = 8;
/// Silence on an upgraded connection.
pub const UPGRADED_IDLE: Duration = Duration::from_secs(300);
/// One read of an upgraded connection.
pub const SPLICE_BUFFER: usize = 16 << 10;
/// Requests being served at once; more are answered 503.
pub const IN_FLIGHT: usize = 10_000;
