//! ISO-8601 durations.

/// Whether a text is a duration of weeks, days, hours, minutes and seconds that is not negative; its length in
/// milliseconds, rounded up so that only nothing is zero. Months and years have no length of their own.
pub(crate) fn milliseconds(text: &str) -> Option<u64> {
    let rest = text.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let days = units(date, &[('W', 7 * 24 * 3_600_000), ('D', 24 * 3_600_000)])?;
    let hours = units(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)])?;
    days.checked_add(hours)
}

/// Sums numbers with units, which come in this order and at most once each. The last number may have a fraction.
fn units(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut sum = 0u64;
    for &(unit, length) in units {
        let Some(end) = text.find(|character: char| character.is_ascii_alphabetic()) else { break };
        if !text[end..].starts_with(unit) {
            continue;
        }
        let (number, rest) = (&text[..end], &text[end + unit.len_utf8()..]);
        let (whole, fraction) = match number.split_once(['.', ',']) {
            Some((_, fraction)) if fraction.is_empty() || !rest.is_empty() => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (number, ""),
        };
        sum = sum.checked_add(digits(whole)?.checked_mul(length)?)?.checked_add(part(fraction, length)?)?;
        text = rest;
    }
    text.is_empty().then_some(sum)
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A decimal fraction of a length, rounded up.
fn part(fraction: &str, length: u64) -> Option<u64> {
    // Nanoseconds are all that anyone writes; more digits would overflow the sum below.
    if fraction.len() > 9 {
        return None;
    }
    if fraction.is_empty() {
        return Some(0);
    }
    let scale = 10u64.pow(u32::try_from(fraction.len()).ok()?);
    Some(digits(fraction)?.checked_mul(length)?.div_ceil(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, expected) in [
            ("PT0S", 0),
            ("PT0.5S", 500),
            ("PT0,5S", 500),
            ("PT0.0001S", 1),
            ("PT1M", 60_000),
            ("PT1.5H", 5_400_000),
            ("PT1H2M3S", 3_723_000),
            ("P1D", 86_400_000),
            ("P1W", 604_800_000),
            ("P1DT12H", 129_600_000),
        ] {
            assert_eq!(milliseconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "5s",
            "PT5",
            "-PT1S",
            "PT-1S",
            "P1M",
            "P1Y",
            "PT1S1M",
            "PT1S1S",
            "P1DT",
            "PT.5S",
            "PT1.S",
            "PT1.5M1S",
            "PT1X",
            "pt1s",
            "PT1S ",
            "PT99999999999999999999S",
            "P1H",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
