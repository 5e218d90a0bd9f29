//! How a call of a filter can fail.

use super::bound::Bound;
use super::report::Frame;
use crate::config::limits;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

/// What went wrong in a call. The instance is gone; the filter itself may go on with a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Failure {
    /// The sort of failure.
    pub kind: FailureKind,
    /// What is known of it, the guest's own last words included.
    pub message: String,
    /// What it ran against, where that is one of the bounds.
    pub bound: Option<Bound>,
    /// Where the guest was, the innermost function first; empty where it had returned.
    pub frames: Box<[Frame]>,
}

/// The sort of failure, as logs and metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The guest trapped: a panic, an invalid access, a stack overflow.
    Trap,
    /// It ran over its deadline.
    Deadline,
    /// It asked for more memory than it may have, and then gave up.
    Memory,
    /// It asked for something that it was not granted.
    Denied,
    /// It decided more than it may.
    Limit,
    /// It returned a decision that cannot be carried out.
    Invalid,
    /// No instance could be made.
    Instantiate,
    /// Filters together have all the memory, or all the instances, that they may: none of its own doing.
    Crowded,
    /// It was not called, as it failed again and again before.
    Quarantined,
}

impl FailureKind {
    /// A stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Denied => "denied",
            Self::Limit => "limit",
            Self::Invalid => "invalid",
            Self::Instantiate => "instantiate",
            Self::Crowded => "crowded",
            Self::Quarantined => "quarantined",
        }
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Returned by a host function to end a call whose guest reached for what it was not granted.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what} is not granted")]
pub struct Denied {
    /// What it reached for.
    pub what: String,
    /// What that is counted as.
    pub bound: Bound,
}

/// What the store knows of a call that failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Memory that was asked for in vain, in bytes.
    pub(super) memory: Option<usize>,
    /// Whether memory was asked for that others have.
    pub(super) crowded: bool,
    /// Table elements that were asked for in vain.
    pub(super) table: Option<usize>,
    /// The end of what the guest wrote.
    pub(super) last_words: &'a str,
}

/// The start of the engine's message about more data than a call may hand over; the error has no type of its own.
const TOO_MUCH_DATA: &str = "too much data is being copied between the host and the guest";

impl Failure {
    /// A failure that is about none of the bounds.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), bound: None, frames: Box::default() }
    }

    /// A decision that cannot be carried out.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Invalid, message)
    }

    /// A decision that is too large.
    pub fn over(bound: Bound, found: usize, most: usize) -> Self {
        let message = format!("{found} {bound}, more than {most}{}", advice(bound));
        Self { bound: Some(bound), ..Self::new(FailureKind::Limit, message) }
    }

    /// A header that it puts together is longer than what is left of the bytes of its edits.
    pub fn too_long(most: usize) -> Self {
        let bound = Bound::EditBytes;
        let message =
            format!("a header of a response was left out: put together, more than {most} {bound}{}", advice(bound));
        Self { bound: Some(bound), ..Self::new(FailureKind::Limit, message) }
    }

    /// It is left out for its failures.
    pub(super) fn quarantined() -> Self {
        Self::new(FailureKind::Quarantined, "it is in quarantine for its failures")
    }

    /// No more calls for a request that has taken the filter too long.
    pub fn out_of_time() -> Self {
        let bound = Bound::RequestTime;
        let message = format!("its calls for one request took too long{}", advice(bound));
        Self { bound: Some(bound), ..Self::new(FailureKind::Deadline, message) }
    }

    /// A decision that names what the filter may not reach.
    pub(super) fn not_granted(bound: Bound, name: &str) -> Self {
        let does = match bound {
            Bound::Call => "calls",
            Bound::Publish => "publishes to",
            _ => "forwards to",
        };
        // It may be of any length.
        let name = &name[..name.floor_char_boundary(LONGEST_NAME)];
        let message =
            format!("it {does} {name:?}, which is not granted: add it to `{bound}` of `grants` in its Filter document");
        Self { bound: Some(bound), ..Self::new(FailureKind::Denied, message) }
    }

    /// Reads a failure out of the engine's error and of what the store knows of the call.
    pub(super) fn of_call(error: &wasmtime::Error, known: Known<'_>) -> Self {
        let (kind, bound, mut message) = cause(error, known);
        let last_words = known.last_words.trim_end();
        if !last_words.is_empty() {
            message.push_str("; it said: ");
            message.push_str(last_words);
        }
        let frames = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
        Self { kind, message, bound, frames }
    }

    /// The same of an instance that could not be made.
    pub(super) fn of_instance(error: &wasmtime::Error, known: Known<'_>) -> Self {
        let cause = error.root_cause().to_string();
        // The engine's words, which have no type of their own; a component of more parts than it may have.
        if cause.contains("resource limit exceeded") {
            let message = format!("it is made of too many parts: {cause}");
            return Self { bound: Some(Bound::Instances), ..Self::new(FailureKind::Instantiate, message) };
        }
        let failure = Self::of_call(error, known);
        if failure.kind == FailureKind::Crowded {
            return failure;
        }
        Self { kind: FailureKind::Instantiate, message: format!("{}: {}", failure.kind, failure.message), ..failure }
    }
}

/// What it was, what it ran against, and how that is said.
fn cause(error: &wasmtime::Error, known: Known<'_>) -> (FailureKind, Option<Bound>, String) {
    if let Some(Denied { what, bound }) = error.downcast_ref::<Denied>() {
        return (FailureKind::Denied, Some(*bound), format!("{what} is not granted"));
    }
    if error.is::<PoolConcurrencyLimitError>() {
        let message = format!(
            "filters together have all the instances that they may, {}: each has one for every worker and one more, so fewer \
             `workers` in the proxy's configuration make room",
            limits::FILTER_INSTANCES
        );
        return (FailureKind::Crowded, Some(Bound::FilterInstances), message);
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::Interrupt) {
        return (FailureKind::Deadline, Some(Bound::Deadline), "it ran too long".into());
    }
    // With or without a trap: the engine's own words are about what the guest's allocator could not do.
    if let Some(wanted) = known.memory {
        let mebibytes = wanted >> 20;
        let message = format!("it wanted {mebibytes} MiB of memory, more than it may have{}", advice(Bound::Memory));
        return (FailureKind::Memory, Some(Bound::Memory), message);
    }
    if known.crowded {
        let message = "filters together have all the memory that they may: `limits: {filter-memory: SIZE}` in the proxy's \
                       configuration grants more";
        return (FailureKind::Crowded, Some(Bound::FilterMemory), message.into());
    }
    if let Some(wanted) = known.table {
        let message = format!("it wanted {wanted} table elements, more than it may have{}", advice(Bound::Table));
        return (FailureKind::Memory, Some(Bound::Table), message);
    }
    let cause = error.root_cause().to_string();
    if cause.starts_with(TOO_MUCH_DATA) {
        let message = format!("it hands over more data than it may{}", advice(Bound::Decision));
        return (FailureKind::Limit, Some(Bound::Decision), message);
    }
    match trap {
        Some(Trap::StackOverflow) => (FailureKind::Trap, Some(Bound::Stack), "its stack overflowed".into()),
        Some(trap) => (FailureKind::Trap, None, trap.to_string()),
        None => (FailureKind::Trap, None, cause),
    }
}

/// Which setting changes a bound, if any does.
fn advice(bound: Bound) -> String {
    bound
        .setting()
        .map(|setting| format!(": `{}` in its Filter document grants more", setting.replace('/', ".")))
        .unwrap_or_default()
}

/// A name of a filter's making is quoted up to here, in bytes: a host's is no longer (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 255;
/// The functions of the guest, those included that the compiler has put into others.
fn frames(backtrace: &WasmBacktrace) -> Box<[Frame]> {
    let mut frames = Vec::new();
    for frame in backtrace.frames() {
        let name = |name: Option<&str>| name.map(|name| format!("{:#}", rustc_demangle::demangle(name)));
        if frame.symbols().is_empty() {
            frames.push(Frame { function: name(frame.func_name()), file: None, line: None });
        }
        for symbol in frame.symbols() {
            let function = name(symbol.name().or(frame.func_name()));
            frames.push(Frame { function, file: symbol.file().map(str::to_owned), line: symbol.line() });
        }
    }
    frames.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::component::{Component, Linker};
    use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

    /// A component that has nothing in it.
    const EMPTY: [u8; 8] = *b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_full_pool_is_no_filters_fault() {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(1).max_memory_size(1 << 16);
        let mut config = Config::new();
        config.memory_reservation(1 << 16).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_binary(&engine, &EMPTY).unwrap();
        let linker = Linker::<()>::new(&engine);
        let (mut one, mut other) = (Store::new(&engine, ()), Store::new(&engine, ()));
        linker.instantiate(&mut one, &component).unwrap();
        let error = linker.instantiate(&mut other, &component).unwrap_err();
        // What the guest asked for in vain before is not why.
        let known = Known { memory: Some(1), crowded: false, table: None, last_words: "" };
        let failure = Failure::of_instance(&error, known);
        assert_eq!((failure.kind, failure.bound), (FailureKind::Crowded, Some(Bound::FilterInstances)), "{failure}");
        assert!(
            failure.message.starts_with("filters together have all the instances that they may, 1000"),
            "{failure}"
        );
    }
}
