//! When a try is worth repeating, and how long to wait before it.
//!
//! The conditions mean what they mean to Istio and to Envoy, which carries them out for it. Whether a request *can* be
//! repeated is for [`super::forward`](mod@super::forward) to know.

use crate::wasm::types::{RetryCondition, RetryPolicy};
use http::{HeaderMap, StatusCode};
use std::time::Duration;

/// The most that a wait may be, in bases of the backoff.
const BACKOFF_CEILING: u64 = 10;
/// Marks a response that a rate limit made: asking again at once would only add to what was too much.
const RATE_LIMITED: &str = "x-envoy-ratelimited";

/// How a try ended.
#[derive(Debug, Clone, Copy)]
pub enum TryOutcome<'a> {
    /// With a response.
    Response(StatusCode, &'a HeaderMap),
    /// Without one.
    Failed(Fault),
}

/// How a try ended that has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No connection could be made.
    Connect,
    /// A new connection ended before any of the request was sent.
    ResetBeforeRequest,
    /// The connection or the stream ended, or its bytes were not HTTP, before a response.
    Reset,
    /// The endpoint refused the stream unseen (`REFUSED_STREAM`; RFC 9113, section 8.7).
    Refused,
    /// The time for one try passed.
    TimedOut,
    /// For reasons that another try cannot change: the client's body, or the time for all tries.
    Final,
}

/// Whether any of the conditions fires on the outcome.
pub fn fires(policy: &RetryPolicy, outcome: TryOutcome<'_>) -> bool {
    policy.conditions.iter().any(|&condition| match outcome {
        TryOutcome::Response(status, headers) => fires_on_response(condition, status, headers),
        TryOutcome::Failed(fault) => fires_on_fault(condition, fault),
    })
}

fn fires_on_response(condition: RetryCondition, status: StatusCode, headers: &HeaderMap) -> bool {
    if headers.contains_key(RATE_LIMITED) {
        return matches!(condition, RetryCondition::RateLimited);
    }
    match condition {
        RetryCondition::ServerError => status.is_server_error(),
        RetryCondition::GatewayError => matches!(status.as_u16(), 502..=504),
        RetryCondition::Conflict => status == StatusCode::CONFLICT,
        RetryCondition::Status(wanted) => status.as_u16() == wanted,
        RetryCondition::GrpcStatus(wanted) => {
            let found = headers.get("grpc-status").and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
            found == Some(wanted)
        }
        // About the lack of a response.
        RetryCondition::ConnectFailure
        | RetryCondition::RefusedStream
        | RetryCondition::Reset
        | RetryCondition::ResetBeforeRequest
        | RetryCondition::RateLimited => false,
    }
}

fn fires_on_fault(condition: RetryCondition, fault: Fault) -> bool {
    match condition {
        RetryCondition::ConnectFailure => fault == Fault::Connect,
        RetryCondition::ResetBeforeRequest => matches!(fault, Fault::Connect | Fault::ResetBeforeRequest),
        // No answer at all counts as each of these, since the client would get a 503 or 504.
        RetryCondition::Reset | RetryCondition::ServerError | RetryCondition::GatewayError => fault != Fault::Final,
        RetryCondition::RefusedStream => fault == Fault::Refused,
        // About responses.
        RetryCondition::Conflict
        | RetryCondition::Status(_)
        | RetryCondition::GrpcStatus(_)
        | RetryCondition::RateLimited => false,
    }
}

/// Whether the policy may ever repeat a request that has been sent, so that a copy has to be kept.
pub fn needs_copy(policy: &RetryPolicy, headers: &HeaderMap) -> bool {
    let grpc = || {
        let content_type = headers.get(http::header::CONTENT_TYPE);
        content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
    };
    policy.attempts > 0
        && policy.conditions.iter().any(|&condition| match condition {
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
    let ceiling = base.saturating_mul(BACKOFF_CEILING);
    let span = base.saturating_mul(1_u64.checked_shl(n).map_or(u64::MAX, |power| power - 1)).min(ceiling);
    Duration::from_millis(if span == 0 { 0 } else { fastrand::u64(..span) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use RetryCondition as On;

    fn policy(condition: RetryCondition) -> RetryPolicy {
        RetryPolicy {
            attempts: 1,
            conditions: vec![condition],
            per_try_timeout: None,
            backoff: 25,
            ignore_previous_hosts: true,
        }
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
            assert_eq!(fires(&policy(condition), outcome), expected, "{condition:?} on {status}");
        }
    }

    #[test]
    fn a_failure_fires_the_conditions_that_name_it() {
        use Fault::{Connect, Final, Refused, Reset, ResetBeforeRequest, TimedOut};
        let table: [(On, &[Fault]); 9] = [
            (On::ConnectFailure, &[Connect]),
            (On::ResetBeforeRequest, &[Connect, ResetBeforeRequest]),
            (On::Reset, &[Connect, ResetBeforeRequest, Reset, Refused, TimedOut]),
            (On::ServerError, &[Connect, ResetBeforeRequest, Reset, Refused, TimedOut]),
            (On::GatewayError, &[Connect, ResetBeforeRequest, Reset, Refused, TimedOut]),
            (On::RefusedStream, &[Refused]),
            (On::Conflict, &[]),
            (On::Status(503), &[]),
            (On::GrpcStatus(14), &[]),
        ];
        for (condition, expected) in table {
            for fault in [Connect, ResetBeforeRequest, Reset, Refused, TimedOut, Final] {
                let fired = fires(&policy(condition), TryOutcome::Failed(fault));
                assert_eq!(fired, expected.contains(&fault), "{condition:?} on {fault:?}");
            }
        }
    }

    #[test]
    fn a_copy_is_kept_only_when_a_sent_request_could_be_repeated() {
        let plain = HeaderMap::new();
        let content_type = (http::header::CONTENT_TYPE, "application/grpc+proto".parse().unwrap());
        let grpc = HeaderMap::from_iter([content_type]);
        let istio = RetryPolicy {
            attempts: 2,
            conditions: vec![On::ConnectFailure, On::RefusedStream, On::GrpcStatus(14), On::GrpcStatus(1)],
            per_try_timeout: None,
            backoff: 25,
            ignore_previous_hosts: true,
        };
        assert!(!needs_copy(&istio, &plain));
        assert!(needs_copy(&istio, &grpc));
        assert!(needs_copy(&policy(On::Status(503)), &plain));
        assert!(!needs_copy(&policy(On::ResetBeforeRequest), &plain));
    }

    #[test]
    fn a_response_of_a_rate_limit_fires_only_the_condition_that_names_it() {
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static(RATE_LIMITED), "true".parse().unwrap())]);
        let limited = TryOutcome::Response(StatusCode::TOO_MANY_REQUESTS, &headers);
        assert!(fires(&policy(On::RateLimited), limited));
        assert!(!fires(&policy(On::Status(429)), limited));
        let plain = HeaderMap::new();
        assert!(!fires(&policy(On::RateLimited), TryOutcome::Response(StatusCode::TOO_MANY_REQUESTS, &plain)));
        assert!(needs_copy(&policy(On::RateLimited), &plain));
    }

    #[test]
    fn grpc_status_is_read_from_the_headers() {
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), "14".parse().unwrap())]);
        assert!(fires(&policy(On::GrpcStatus(14)), TryOutcome::Response(StatusCode::OK, &headers)));
        assert!(!fires(&policy(On::GrpcStatus(1)), TryOutcome::Response(StatusCode::OK, &headers)));
    }

    #[test]
    fn the_backoff_grows_with_every_retry() {
        let longest = |n| (0..400).map(|_| backoff(100, n)).max().unwrap();
        assert!(longest(1) < Duration::from_millis(100));
        assert!(longest(2) >= Duration::from_millis(150) && longest(2) < Duration::from_millis(300));
        assert!(longest(3) >= Duration::from_millis(400) && longest(3) < Duration::from_millis(700));
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
