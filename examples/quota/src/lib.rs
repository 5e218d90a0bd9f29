//! A quota: so many requests of each API key in a window, counted over all workers of the proxy, and across new versions of
//! this filter. What is over it is answered 429.

use serde::Deserialize;
use sluicegate_sdk::capability::metrics::{Counter, Histogram};
use sluicegate_sdk::capability::store;
use sluicegate_sdk::prelude::*;
use std::time::Duration;

/// How much is allowed.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    requests: u32,
    seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { requests: 100, seconds: 60 }
    }
}

/// The filter.
#[derive(Debug)]
pub struct Quota {
    settings: Settings,
    passed: Counter,
    refused: Counter,
    unmetered: Counter,
    /// Which share of its quota a request finds used.
    used: Histogram,
}

impl Configure for Quota {
    type Settings = Settings;

    fn configure(_: &Environment, settings: Settings, _: &[Resource], _: &mut Diagnostics) -> Self {
        let requests = |result| Counter::new("requests", &[("result", result)]);
        Self {
            settings,
            passed: requests("passed"),
            refused: requests("refused"),
            unmetered: requests("unmetered"),
            used: Histogram::new("used_ratio", &[], &[0.1, 0.25, 0.5, 0.75, 0.9, 1.0]),
        }
    }
}

impl RequestFilter for Quota {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        let Some(key) = request.header("x-api-key") else { return respond(401).text("an x-api-key, please").into() };
        let Settings { requests, seconds } = self.settings;
        let window = Duration::from_secs(seconds);
        let mut left = window;
        let counted = store::update(&key, |entry| {
            left = entry.and_then(store::Entry::left).unwrap_or(window);
            let count = entry.map_or(0, |entry| number(&entry.value)).saturating_add(1);
            (count.to_be_bytes().to_vec(), Some(left))
        });
        let Ok(count) = counted.map(|value| number(&value)) else {
            // Room has run out: rather too many requests than none.
            self.unmetered.increment();
            return next().into();
        };
        self.used.observe(f64::from(count) / f64::from(requests));
        if count > requests {
            self.refused.increment();
            let seconds = left.as_secs().saturating_add(1).to_string();
            return respond(429).header("retry-after", seconds).text("the quota is used up").into();
        }
        self.passed.increment();
        next().with_response(set_header("x-quota-left", (requests - count).to_string())).into()
    }
}

/// A count as it is kept.
fn number(value: &[u8]) -> u32 {
    value.try_into().map_or(0, u32::from_be_bytes)
}

sluicegate_sdk::export!(
    Quota,
    hooks: [configuration, request],
    reads: ["x-api-key"],
    capabilities: ["store", "metrics"],
    priority: 90,
    settings: "../settings.schema.json",
);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::{TestRequest, configure, metric};

    fn status(quota: &Quota, key: &str) -> u16 {
        match quota.on_request(&TestRequest::get("/").header("x-api-key", key).request()) {
            RequestDecision::Respond(answer) => answer.status,
            _ => 200,
        }
    }

    #[test]
    fn each_key_has_its_own_quota() {
        let (quota, _) = configure::<Quota>(Settings { requests: 2, seconds: 60 }, &[]);
        let statuses = ["a", "a", "a", "b"].map(|key| status(&quota, key));
        assert_eq!(statuses, [200, 200, 429, 200]);
        assert_eq!(metric("requests", &[("result", "passed")]), Some(3.0));
        assert_eq!(metric("requests", &[("result", "refused")]), Some(1.0));
        assert_eq!(metric("used_ratio", &[]), Some(4.0));
    }

    #[test]
    fn a_request_without_a_key_is_not_let_in() {
        let (quota, _) = configure::<Quota>(Settings::default(), &[]);
        let answer = quota.on_request(&TestRequest::get("/").request());
        assert!(matches!(answer, RequestDecision::Respond(answer) if answer.status == 401));
    }
}
