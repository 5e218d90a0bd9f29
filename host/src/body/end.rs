//! How bodies end.

use crate::json::NotJson;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection failed or the framing is wrong.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// It is over its limit.
    #[error("the body is over {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It has to be JSON and is not.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// The peer was silent for too long, or the whole took too long.
    #[error("the body did not arrive in time")]
    Timeout,
    /// The proxy's own code failed on it.
    #[error("the proxy failed on the body")]
    Fault,
    /// The request is malformed, and has been answered.
    #[error("the request is malformed")]
    Malformed(#[source] h2::Error),
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyEnd {
    /// The bytes that went through.
    pub bytes: u64,
    /// Why no more came.
    pub how: Ending,
}

impl BodyEnd {
    /// Whether that was all that was wanted.
    pub fn is_complete(&self) -> bool {
        self.how == Ending::Complete
    }
}

/// Why no more came of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// That was all.
    Complete,
    /// It failed.
    Failed,
    /// Its reader went away.
    Abandoned,
}
