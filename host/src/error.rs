//! What can go wrong with a request, on which side, and which status each failure becomes.

use crate::shed::{Shed, ShedReason};
use http::StatusCode;
use std::sync::Arc;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client, or the way to it.
    Downstream,
    /// The service, or the way to it.
    Upstream,
    /// A filter.
    Filter,
    /// The proxy itself.
    Internal,
}

/// What a client is answered when a filter fails that may not be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureAnswer {
    /// The status.
    pub status: http::StatusCode,
    /// The body.
    pub body: String,
    /// Its type.
    pub content_type: http::HeaderValue,
}

/// Why a request could not be carried out. Names follow RFC 9209, section 2.3, where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The message breaks a rule of HTTP that the proxy insists on.
    #[error("{0}")]
    BadRequest(&'static str),
    /// The head, or one of its parts, is over its limit.
    #[error("{0}")]
    HeadTooLarge(&'static str),
    /// The host belongs to another TLS server than the connection.
    #[error("the host belongs to another server than the one that the connection was made to")]
    Misdirected,
    /// The body is over its limit.
    #[error("the request body is over {limit} bytes")]
    BodyTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The client was too slow.
    #[error("the request did not arrive in time")]
    RequestTimeout,
    /// A method or transfer coding that the proxy does not implement.
    #[error("{0}")]
    NotImplemented(&'static str),
    /// A version other than HTTP/1.0, HTTP/1.1 and HTTP/2.
    #[error("HTTP version not supported")]
    VersionNotSupported,
    /// The client went away before the answer.
    #[error("the client closed the connection")]
    ClientGone,
    /// There is no room for it.
    #[error(transparent)]
    Overloaded(#[from] Shed),
    /// No filter decided and the authority names no known service.
    #[error("no filter decided on the request and no service is called {authority:?}")]
    NoRoute {
        /// The authority of the request.
        authority: String,
    },
    /// The destination is not known, or has no endpoint.
    #[error("no endpoint is known for {destination}")]
    NoEndpoint {
        /// The destination's name.
        destination: String,
    },
    /// The destination has no such subset.
    #[error("{destination} has no subset {subset:?}: no DestinationRule for it names one")]
    UnknownSubset {
        /// The destination's name.
        destination: String,
        /// The subset's.
        subset: String,
    },
    /// A route of a Gateway names a destination that is not known. What serves the world says that it is set up wrongly,
    /// not that it is busy (Gateway API, HTTPBackendRef; Istio does the same).
    #[error("{reason}")]
    BadRoute {
        /// What is not known.
        reason: String,
    },
    /// All endpoints of the destination are out: ejected for their failures, or found unwell.
    #[error("no endpoint of {destination} is healthy")]
    NoHealthyEndpoint {
        /// The destination's name.
        destination: String,
    },
    /// A limit that the destination's policy sets is met.
    #[error("{destination} has too much to do: too many {limit}")]
    UpstreamOverloaded {
        /// The destination's name.
        destination: String,
        /// What there are too many of.
        limit: &'static str,
    },
    /// No connection could be made.
    #[error("connection to {endpoint} failed: {reason}")]
    ConnectFailed {
        /// The address.
        endpoint: String,
        /// What the system said.
        reason: String,
    },
    /// A connection was made, but TLS was not agreed on.
    #[error("TLS with {endpoint} failed: {reason}")]
    HandshakeFailed {
        /// The address.
        endpoint: String,
        /// What was wrong.
        reason: String,
    },
    /// The upstream closed the connection before a response.
    #[error("{endpoint} closed the connection before a response")]
    Reset {
        /// The address.
        endpoint: String,
    },
    /// The upstream ended the request's stream before a response.
    #[error("{endpoint} reset the stream before a response: {reason}")]
    StreamReset {
        /// The address.
        endpoint: String,
        /// What the error code means.
        reason: String,
    },
    /// The upstream's response is not HTTP.
    #[error("{endpoint} sent a response that is not valid HTTP: {reason}")]
    BadResponse {
        /// The address.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A deadline passed before the response.
    #[error("no response within {milliseconds} ms")]
    Deadline {
        /// The deadline.
        milliseconds: u64,
    },
    /// A filter failed and is not allowed to fail open.
    #[error("filter {filter} failed: {reason}")]
    Filter {
        /// The filter's name.
        filter: String,
        /// Such as `trap`.
        reason: String,
        /// What the operator wants the client to be answered.
        answer: Option<Arc<FailureAnswer>>,
    },
    /// A channel cannot take the event.
    #[error("channel {channel} does not take the event: {reason}")]
    Publish {
        /// The channel's name.
        channel: String,
        /// Such as `its queue is full`.
        reason: String,
    },
    /// The event that was made of the request is none that the channel can take, now or later.
    #[error("channel {channel} does not take the event: {reason}")]
    EventRefused {
        /// The channel's name.
        channel: String,
        /// Such as `it is larger than the server takes`.
        reason: String,
    },
    /// The proxy's own code failed.
    #[error("the proxy failed on this request")]
    Fault,
    /// The store of a channel has no space for the event.
    #[error("channel {channel} does not take the event: {reason}")]
    StorageFull {
        /// The channel's name.
        channel: String,
        /// What the store says.
        reason: String,
    },
}

impl RequestError {
    /// Whose fault it is.
    pub fn side(&self) -> Side {
        match self {
            Self::BadRequest(_)
            | Self::EventRefused { .. }
            | Self::HeadTooLarge(_)
            | Self::Misdirected
            | Self::BodyTooLarge { .. }
            | Self::RequestTimeout
            | Self::NotImplemented(_)
            | Self::VersionNotSupported
            | Self::ClientGone => Side::Downstream,
            Self::Overloaded(shed) if shed.reason.is_of_client() => Side::Downstream,
            Self::Overloaded(Shed { reason: ShedReason::Service, .. })
            | Self::NoEndpoint { .. }
            | Self::UnknownSubset { .. }
            | Self::NoHealthyEndpoint { .. }
            | Self::UpstreamOverloaded { .. }
            | Self::ConnectFailed { .. }
            | Self::HandshakeFailed { .. }
            | Self::Reset { .. }
            | Self::StreamReset { .. }
            | Self::BadResponse { .. }
            | Self::Deadline { .. } => Side::Upstream,
            Self::Filter { .. } => Side::Filter,
            Self::Overloaded(_)
            | Self::Fault
            | Self::NoRoute { .. }
            | Self::BadRoute { .. }
            | Self::Publish { .. }
            | Self::StorageFull { .. } => Side::Internal,
        }
    }

    /// Whether it is what a filter decided that cannot be carried out.
    pub fn is_of_decision(&self) -> bool {
        matches!(
            self,
            Self::NoEndpoint { .. } | Self::UnknownSubset { .. } | Self::BadRoute { .. } | Self::EventRefused { .. }
        )
    }

    /// Why it was refused so that others could be served, if it was.
    pub fn shed(&self) -> Option<Shed> {
        match self {
            Self::Overloaded(shed) => Some(*shed),
            _ => None,
        }
    }

    /// The status that the client gets.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::EventRefused { .. } => StatusCode::BAD_REQUEST,
            Self::HeadTooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RequestTimeout | Self::ClientGone => StatusCode::REQUEST_TIMEOUT,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::VersionNotSupported => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::NoRoute { .. } => StatusCode::NOT_FOUND,
            Self::BadRoute { .. } | Self::Fault => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadResponse { .. } => StatusCode::BAD_GATEWAY,
            Self::Deadline { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::StorageFull { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::Filter { answer: Some(answer), .. } => answer.status,
            Self::Overloaded(shed) if shed.reason.is_of_client() => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded(_)
            | Self::NoEndpoint { .. }
            | Self::UnknownSubset { .. }
            | Self::NoHealthyEndpoint { .. }
            | Self::UpstreamOverloaded { .. }
            | Self::ConnectFailed { .. }
            | Self::HandshakeFailed { .. }
            | Self::Reset { .. }
            | Self::StreamReset { .. }
            | Self::Filter { .. }
            | Self::Publish { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A stable word for logs and metrics, after RFC 9209 where it has one.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "http_request_error",
            Self::HeadTooLarge(_) => "http_request_header_size",
            Self::Misdirected => "http_request_misdirected",
            Self::BodyTooLarge { .. } => "http_request_body_size",
            Self::RequestTimeout => "http_request_timeout",
            Self::NotImplemented(_) => "http_request_not_implemented",
            Self::VersionNotSupported => "http_version_not_supported",
            Self::ClientGone => "client_gone",
            Self::Overloaded(shed) if shed.reason.is_of_client() => "client_limit_reached",
            Self::Overloaded(Shed { reason: ShedReason::Service, .. }) => "destination_overloaded",
            Self::Overloaded(_) => "proxy_overloaded",
            Self::NoRoute { .. } => "no_route",
            Self::NoEndpoint { .. } | Self::UnknownSubset { .. } | Self::BadRoute { .. } => "destination_not_found",
            Self::NoHealthyEndpoint { .. } => "destination_unavailable",
            Self::UpstreamOverloaded { .. } => "connection_limit_reached",
            Self::ConnectFailed { .. } => "connection_refused",
            Self::HandshakeFailed { .. } => "tls_protocol_error",
            Self::Reset { .. } | Self::StreamReset { .. } => "connection_terminated",
            Self::BadResponse { .. } => "http_response_incomplete",
            Self::Deadline { .. } => "http_response_timeout",
            Self::Filter { .. } => "filter_failed",
            Self::Publish { .. } => "publish_failed",
            Self::EventRefused { .. } => "event_refused",
            Self::StorageFull { .. } => "storage_full",
            Self::Fault => "proxy_internal_error",
        }
    }
}
