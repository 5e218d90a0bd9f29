//! When calls are made again, and how long their answers are kept.

use super::status::duration;
use crate::code;
use crate::document;
use crate::report::{Place, Report, did_you_mean};
use serde_json::Value;
use sluicegate_sdk::{CachePolicy, RetryCondition, RetryPolicy};

/// How often a call can be made again: each time multiplies the load of a service in trouble.
const ATTEMPTS: u32 = 10;
/// The base of the backoff unless the document says otherwise, in milliseconds.
const BACKOFF: u64 = 25;
/// Methods that ask for something again without harm (RFC 9110, section 9.2.2).
const IDEMPOTENT: [&str; 5] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"];
/// Words for what makes a call worth repeating.
const CONDITIONS: [&str; 8] = [
    "connect-failure",
    "conflict",
    "gateway-error",
    "rate-limited",
    "refused-stream",
    "reset",
    "reset-before-request",
    "server-error",
];

pub(super) fn retries(
    call: &document::Call,
    method: &str,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<RetryPolicy> {
    let written = call.retries.as_ref()?;
    let place = place.key("retries");
    if written.attempts == 0 || written.attempts > ATTEMPTS {
        let message = format!("a call can be made again 1 to {ATTEMPTS} times");
        report.error(&place.key("attempts"), code::RETRIES, message, "leave `retries` out to make it once");
    }
    let mut policy = RetryPolicy::new(written.attempts);
    for (index, condition) in written.conditions.iter().enumerate() {
        if let Some(condition) = retry_condition(condition) {
            policy.conditions.push(condition);
        } else {
            let help = match condition {
                Value::String(word) => did_you_mean(word, CONDITIONS),
                _ => "write a status, or a word such as `connect-failure`".to_owned(),
            };
            let message = format!("{condition} is not a reason to make a call again");
            report.error(&place.key("conditions").index(index), code::RETRIES, message, help);
        }
    }
    if written.conditions.is_empty() {
        policy.conditions = vec![RetryCondition::ConnectFailure, RetryCondition::RefusedStream];
        if IDEMPOTENT.contains(&method) {
            policy.conditions.extend([RetryCondition::Reset, RetryCondition::GatewayError]);
        }
    }
    policy.per_try_timeout = duration(written.per_try.as_deref(), &place.key("perTry"), report);
    policy.backoff = duration(written.backoff.as_deref(), &place.key("backoff"), report).unwrap_or(BACKOFF);
    Some(policy)
}

fn retry_condition(written: &Value) -> Option<RetryCondition> {
    match written {
        Value::Number(status) => {
            let status = u16::try_from(status.as_u64()?).ok().filter(|status| (400..600).contains(status))?;
            Some(RetryCondition::Status(status))
        }
        Value::String(word) => Some(match word.as_str() {
            "connect-failure" => RetryCondition::ConnectFailure,
            "conflict" => RetryCondition::Conflict,
            "gateway-error" => RetryCondition::GatewayError,
            "rate-limited" => RetryCondition::RateLimited,
            "refused-stream" => RetryCondition::RefusedStream,
            "reset" => RetryCondition::Reset,
            "reset-before-request" => RetryCondition::ResetBeforeRequest,
            "server-error" => RetryCondition::ServerError,
            _ => return None,
        }),
        _ => None,
    }
}

pub(super) fn cache(
    call: &document::Call,
    method: &str,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<CachePolicy> {
    let written = call.cache.as_ref()?;
    let place = place.key("cache");
    if method != "GET" || call.body.is_some() {
        let message = "only the answers of a GET without a body are kept";
        report.error(&place, code::CACHE, message, "leave `cache` out");
    }
    let mut milliseconds = |text: &Option<String>, key: &str| duration(text.as_deref(), &place.key(key), report);
    Some(CachePolicy {
        default_lifetime: milliseconds(&written.r#for, "for"),
        stale_while_revalidate: milliseconds(&written.stale_while_revalidate, "staleWhileRevalidate").unwrap_or(0),
        stale_if_error: milliseconds(&written.stale_if_error, "staleIfError").unwrap_or(0),
    })
}
