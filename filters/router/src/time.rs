//! Points in time as Envoy writes them.

const MILLISECONDS_PER_SECOND: u64 = 1000;
const SECONDS_PER_DAY: u64 = 86_400;
/// Days in the 400 years after which the Gregorian calendar repeats itself.
const DAYS_PER_CYCLE: u64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01. Years begin in March here, so that a leap day is the last of its year.
const DAYS_BEFORE_EPOCH: u64 = 719_468;

/// `2026-01-31T08:15:00.250Z`, for milliseconds since 1970-01-01T00:00:00Z.
pub fn text(milliseconds: u64) -> String {
    let (seconds, fraction) = (milliseconds / MILLISECONDS_PER_SECOND, milliseconds % MILLISECONDS_PER_SECOND);
    let (year, month, day) = date(seconds / SECONDS_PER_DAY);
    let second = seconds % SECONDS_PER_DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

/// Year, month and day, for days since 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_BEFORE_EPOCH;
    let (cycle, day) = (days / DAYS_PER_CYCLE, days % DAYS_PER_CYCLE);
    // Without the leap days of 4, 100 and 400 years every year has 365 days.
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, months of 31 and 30 days follow each other so that five have 153.
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + year + later, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_545_097_834_250, "2018-12-18T01:50:34.250Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(text(milliseconds), expected);
        }
    }
}
