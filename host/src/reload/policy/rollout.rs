//! What a `Filter` document says of how new versions come into force (`rollout`).

use crate::config::quantity;
use crate::manifest::{Diagnostics, Document, Severity, codes};
use crate::rollout::{Canary, Plan, Shadow, Share};
use serde_json::Value;
use std::time::Duration;

/// The longest stage: what takes longer is never finished.
const LONGEST: Duration = Duration::from_hours(24);
/// A tenth shows what there is, and costs a tenth.
const SHARE: Share = Share::millionths(100_000);
/// Enough to find one bad decision in a hundred.
const REQUESTS: u64 = 1_000;
/// A stage ends although there were fewer requests: nobody waits for ever at night.
const DURATION: Duration = Duration::from_mins(10);

/// Reads it. What is out of range is said, and the default stands in for it.
pub(super) fn read(document: &Document, diagnostics: &mut Diagnostics) -> Plan {
    let given = document.value.get("spec").and_then(|spec| spec.get("rollout")).unwrap_or(&Value::Null);
    let mut reader = Reader { document, diagnostics };
    let default = Plan::default();
    let shadow = given.get("shadow").map(|shadow| Shadow {
        share: reader.share(shadow, "shadow", "share").unwrap_or(SHARE),
        requests: requests(shadow),
        duration: reader.time(shadow, "shadow").unwrap_or(DURATION),
        differences: reader.share(shadow, "shadow", "differences").unwrap_or(Share::millionths(0)),
    });
    let canary = given.get("canary").map(|canary| Canary {
        share: reader.share(canary, "canary", "share").unwrap_or(SHARE),
        requests: requests(canary),
        duration: reader.time(canary, "canary").unwrap_or(DURATION),
    });
    let watch = match given.get("watch") {
        Some(watch) if watch.get("enabled").and_then(Value::as_bool) == Some(false) => None,
        Some(watch) => reader.time(watch, "watch").or(default.watch),
        None => default.watch,
    };
    let self_test = given.get("selfTest").and_then(Value::as_bool).unwrap_or(default.self_test);
    Plan { self_test, shadow, canary, watch }
}

fn requests(given: &Value) -> u64 {
    given.get("requests").and_then(Value::as_u64).unwrap_or(REQUESTS)
}

struct Reader<'a> {
    document: &'a Document,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn share(&mut self, given: &Value, stage: &str, field: &str) -> Option<Share> {
        let text = given.get(field)?.as_str()?;
        let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
        let Some(percent) = percent else {
            let message = format!("`{text}` is not a share");
            self.refuse(&format!("{stage}/{field}"), message, "write a percentage such as 5%");
            return None;
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a million")]
        let millionths = (percent * 10_000.0).round() as u32;
        Some(Share::millionths(millionths))
    }

    fn time(&mut self, given: &Value, stage: &str) -> Option<Duration> {
        let text = given.get("duration")?.as_str()?;
        let time = quantity::duration(text).ok().filter(|time| !time.is_zero() && *time <= LONGEST);
        if time.is_none() {
            let message = format!("`{text}` is not a time for a stage");
            self.refuse(&format!("{stage}/duration"), message, "write a duration up to 24h, such as 1m");
        }
        time
    }

    fn refuse(&mut self, field: &str, message: String, help: &str) {
        let pointer = format!("/spec/rollout/{field}");
        let diagnostic = self.document.diagnostic(Severity::Error, codes::FILTER_SETTINGS, &pointer, message);
        self.diagnostics.push(diagnostic.help(help.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn plan(rollout: &str) -> (Plan, usize) {
        let head = "apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata: {name: a}\n";
        let text = format!("{head}spec: {{rollout: {rollout}}}\n");
        let mut diagnostics = Diagnostics::new();
        let documents = crate::manifest::parse(Path::new("a.yaml"), text.as_bytes(), "default", &mut diagnostics);
        (read(&documents[0], &mut diagnostics), diagnostics.len())
    }

    #[test]
    fn unless_it_is_said_a_version_is_tested_and_watched_for_a_minute() {
        assert_eq!(plan("{}"), (Plan::default(), 0));
        assert_eq!(Plan::default().watch, Some(Duration::from_mins(1)));
    }

    #[test]
    fn every_stage_may_be_chosen() {
        let (chosen, mistakes) = plan(
            "{selfTest: false, shadow: {share: 5%, requests: 50, duration: 1m, differences: 0.5%}, canary: {}, \
             watch: {enabled: false}}",
        );
        let shadow = Shadow {
            share: Share::millionths(50_000),
            requests: 50,
            duration: Duration::from_mins(1),
            differences: Share::millionths(5_000),
        };
        let canary = Canary { share: SHARE, requests: REQUESTS, duration: DURATION };
        let expected = Plan { self_test: false, shadow: Some(shadow), canary: Some(canary), watch: None };
        assert_eq!((chosen, mistakes), (expected, 0));
    }

    #[test]
    fn mistakes_are_said_and_the_defaults_stand_in() {
        let (chosen, mistakes) = plan("{canary: {share: '5', duration: 2d}, watch: {duration: 0s}}");
        assert_eq!(mistakes, 3);
        assert_eq!(chosen.canary, plan("{canary: {}}").0.canary);
        assert_eq!(chosen.watch, Plan::default().watch);
    }
}
