//! When a try is worth repeating, and how long to wait before it.

use crate::error::RequestError;
use crate::wasm::types::{RetryCondition, RetryPolicy};
use http::{HeaderMap, StatusCode};
use std::time::Duration;

/// How a try ended.
#[derive(Debug, Clone, Copy)]
pub enum TryOutcome<'a> {
    /// With a response.
    Response(StatusCode, &'a HeaderMap),
    /// Without one.
    Failed(&'a RequestError),
}

/// Whether any of the conditions fires on the outcome.
pub fn fires(policy: &RetryPolicy, outcome: TryOutcome<'_>) -> bool {
    policy.conditions.iter().any(|condition| match outcome {
        TryOutcome::Response(status, headers) => fires_on_response(condition, status, headers),
        TryOutcome::Failed(error) => fires_on_error(condition, error),
    })
}

fn fires_on_response(condition: &RetryCondition, status: StatusCode, headers: &HeaderMap) -> bool {
    match condition {
        RetryCondition::ServerError => status.is_server_error(),
        RetryCondition::GatewayError => matches!(status.as_u16(), 502..=504),
        RetryCondition::Conflict => status == StatusCode::CONFLICT,
        RetryCondition::Status(wanted) => status.as_u16() == *wanted,
        RetryCondition::GrpcStatus(wanted) => {
            let found = headers.get("grpc-status").and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
            found == Some(*wanted)
        }
        _ => false,
    }
}

fn fires_on_error(condition: &RetryCondition, error: &RequestError) -> bool {
    match condition {
        RetryCondition::ConnectFailure | RetryCondition::ResetBeforeRequest => {
            matches!(error, RequestError::ConnectFailed { .. })
        }
        RetryCondition::Reset => matches!(error, RequestError::Reset { .. } | RequestError::Deadline { .. }),
        RetryCondition::ServerError => matches!(
            error,
            RequestError::Reset { .. } | RequestError::Deadline { .. } | RequestError::ConnectFailed { .. }
        ),
        // An upstream that is not reached counts as a bad gateway (Envoy, `gateway-error`).
        RetryCondition::GatewayError => matches!(error, RequestError::Reset { .. } | RequestError::Deadline { .. }),
        _ => false,
    }
}

/// Whether the policy may ever repeat a request that has been sent, so that a copy has to be kept.
pub fn needs_copy(policy: &RetryPolicy, headers: &HeaderMap) -> bool {
    let grpc = || {
        let content_type = headers.get(http::header::CONTENT_TYPE);
        content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
    };
    policy.attempts > 0
        && policy.conditions.iter().any(|condition| match condition {
            RetryCondition::ConnectFailure | RetryCondition::RefusedStream | RetryCondition::ResetBeforeRequest => {
                false
            }
            RetryCondition::GrpcStatus(_) => grpc(),
            _ => true,
        })
}

/// The wait before retry `n`, from 1: uniform in `[0, (2^n - 1) * base)`, at most ten times the base (Envoy's
/// `retry_back_off`).
pub fn backoff(base: u64, n: u32) -> Duration {
    let ceiling = base.saturating_mul(10);
    let span = base.saturating_mul(1_u64.checked_shl(n).map_or(u64::MAX, |power| power - 1)).min(ceiling);
    Duration::from_millis(if span == 0 { 0 } else { fastrand::u64(..span) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use RetryCondition as On;

    fn policy(condition: RetryCondition) -> RetryPolicy {
        RetryPolicy { attempts: 1, conditions: vec![condition], per_try_timeout: None, backoff: 25 }
    }

    #[test]
    fn a_response_fires_the_conditions_that_name_its_status() {
        let table = [
            (On::ServerError, 500, true),
            (On::ServerError, 404, false),
            (On::GatewayError, 502, true),
            (On::GatewayError, 503, true),
            (On::GatewayError, 504, true),
            (On::GatewayError, 500, false),
            (On::Conflict, 409, true),
            (On::Conflict, 400, false),
            (On::Status(418), 418, true),
            (On::Status(418), 503, false),
            (On::Reset, 503, false),
            (On::ConnectFailure, 503, false),
        ];
        for (condition, status, expected) in table {
            let status = StatusCode::from_u16(status).unwrap();
            let outcome = TryOutcome::Response(status, &HeaderMap::new());
            assert_eq!(fires(&policy(condition.clone()), outcome), expected, "{condition:?} on {status}");
        }
    }

    #[test]
    fn a_failure_fires_the_conditions_that_name_it() {
        let refused = RequestError::ConnectFailed { endpoint: "e".into(), reason: "r".into() };
        let reset = RequestError::Reset { endpoint: "e".into() };
        let late = RequestError::Deadline { milliseconds: 1 };
        let gone = RequestError::ClientGone;
        let table = [
            (On::ConnectFailure, &refused, true),
            (On::ConnectFailure, &reset, false),
            (On::Reset, &reset, true),
            (On::Reset, &late, true),
            (On::Reset, &refused, false),
            (On::ServerError, &refused, true),
            (On::ServerError, &reset, true),
            (On::GatewayError, &late, true),
            (On::Status(503), &reset, false),
            (On::ServerError, &gone, false),
        ];
        for (condition, error, expected) in table {
            let outcome = TryOutcome::Failed(error);
            assert_eq!(fires(&policy(condition.clone()), outcome), expected, "{condition:?} on {error:?}");
        }
    }

    #[test]
    fn grpc_status_is_read_from_the_headers() {
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), "14".parse().unwrap())]);
        assert!(fires(&policy(On::GrpcStatus(14)), TryOutcome::Response(StatusCode::OK, &headers)));
        assert!(!fires(&policy(On::GrpcStatus(1)), TryOutcome::Response(StatusCode::OK, &headers)));
    }

    #[test]
    fn the_backoff_stays_under_ten_times_its_base() {
        for n in 0..80 {
            for _ in 0..50 {
                let wait = backoff(25, n);
                assert!(wait < Duration::from_millis(250));
                assert!(n > 1 || wait < Duration::from_millis(25));
            }
        }
    }
}
