//! Durations as Istio writes them: `10s`, `1.5s`, `500ms`, `1h30m`.

use std::time::Duration;

/// Nanoseconds in each unit; the longer names stand first so that `ms` is not read as `m`.
const UNITS: [(&str, u64); 6] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];
/// No limit of an upstream is longer, and no sum of so many overflows.
const LONGEST: u64 = 366 * 24 * 3_600_000_000_000;

/// The duration; none when the text is none, or is longer than a year.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let (unit, nanoseconds) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        total = total.checked_add(scaled(number, *nanoseconds)?).filter(|total| *total <= LONGEST)?;
        rest = after.strip_prefix(unit)?;
    }
    Some(Duration::from_nanos(total))
}

/// A decimal number times a unit, without the rounding of floating point.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.checked_mul(unit)? };
    let mut part = unit;
    let mut sum = whole;
    for digit in fraction.bytes() {
        part /= 10;
        sum = sum.checked_add(part.checked_mul(u64::from(digit.checked_sub(b'0')?))?)?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_every_form_are_read() {
        let table = [
            ("10s", 10_000),
            ("1.5s", 1_500),
            (".25s", 250),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            ("0s", 0),
            (" 2m ", 120_000),
        ];
        for (text, milliseconds) in table {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1.s2", "1..5s", "99999h", "ten", "1d", ".s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
