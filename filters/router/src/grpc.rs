//! What gRPC makes of statuses, and how it says so without a body.

use crate::view::View;
use sluicegate_sdk::{Answer, respond};

/// The names of gRPC's statuses; each stands at its number.
const STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// Envoy's HTTP status for each of them.
const HTTP: [u16; 17] = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

const UNKNOWN: usize = 2;
const PERMISSION_DENIED: usize = 7;
const UNIMPLEMENTED: usize = 12;
const INTERNAL: usize = 13;
const UNAVAILABLE: usize = 14;
const UNAUTHENTICATED: usize = 16;

/// A status of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(usize);

impl Status {
    /// The status with this name, in capitals.
    pub fn named(name: &str) -> Option<Self> {
        STATUSES.iter().position(|known| *known == name).map(Self)
    }

    /// What an HTTP status means to a client of gRPC (gRPC over HTTP/2, "HTTP to gRPC Status Code Mapping").
    pub fn of_http(status: u16) -> Self {
        Self(match status {
            400 => INTERNAL,
            401 => UNAUTHENTICATED,
            403 => PERMISSION_DENIED,
            404 => UNIMPLEMENTED,
            429 | 502..=504 => UNAVAILABLE,
            _ => UNKNOWN,
        })
    }

    /// What it means to other clients.
    pub fn to_http(self) -> u16 {
        HTTP.get(self.0).copied().unwrap_or(500)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        STATUSES.get(self.0).copied().unwrap_or("UNKNOWN")
    }

    /// A response that has this status in its headers and nothing else, so that it needs no trailers.
    pub fn answer(self, message: &str) -> Answer {
        respond(200)
            .header("content-type", "application/grpc")
            .header("grpc-status", self.0.to_string())
            .header("grpc-message", message)
    }
}

/// Whether the client speaks gRPC.
pub fn is_spoken(view: &View<'_>) -> bool {
    let content_type = view.first_value("content-type").unwrap_or_default();
    let rest = content_type.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::TestRequest;

    #[test]
    fn statuses_have_names_numbers_and_a_meaning_in_http() {
        for (name, number, http) in [("OK", 0, 200), ("CANCELLED", 1, 499), ("UNAVAILABLE", 14, 503)] {
            let status = Status::named(name).expect(name);
            assert_eq!((status, status.to_http(), status.name()), (Status(number), http, name));
        }
        assert_eq!(Status::named("unavailable"), None);
        for (http, name) in [(503, "UNAVAILABLE"), (404, "UNIMPLEMENTED"), (418, "UNKNOWN"), (401, "UNAUTHENTICATED")] {
            assert_eq!(Status::of_http(http).name(), name);
        }
    }

    #[test]
    fn grpc_is_known_by_its_content_type() {
        let spoken = |content_type: &str| {
            is_spoken(&View::new(&TestRequest::post("/").header("content-type", content_type).request()))
        };
        assert!(spoken("application/grpc") && spoken("application/grpc+proto"));
        assert!(!spoken("application/grpc-web") && !spoken("application/json"));
        assert!(!is_spoken(&View::new(&TestRequest::post("/").request())));
    }
}
