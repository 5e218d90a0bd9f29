//! Durations and sizes as people write them.

use super::problem::Mistake;
use std::time::Duration;

/// Units of sizes: binary ones as IEC 80000-13 names them, decimal ones as SI does.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// A duration such as `10s`, `250ms` or `1m 30s`.
///
/// # Errors
/// When it has no unit or is none.
pub fn duration(text: &str) -> Result<Duration, Mistake> {
    let help = "write a number and a unit, such as `250ms`, `10s` or `5m`";
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text != "0" {
        return Err(Mistake::with_help(format!("the duration `{text}` has no unit"), format!("write `{text}s`?")));
    }
    humantime::parse_duration(text).map_err(|_| Mistake::with_help(format!("`{text}` is not a duration"), help))
}

/// A size in bytes, such as `64MiB`, `1 GB` or `512`.
///
/// # Errors
/// When it is none, or is over what 64 bits hold.
pub fn size(text: &str) -> Result<u64, Mistake> {
    let (number, factor) = SIZE_UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, *factor)))
        .unwrap_or((text, 1));
    let help = "write a whole number of bytes, or one with kB, MB, GB, KiB, MiB or GiB, such as `64MiB`";
    let number: u64 = number.trim().parse().map_err(|_| Mistake::with_help(format!("`{text}` is not a size"), help))?;
    number.checked_mul(factor).ok_or_else(|| Mistake::new(format!("the size `{text}` is over what 64 bits hold")))
}

/// A whole number that is at least one.
///
/// # Errors
/// When it is none, or zero.
pub fn count(text: &str) -> Result<usize, Mistake> {
    match text.parse::<usize>() {
        Ok(0) => Err(Mistake::new("0 is not enough: at least 1 is needed")),
        Ok(number) => Ok(number),
        Err(_) => Err(Mistake::new(format!("`{text}` is not a whole number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_with_units_only() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10").unwrap_err().help.as_deref(), Some("write `10s`?"));
        assert!(duration("soon").unwrap_err().message.contains("`soon` is not a duration"));
        assert!(duration("").is_err());
    }

    #[test]
    fn reads_sizes_with_and_without_units() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("1 GB"), Ok(1_000_000_000));
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("7B"), Ok(7));
        assert!(size("-1").is_err());
        assert!(size("many").is_err());
        assert!(size("99999999999GiB").unwrap_err().message.contains("64 bits"));
    }

    #[test]
    fn counts_from_one() {
        assert_eq!(count("3"), Ok(3));
        assert!(count("0").is_err());
        assert!(count("three").is_err());
    }
}
