//! Durations and sizes as people write them.

/// The longest duration that makes sense, in milliseconds: a day.
const LONGEST: u64 = 86_400_000;

/// Milliseconds of a text such as `250ms`, `3s`, `1.5s`, `2m` or `1h`: more than nothing, at most a day.
pub fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let milliseconds = thousandths(number)?.checked_mul(unit)? / 1_000;
    (1..=LONGEST).contains(&milliseconds).then_some(milliseconds)
}

/// A decimal number times a thousand; digits after the third are no part of it.
fn thousandths(number: &str) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(part) || part.len() > 3 {
        return None;
    }
    let part: u64 = format!("{part:0<3}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        for (text, expected) in
            [("250ms", 250), ("3s", 3_000), ("1.5s", 1_500), ("0.25m", 15_000), ("1h", 3_600_000), ("24h", LONGEST)]
        {
            assert_eq!(milliseconds(text), Some(expected), "{text}");
        }
        for text in
            ["", "3", "s", "-1s", "0s", "0.1ms", "25h", "1 s", "1s1ms", ".5s", "1.s", "1..5s", "99999999999999999999s"]
        {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
