//! What the operator may set, with the default and the reason of each value.

use serde::Deserialize;
use sluicegate_sdk::Diagnostics;

/// One service's share, in milliseconds: longer than a healthy service needs, shorter than a caller waits.
const CALL_DEADLINE: u64 = 5_000;
/// All services together, in milliseconds: room for a call that waits for a connection first.
const TOTAL_DEADLINE: u64 = 10_000;
/// The largest part, in bytes: every part is held in memory and checked within one hook's share of a worker's time.
const MAX_PART: u64 = 256 << 10;

/// The longest deadline that makes sense, in milliseconds: an hour.
const LONGEST_DEADLINE: u64 = 3_600_000;
/// The largest part that a few of still fit the memory that a filter has, in bytes.
const LARGEST_PART: u64 = 8 << 20;

/// The filter's settings, as `settings.schema.json` describes them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// How long one service may take, in milliseconds.
    pub call_deadline: u64,
    /// How long all services together may take where the route sets no timeout, in milliseconds.
    pub total_deadline: u64,
    /// The largest answer to take in from one service, in bytes.
    pub max_part: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { call_deadline: CALL_DEADLINE, total_deadline: TOTAL_DEADLINE, max_part: MAX_PART }
    }
}

impl Settings {
    /// Reports every value that is out of its range.
    pub fn check(&self, diagnostics: &mut Diagnostics) {
        let fields = [
            ("callDeadline", self.call_deadline, LONGEST_DEADLINE, "milliseconds"),
            ("totalDeadline", self.total_deadline, LONGEST_DEADLINE, "milliseconds"),
            ("maxPart", self.max_part, LARGEST_PART, "bytes"),
        ];
        for (name, value, largest, unit) in fields {
            if value == 0 || value > largest {
                let message = format!("{name} is {value}, which is not within 1 and {largest} {unit}");
                diagnostics.settings_error(format!("/{name}"), crate::code::SETTING, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_the_same_fields_and_defaults() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../settings.schema.json")).expect("the schema is JSON");
        let default = |field: &str| schema["properties"][field]["default"].as_u64();
        let maximum = |field: &str| schema["properties"][field]["maximum"].as_u64();
        assert_eq!(default("callDeadline"), Some(CALL_DEADLINE));
        assert_eq!(default("totalDeadline"), Some(TOTAL_DEADLINE));
        assert_eq!(default("maxPart"), Some(MAX_PART));
        assert_eq!(maximum("callDeadline"), Some(LONGEST_DEADLINE));
        assert_eq!(maximum("totalDeadline"), Some(LONGEST_DEADLINE));
        assert_eq!(maximum("maxPart"), Some(LARGEST_PART));
        assert_eq!(schema["properties"].as_object().expect("properties").len(), 3);
    }

    #[test]
    fn every_value_out_of_range_is_reported_at_its_field() {
        let mut diagnostics = Diagnostics::default();
        Settings { call_deadline: 0, total_deadline: 1, max_part: LARGEST_PART + 1 }.check(&mut diagnostics);
        let lines = diagnostics.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("error SG0301 /callDeadline:"), "{lines:?}");
        assert!(lines[1].starts_with("error SG0301 /maxPart:"), "{lines:?}");
    }
}
