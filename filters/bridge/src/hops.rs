//! How many more brokers an event may go through, so that replies which trigger each other end.

use crate::attribute;
use sluicegate_sdk::{Attribute, Event};

/// Knative's extension; it never leaves the brokers.
const TIME_TO_LIVE: &str = "knativebrokerttl";
/// When the event came to its broker.
const ARRIVAL: &str = "knativearrivaltime";
/// What an event has that comes from outside, as in Knative.
const FIRST: i32 = 255;

/// Lets an event into a broker; false when it has gone through too many.
pub(crate) fn enter(event: &mut Event) -> bool {
    let left = match attribute::get(event, TIME_TO_LIVE) {
        None => FIRST,
        // What is no number says nothing about how far the event has come.
        Some(text) => match text.parse::<i32>() {
            Ok(left @ 1..) => left - 1,
            _ => return false,
        },
    };
    set(event, TIME_TO_LIVE, left.to_string());
    true
}

/// Gives an event the time that it came at, in milliseconds since 1970.
pub(crate) fn stamp(event: &mut Event, milliseconds: Option<u64>) {
    if let Some(time) = milliseconds.and_then(timestamp) {
        set(event, ARRIVAL, time);
    }
}

/// A reply goes on counting where its event stands.
pub(crate) fn inherit(reply: &mut Event, event: &Event) {
    if let Some(left) = attribute::get(event, TIME_TO_LIVE) {
        set(reply, TIME_TO_LIVE, left.to_owned());
    }
}

/// Takes the count away before somebody outside sees it.
pub(crate) fn strip(event: &mut Event) {
    event.extensions.retain(|entry| entry.name != TIME_TO_LIVE);
}

/// Sets an extension, in place of what it was.
pub(crate) fn set(event: &mut Event, name: &str, value: String) {
    event.extensions.retain(|entry| entry.name != name);
    event.extensions.push(Attribute { name: name.to_owned(), value });
}

/// RFC 3339 in UTC.
fn timestamp(milliseconds: u64) -> Option<String> {
    let (seconds, fraction) = (milliseconds / 1_000, milliseconds % 1_000);
    let (days, second) = (i64::try_from(seconds / 86_400).ok()?, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z"))
}

/// The date so many days after 1970-01-01, by eras of 400 years that begin with March.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_based = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_based + 2) / 5 + 1;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broker_takes_one_and_the_last_one_refuses() {
        let mut event = Event::new("1", "/s", "t");
        assert!(enter(&mut event));
        assert_eq!(attribute::get(&event, TIME_TO_LIVE), Some("255"));
        let mut passes = 0;
        while enter(&mut event) {
            passes += 1;
        }
        assert_eq!(passes, 255);
        for wrong in ["0", "-1", "x", ""] {
            set(&mut event, TIME_TO_LIVE, wrong.into());
            assert!(!enter(&mut event), "{wrong}");
        }
    }

    #[test]
    fn a_reply_counts_on_and_nobody_outside_sees_it() {
        let (mut event, mut reply) = (Event::new("1", "/s", "t"), Event::new("2", "/s", "t"));
        set(&mut event, TIME_TO_LIVE, "7".into());
        inherit(&mut reply, &event);
        assert_eq!(attribute::get(&reply, TIME_TO_LIVE), Some("7"));
        strip(&mut reply);
        assert_eq!(reply.extensions, []);
    }

    #[test]
    fn times_are_written_as_rfc_3339_says() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(timestamp(milliseconds).as_deref(), Some(expected));
        }
    }
}
