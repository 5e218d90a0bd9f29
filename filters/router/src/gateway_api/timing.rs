//! Timeouts and retries.

use super::config::{Retry, Timeouts};
use crate::code;
use crate::report::{Place, Report};
use sluicegate_sdk::{RetryCondition, RetryPolicy};

/// The Gateway API leaves open how often is tried again where a rule does not say; Istio does so twice.
const DEFAULT_ATTEMPTS: u32 = 2;
/// The base of the wait between tries, in milliseconds; Envoy's.
const DEFAULT_BACKOFF: u64 = 25;
/// A duration has at most so many parts, each with at most so many digits.
const MOST_PARTS: usize = 4;
const MOST_DIGITS: usize = 5;
/// Milliseconds in each unit; `ms` stands first so that it is not read as `m`.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];

/// How long an exchange takes at most, in milliseconds, and when it is tried again.
pub type Timing = (Option<u64>, Option<RetryPolicy>);

/// Resolves the timeouts and retries of the rule at `place`.
pub fn resolve(timeouts: Option<&Timeouts>, retry: Option<&Retry>, place: &Place, report: &mut Report<'_>) -> Timing {
    let (request, backend) = resolve_timeouts(timeouts, &place.key("timeouts"), report);
    let retries = retry.and_then(|retry| resolve_retry(retry, backend, &place.key("retry"), report));
    match (request, backend) {
        // Where there is one try, its limit is the limit of all.
        (request, Some(backend)) if retries.is_none() => {
            (Some(request.map_or(backend, |request| request.min(backend))), None)
        }
        (request, _) => (request, retries),
    }
}

/// For all tries, and for one. A timeout of 0 is none.
fn resolve_timeouts(written: Option<&Timeouts>, place: &Place, report: &mut Report<'_>) -> (Option<u64>, Option<u64>) {
    let Some(written) = written else { return (None, None) };
    let mut one = |text: &Option<String>, field: &str| {
        let length = duration(text.as_deref(), &place.key(field), report);
        length.filter(|&length| length > 0)
    };
    let (request, backend) = (one(&written.request, "request"), one(&written.backend_request, "backendRequest"));
    if request.zip(backend).is_some_and(|(request, backend)| backend > request) {
        let message = "one try may take longer than all tries together";
        report.error(&place.key("backendRequest"), code::CONFLICT, message, "make it at most `request`");
    }
    (request, backend)
}

fn resolve_retry(
    written: &Retry,
    per_try_timeout: Option<u64>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<RetryPolicy> {
    // A connection that fails, or a try that takes too long, is always worth another.
    let mut conditions = vec![RetryCondition::ConnectFailure, RetryCondition::RefusedStream, RetryCondition::Reset];
    for (index, &number) in written.codes.iter().enumerate() {
        if let Some(status) = u16::try_from(number).ok().filter(|status| (400..=599).contains(status)) {
            conditions.push(RetryCondition::Status(status));
        } else {
            let message = format!("{number} is not a status to retry on");
            let help = "use statuses of errors, from 400 to 599";
            report.error(&place.key("codes").index(index), code::RETRIES, message, help);
        }
    }
    let backoff = duration(written.backoff.as_deref(), &place.key("backoff"), report).unwrap_or(DEFAULT_BACKOFF);
    let attempts = match written.attempts {
        None => DEFAULT_ATTEMPTS,
        Some(number) => u32::try_from(number).unwrap_or_else(|_| {
            let message = format!("{number} is not a number of attempts");
            report.error(&place.key("attempts"), code::RETRIES, message, "use 0 for no retries, or a positive number");
            0
        }),
    };
    let ignore_previous_hosts = true;
    let policy = RetryPolicy { attempts, conditions, per_try_timeout, backoff, ignore_previous_hosts };
    (attempts > 0).then_some(policy)
}

/// A duration in milliseconds (GEP-2257).
fn duration(text: Option<&str>, place: &Place, report: &mut Report<'_>) -> Option<u64> {
    let text = text?;
    let length = milliseconds(text);
    if length.is_none() {
        let help = "write whole numbers with a unit, such as 10s, 500ms or 1m30s; 0s for no limit";
        report.error(place, code::DURATION, format!("`{text}` is not a duration"), help);
    }
    length
}

fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    for _ in 0..MOST_PARTS {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let (number, behind) = rest.split_at(digits);
        let number: u64 = Some(number).filter(|number| number.len() <= MOST_DIGITS)?.parse().ok()?;
        let (unit, length) = UNITS.into_iter().find(|(unit, _)| behind.starts_with(unit))?;
        total = total.checked_add(number.checked_mul(length)?)?;
        rest = behind.strip_prefix(unit)?;
        if rest.is_empty() {
            return Some(total);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn durations_are_whole_numbers_with_units() {
        for (text, expected) in [
            ("0s", 0),
            ("10s", 10_000),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            ("1m1ms", 60_001),
            ("99999h", 359_996_400_000),
        ] {
            assert_eq!(milliseconds(text), Some(expected), "{text}");
        }
        for text in ["", "10", "1.5s", "-1s", "1d", "123456s", "1s1s1s1s1s", "s", "1us"] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
