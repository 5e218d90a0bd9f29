//! When a request is tried again.

use crate::code;
use crate::config::Retries;
use crate::duration;
use crate::report::{Place, Report};
use sluicegate_sdk::{RetryCondition, RetryPolicy};

/// Istio retries unless told otherwise.
const DEFAULT_ATTEMPTS: u32 = 2;
/// Envoy's base of the wait between tries, in milliseconds.
const DEFAULT_BACKOFF: u64 = 25;
const KNOWN: &str = "5xx, gateway-error, reset, reset-before-request, connect-failure, refused-stream, retriable-4xx, \
                     retriable-status-codes, a status such as 503, envoy-ratelimited, cancelled, deadline-exceeded, internal, \
                     resource-exhausted and unavailable";

/// gRPC's own numbers.
const GRPC_CANCELLED: u32 = 1;
const GRPC_DEADLINE_EXCEEDED: u32 = 4;
const GRPC_RESOURCE_EXHAUSTED: u32 = 8;
const GRPC_INTERNAL: u32 = 13;
const GRPC_UNAVAILABLE: u32 = 14;

/// What one token of `retryOn` asks for.
enum Token {
    Condition(RetryCondition),
    /// Means nothing by itself: the statuses stand beside it.
    Statuses,
    /// Istio takes it, but nothing here can bring it about.
    Inert,
    Unknown,
}

/// Resolves the retries of a rule with this `timeout`; `place` is where they stand. None means no retries.
pub fn resolve(
    written: Option<&Retries>,
    timeout: Option<u64>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<RetryPolicy> {
    let Some(written) = written else {
        return Some(RetryPolicy {
            attempts: DEFAULT_ATTEMPTS,
            conditions: default_conditions(),
            per_try_timeout: None,
            backoff: DEFAULT_BACKOFF,
            ignore_previous_hosts: true,
        });
    };
    let per_try = duration::resolve(written.per_try_timeout.as_ref(), &place.key("perTryTimeout"), report);
    let backoff = duration::resolve(written.backoff.as_ref(), &place.key("backoff"), report);
    let conditions = conditions(written.retry_on.as_deref(), &place.key("retryOn"), report);
    report_inert(written, place, report);
    let attempts = attempts(written, place, report)?;
    // A try that may take as long as the whole exchange is not limited by itself.
    let per_try_timeout = per_try.filter(|&per_try| timeout.is_none_or(|timeout| per_try < timeout));
    let backoff = backoff.unwrap_or(DEFAULT_BACKOFF);
    let ignore_previous_hosts = written.retry_ignore_previous_hosts.unwrap_or(true);
    Some(RetryPolicy { attempts, conditions, per_try_timeout, backoff, ignore_previous_hosts })
}

fn default_conditions() -> Vec<RetryCondition> {
    vec![
        RetryCondition::ConnectFailure,
        RetryCondition::RefusedStream,
        RetryCondition::GrpcStatus(GRPC_UNAVAILABLE),
        RetryCondition::GrpcStatus(GRPC_CANCELLED),
    ]
}

fn attempts(written: &Retries, place: &Place, report: &mut Report<'_>) -> Option<u32> {
    let number = written.attempts.unwrap_or(0);
    let details = written.per_try_timeout.is_some()
        || written.retry_on.as_ref().is_some_and(|tokens| !tokens.is_empty())
        || written.retry_remote_localities.is_some();
    if number == 0 && details {
        let help = "set `attempts` to 1 or more, or remove the other fields";
        report.error(place, code::RETRIES, "retries are described, but `attempts` is 0", help);
    }
    let attempts = u32::try_from(number).ok().filter(|&attempts| i32::try_from(attempts).is_ok());
    if attempts.is_none() {
        let message = format!("{number} is not a number of attempts");
        report.error(&place.key("attempts"), code::RETRIES, message, "use 0 for no retries, or a positive number");
    }
    attempts.filter(|&attempts| attempts > 0)
}

fn conditions(tokens: Option<&str>, place: &Place, report: &mut Report<'_>) -> Vec<RetryCondition> {
    let Some(tokens) = tokens.filter(|tokens| !tokens.trim().is_empty()) else { return default_conditions() };
    if tokens.split(',').any(|token| token != token.trim() || token.is_empty()) {
        let help = "write the conditions with a comma and nothing else between them";
        report.warning(place, code::DEPRECATED, "Istio refuses blanks and empty items in this list", help);
    }
    let mut conditions = Vec::new();
    for token in tokens.split(',').map(str::trim).filter(|token| !token.is_empty()) {
        match read_token(token) {
            Token::Condition(condition) => conditions.push(condition),
            Token::Statuses => {}
            Token::Inert => report.no_effect(place, token, "no retry is made for it"),
            Token::Unknown => {
                let message = format!("`{token}` is not a condition to retry on");
                report.error(place, code::RETRIES, message, format!("use {KNOWN}"));
            }
        }
    }
    conditions
}

fn read_token(token: &str) -> Token {
    Token::Condition(match token {
        "5xx" => RetryCondition::ServerError,
        "gateway-error" => RetryCondition::GatewayError,
        "reset" => RetryCondition::Reset,
        "reset-before-request" => RetryCondition::ResetBeforeRequest,
        "connect-failure" => RetryCondition::ConnectFailure,
        "retriable-4xx" => RetryCondition::Conflict,
        "refused-stream" => RetryCondition::RefusedStream,
        "cancelled" => RetryCondition::GrpcStatus(GRPC_CANCELLED),
        "deadline-exceeded" => RetryCondition::GrpcStatus(GRPC_DEADLINE_EXCEEDED),
        "internal" => RetryCondition::GrpcStatus(GRPC_INTERNAL),
        "resource-exhausted" => RetryCondition::GrpcStatus(GRPC_RESOURCE_EXHAUSTED),
        "unavailable" => RetryCondition::GrpcStatus(GRPC_UNAVAILABLE),
        "retriable-status-codes" => return Token::Statuses,
        "envoy-ratelimited" => RetryCondition::RateLimited,
        // The headers would be named in a part of Envoy's configuration that Istio does not write.
        "retriable-headers" | "http3-post-connect-failure" => return Token::Inert,
        _ => match token.parse::<u16>() {
            Ok(status) if (100..=599).contains(&status) => RetryCondition::Status(status),
            _ => return Token::Unknown,
        },
    })
}

fn report_inert(written: &Retries, place: &Place, report: &mut Report<'_>) {
    if written.retry_remote_localities.is_some() {
        report.no_effect(&place.key("retryRemoteLocalities"), "retryRemoteLocalities", "endpoints have no locality");
    }
}
