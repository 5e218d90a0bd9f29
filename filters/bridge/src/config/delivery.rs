//! Knative's DeliverySpec, as far as it can be wrong. The host does the waiting.

use super::destination::Destination;
use crate::duration;
use serde::Deserialize;
use sluicegate_sdk::{Diagnostics, Environment, Resource};

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeliverySpec {
    pub(super) dead_letter_sink: Option<Destination>,
    retry: Option<u32>,
    backoff_policy: Option<BackoffPolicy>,
    backoff_delay: Option<String>,
    backoff_max: Option<String>,
    timeout: Option<String>,
    retry_after_max: Option<String>,
    format: Option<Format>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BackoffPolicy {
    Linear,
    Exponential,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Binary,
}

/// What to write in place of something that is no duration.
pub(super) const DURATION_HELP: &str =
    "write PT0.5S for half a second, PT1M for a minute; months and years have no fixed length";

impl DeliverySpec {
    pub(super) fn check(
        &self,
        environment: &Environment,
        resource: &Resource,
        pointer: &str,
        diagnostics: &mut Diagnostics,
    ) {
        let durations = [
            ("backoffDelay", &self.backoff_delay),
            ("backoffMax", &self.backoff_max),
            ("timeout", &self.timeout),
            ("retryAfterMax", &self.retry_after_max),
        ];
        for (field, text) in durations {
            let Some(text) = text else { continue };
            let message = match duration::milliseconds(text) {
                None => format!("{text:?} is not an ISO-8601 duration"),
                Some(0) if field == "timeout" => "a timeout has to be longer than nothing".to_owned(),
                Some(_) => continue,
            };
            diagnostics.error(resource, format!("{pointer}/{field}"), "SG0413", message);
            diagnostics.help(DURATION_HELP);
        }
        if self.backoff_policy.is_some() != self.backoff_delay.is_some() {
            let message = "there is a wait between tries only when both `backoffPolicy` and `backoffDelay` are set";
            diagnostics.warning(resource, pointer, "SG0415", message);
            diagnostics.help("add the one that is missing");
        }
        if let Some(sink) = &self.dead_letter_sink {
            sink.resolve(environment, resource, &format!("{pointer}/deadLetterSink"), diagnostics);
        }
    }

    /// Says that a block which sets anything takes the parent's dead letter sink away (Knative, delivery inheritance).
    pub(super) fn check_inheritance(&self, resource: &Resource, parent: &str, diagnostics: &mut Diagnostics) {
        if *self != Self::default() && self.dead_letter_sink.is_none() {
            let message =
                format!("this replaces the {parent}'s `delivery` as a whole, so its dead letter sink does not apply");
            diagnostics.note(resource, "/spec/delivery", "SG0417", message);
            diagnostics.help("repeat `deadLetterSink` here if it should");
        }
    }
}
