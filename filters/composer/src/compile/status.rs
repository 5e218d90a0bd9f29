//! Statuses and durations as documents write them.

use crate::code;
use crate::duration;
use crate::report::{Place, Report};
use serde_json::Value;

/// The duration, in milliseconds.
pub(super) fn duration(written: Option<&str>, place: &Place, report: &mut Report<'_>) -> Option<u64> {
    let written = written?;
    let milliseconds = duration::milliseconds(written);
    if milliseconds.is_none() {
        let message = format!("`{written}` is not a duration between 1ms and 24h");
        report.error(place, code::DURATION, message, "write a number and a unit, such as `250ms`, `3s` or `1m`");
    }
    milliseconds
}

/// Ranges of statuses, such as `200`, `2xx` and `200-204`.
pub(super) fn statuses(written: &[Value], place: &Place, report: &mut Report<'_>) -> Vec<(u16, u16)> {
    let mut ranges = Vec::with_capacity(written.len());
    for (index, value) in written.iter().enumerate() {
        if let Some(range) = range(value) {
            ranges.push(range);
        } else {
            let help = "write `200`, `2xx` or `\"200-204\"`, from 200 to 599";
            report.error(&place.index(index), code::STATUS, format!("{value} is not a status"), help);
        }
    }
    ranges
}

fn range(value: &Value) -> Option<(u16, u16)> {
    let number = |text: &str| text.parse::<u16>().ok();
    let (first, last) = match value {
        Value::Number(status) => {
            let status = u16::try_from(status.as_u64()?).ok()?;
            (status, status)
        }
        Value::String(text) => match (text.strip_suffix("xx"), text.split_once('-')) {
            (Some(class), _) => {
                let first = number(class).filter(|class| *class < 10)? * 100;
                (first, first + 99)
            }
            (None, Some((first, last))) => (number(first)?, number(last)?),
            (None, None) => (number(text)?, number(text)?),
        },
        _ => return None,
    };
    (200 <= first && first <= last && last <= 599).then_some((first, last))
}
