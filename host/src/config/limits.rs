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
