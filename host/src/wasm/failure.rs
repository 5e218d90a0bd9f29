//! How a call of a filter can fail.

use wasmtime::Trap;

/// What went wrong in a call. The instance is gone; the filter itself may go on with a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Failure {
    /// The sort of failure.
    pub kind: FailureKind,
    /// What is known of it, the guest's own last words included.
    pub message: String,
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
    /// A decision that cannot be carried out.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Invalid, message: message.into() }
    }

    /// Reads a failure out of the engine's error and of what the store knows of the call.
    pub(super) fn of_call(error: &wasmtime::Error, memory_refused: Option<usize>, last_words: &str) -> Self {
        let said = if last_words.is_empty() { String::new() } else { format!("; it said: {}", last_words.trim_end()) };
        if let Some(Denied(what)) = error.downcast_ref::<Denied>() {
            return Self { kind: FailureKind::Denied, message: format!("{what} is not granted{said}") };
        }
        match (error.downcast_ref::<Trap>(), memory_refused) {
            (Some(Trap::Interrupt), _) => {
                Self { kind: FailureKind::Deadline, message: format!("it ran too long{said}") }
            }
            // With or without a trap: the engine's own words are about what the guest's allocator could not do.
            (_, Some(wanted)) => {
                let message = format!(
                    "it wanted {} MiB of memory, more than it may have: `memory` in its Filter document grants more{said}",
                    wanted >> 20
                );
                Self { kind: FailureKind::Memory, message }
            }
            (Some(trap), None) => Self { kind: FailureKind::Trap, message: format!("{trap}{said}") },
            (None, None) => Self { kind: FailureKind::Trap, message: format!("{:#}{said}", error.root_cause()) },
        }
    }
}
