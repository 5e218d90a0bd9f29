//! What came of a call, as the contract has it.

use super::fetch::{Response, ResponseBody};
use crate::body::BodyError;
use crate::error::RequestError;
use crate::wasm::types::{CallError, CallResponse, Header};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, response};

/// A response as the contract has it.
pub fn response(parts: &response::Parts, body: Bytes) -> CallResponse {
    let header = |(name, value): (&HeaderName, &HeaderValue)| Header {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_vec(),
    };
    CallResponse {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().map(header).collect(),
        body: body.into(),
    }
}

/// What the contract calls the failure of a request.
pub fn of_error(error: &RequestError) -> CallError {
    match error {
        RequestError::Deadline { .. } => CallError::Deadline,
        RequestError::NoEndpoint { .. } | RequestError::UnknownSubset { .. } => CallError::NoEndpoint,
        RequestError::ConnectFailed { .. }
        | RequestError::HandshakeFailed { .. }
        | RequestError::NoHealthyEndpoint { .. }
        | RequestError::UpstreamOverloaded { .. }
        | RequestError::Overloaded(_) => CallError::Refused,
        _ => CallError::Reset,
    }
}

/// What the contract calls the failure of a response's body.
pub fn of_body(error: &BodyError) -> CallError {
    match error {
        BodyError::TooLarge { .. } => CallError::TooLarge,
        BodyError::Timeout => CallError::Deadline,
        BodyError::NotJson(_) => CallError::NotJson,
        BodyError::Http(_) | BodyError::Malformed(_) | BodyError::Fault => CallError::Reset,
    }
}

/// A stable word for the failure of a response's body, as the contract spells it.
pub fn of_fault(error: &BodyError) -> &'static str {
    word(&of_body(error))
}

/// A stable word for an error, as the contract spells it.
pub fn word(error: &CallError) -> &'static str {
    match error {
        CallError::Deadline => "deadline",
        CallError::NoEndpoint => "no-endpoint",
        CallError::Refused => "refused",
        CallError::Reset => "reset",
        CallError::TooLarge => "too-large",
        CallError::Cancelled => "cancelled",
        CallError::NotJson => "not-json",
        CallError::Status(_) => "status",
    }
}

impl Response {
    /// The body, where it is here.
    pub(super) fn whole(&self) -> Option<&Bytes> {
        if let ResponseBody::Whole(body) = &self.body { Some(body) } else { None }
    }

    /// The body, where it streams.
    pub(super) fn into_held(self) -> Option<Box<super::Held>> {
        if let ResponseBody::Held(held) = self.body { Some(held) } else { None }
    }

    /// The contract's response. A body that streams is not in it.
    pub(super) fn into_contract(self) -> (CallResponse, Option<Box<super::Held>>) {
        match self.body {
            ResponseBody::Whole(body) => (response(&self.head, body), None),
            ResponseBody::Held(held) => (response(&self.head, Bytes::new()), Some(held)),
        }
    }
}
