//! How a call of a filter can fail.

use super::report::Frame;
use wasmtime::{Trap, WasmBacktrace};

/// What went wrong in a call. The instance is gone; the filter itself may go on with a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Failure {
    /// The sort of failure.
    pub kind: FailureKind,
    /// What is known of it, the guest's own last words included.
    pub message: String,
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
    /// It returned a decision that cannot be carried out.
    Invalid,
    /// No instance could be made.
    Instantiate,
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
            Self::Invalid => "invalid",
            Self::Instantiate => "instantiate",
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
#[error("{0} is not granted")]
pub struct Denied(pub String);

impl Failure {
    /// A failure outside the guest.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), frames: Box::default() }
    }

    /// A decision that cannot be carried out.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Invalid, message)
    }

    /// Reads a failure out of the engine's error and of what the store knows of the call.
    pub(super) fn of_call(error: &wasmtime::Error, memory_refused: Option<usize>, last_words: &str) -> Self {
        let said = if last_words.is_empty() { String::new() } else { format!("; it said: {}", last_words.trim_end()) };
        let (kind, message) = match (error.downcast_ref::<Denied>(), error.downcast_ref::<Trap>(), memory_refused) {
            (Some(Denied(what)), _, _) => (FailureKind::Denied, format!("{what} is not granted")),
            (_, Some(Trap::Interrupt), _) => (FailureKind::Deadline, "it ran too long".to_owned()),
            // With or without a trap: the engine's own words are about what the guest's allocator could not do.
            (_, _, Some(wanted)) => {
                let mebibytes = wanted >> 20;
                let message = format!(
                    "it wanted {mebibytes} MiB of memory, more than it may have: `memory` in its Filter document grants more"
                );
                (FailureKind::Memory, message)
            }
            (_, Some(trap), None) => (FailureKind::Trap, trap.to_string()),
            (_, None, None) => (FailureKind::Trap, format!("{:#}", error.root_cause())),
        };
        let frames = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
        Self { kind, message: message + &said, frames }
    }
}

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
