//! Knative's DeliverySpec.

use super::destination::DestinationFields;
use super::{Document, FieldError, SubscriptionSpec};
use crate::event::backoff::{Backoff, LONGEST_WAIT, Policy};
use crate::event::tuning;
use crate::upstream::registry::Names;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::Deserialize;
use std::time::Duration;

/// One delivery attempt, unless `timeout` says otherwise. Knative has no limit; here every wait has one.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryFields {
    dead_letter_sink: Option<DestinationFields>,
    retry: Option<u32>,
    backoff_policy: Option<PolicyField>,
    backoff_delay: Option<String>,
    backoff_max: Option<String>,
    timeout: Option<String>,
    retry_after_max: Option<String>,
    format: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PolicyField {
    Linear,
    Exponential,
}

/// The block that applies: one that sets anything replaces the parent's as a whole (Knative, delivery inheritance).
pub(super) fn inherited(own: Option<DeliveryFields>, parent: Option<&DeliveryFields>) -> DeliveryFields {
    let own = own.filter(|delivery| *delivery != DeliveryFields::default());
    own.or_else(|| parent.cloned()).unwrap_or_default()
}

impl DeliveryFields {
    /// A subscription that delivers so.
    pub(super) fn subscription(
        self,
        names: &Names,
        document: &Document<'_>,
        name: &str,
        (subscriber, reply): (Option<String>, Option<String>),
    ) -> Result<SubscriptionSpec, FieldError> {
        let namespace = document.namespace;
        let sink = self.dead_letter_sink.as_ref().map(|sink| sink.resolve(names, namespace)).transpose();
        Ok(SubscriptionSpec {
            name: format!("{namespace}/{name}"),
            subscriber,
            reply,
            dead_letter_sink: sink.map_err(|reason| ("spec.delivery.deadLetterSink", reason))?,
            retry: self.retry.unwrap_or(0),
            backoff: self.backoff()?,
            timeout: self.timeout()?,
            format: self.format,
            concurrency: tuning::concurrency(document.value)?,
            ordering: tuning::ordering(document.value)?,
        })
    }

    fn backoff(&self) -> Result<Backoff, FieldError> {
        let policy = self.backoff_policy.map(|policy| match policy {
            PolicyField::Linear => Policy::Linear,
            PolicyField::Exponential => Policy::Exponential,
        });
        let delay = duration("spec.delivery.backoffDelay", self.backoff_delay.as_deref())?;
        Ok(Backoff {
            growth: policy.zip(delay),
            longest: duration("spec.delivery.backoffMax", self.backoff_max.as_deref())?.unwrap_or(LONGEST_WAIT),
            retry_after_max: duration("spec.delivery.retryAfterMax", self.retry_after_max.as_deref())?,
        })
    }

    fn timeout(&self) -> Result<Duration, FieldError> {
        match duration("spec.delivery.timeout", self.timeout.as_deref())? {
            None => Ok(ATTEMPT_TIMEOUT),
            Some(Duration::ZERO) => Err(("spec.delivery.timeout", "it has to be longer than nothing".to_owned())),
            Some(timeout) => Ok(timeout),
        }
    }
}

/// An ISO-8601 duration of days and smaller units; a day has 24 hours.
fn duration(field: &'static str, text: Option<&str>) -> Result<Option<Duration>, FieldError> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || (field, format!("{text:?} is not an ISO-8601 duration of at least nothing, such as PT0.5S"));
    // The parser takes friendlier forms as well, which Knative does not.
    if !text.starts_with('P') {
        return Err(wrong());
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    let exact: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(exact).map(Some).map_err(|_| wrong())
}
