//! Durations as Istio writes them: `10s`, `1.5s`, `500ms`, `1h30m`.

use crate::code;
use crate::report::{Place, Report};

/// Nanoseconds in each unit; the longer names stand first so that `ms` is not read as `m`.
const UNITS: [(&str, u128); 7] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];
const NANOSECONDS_PER_MILLISECOND: u128 = 1_000_000;

/// The duration in milliseconds. Istio refuses one that is under a millisecond or not a whole number of them, 0 too.
pub fn resolve(text: Option<&String>, place: &Place, report: &mut Report<'_>) -> Option<u64> {
    let text = text?;
    match milliseconds(text) {
        Ok(milliseconds) => Some(milliseconds),
        Err(reason) => {
            let help = "write a number and a unit, such as 10s, 1.5s or 500ms; leave the field out to have no limit";
            report.error(place, code::DURATION, format!("`{text}` {reason}"), help);
            None
        }
    }
}

fn milliseconds(text: &str) -> Result<u64, &'static str> {
    let total = nanoseconds(text).ok_or("is not a duration")?;
    if total < NANOSECONDS_PER_MILLISECOND {
        return Err("is less than a millisecond");
    }
    if total % NANOSECONDS_PER_MILLISECOND != 0 {
        return Err("is not a whole number of milliseconds");
    }
    u64::try_from(total / NANOSECONDS_PER_MILLISECOND).map_err(|_| "is longer than can be counted")
}

fn nanoseconds(text: &str) -> Option<u128> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, unit_and_rest) = rest.split_at(number_end);
        let (unit, nanoseconds) = UNITS.iter().find(|(unit, _)| unit_and_rest.starts_with(unit))?;
        total = total.checked_add(scaled(number, *nanoseconds)?)?;
        rest = unit_and_rest.get(unit.len()..)?;
    }
    Some(total)
}

/// A decimal number times a unit, without the rounding that floating point would bring.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u128>().ok()? };
    let mut total = whole.checked_mul(unit)?;
    let mut digit_unit = unit;
    for digit in fraction.chars() {
        digit_unit /= 10;
        total = total.checked_add(u128::from(digit.to_digit(10)?).checked_mul(digit_unit)?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn durations_are_read_as_istio_writes_them() {
        for (text, expected) in
            [("10s", 10_000), ("1.5s", 1_500), ("500ms", 500), ("1h30m", 5_400_000), (".5s", 500), ("1000us", 1)]
        {
            assert_eq!(milliseconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_usable_duration_is_refused() {
        for text in
            ["", "10", "s", "1.2.3s", "-1s", "1d", "0s", "0.5ms", "1.0005s", "..s", "99999999999999999999999999h"]
        {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }
}
