//! Capability `metrics`: figures of the filter's own, shown on the proxy's `/metrics` as `sluicegate_filter_custom_KIND_NAME`
//! with the filter's name as a label.
//!
//! A series that is counted in often is best defined once and kept; one whose labels depend on the request may be defined
//! where it is used. The host keeps no more series than the operator allows, so what a client makes up is no label.
//! What the host refuses to define counts nothing, and the refusal counts in `sluicegate_filter_refusals_total`.
//!
//! ```
//! use sluicegate_sdk::capability::metrics::{Counter, Histogram};
//! use sluicegate_sdk::testing::metric;
//!
//! Counter::new("refused", &[("plan", "free")]).increment();
//! Histogram::new("size", &[], &[1e3, 1e6]).observe(512.0);
//! assert_eq!(metric("refused", &[("plan", "free")]), Some(1.0));
//! ```

use super::wit::metrics as wit;
use std::cell::RefCell;

pub use wit::Refusal;

/// Goes up. It is shown with `_total` behind its name.
#[derive(Debug, Clone, Copy)]
pub struct Counter(Option<u32>);

/// Goes up and down.
#[derive(Debug, Clone, Copy)]
pub struct Gauge(Option<u32>);

/// Counts values by upper bounds.
#[derive(Debug, Clone, Copy)]
pub struct Histogram(Option<u32>);

impl Counter {
    /// The counter with this name and these labels; one that counts nothing where the host refuses it.
    pub fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        Self(Self::define(name, labels).ok().and_then(|counter| counter.0))
    }

    /// The same.
    ///
    /// # Errors
    /// Where the host refuses it.
    pub fn define(name: &str, labels: &[(&str, &str)]) -> Result<Self, Refusal> {
        define(&wit::Kind::Counter, name, labels).map(|series| Self(Some(series)))
    }

    /// One more.
    pub fn increment(self) {
        self.add(1);
    }

    /// So many more.
    #[allow(clippy::cast_precision_loss, reason = "what a test counts is small")]
    pub fn add(self, by: u64) {
        count(self.0, |series| wit::add(series, by), |value| value + by as f64);
    }
}

impl Gauge {
    /// The gauge with this name and these labels; one that shows nothing where the host refuses it.
    pub fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        Self(Self::define(name, labels).ok().and_then(|gauge| gauge.0))
    }

    /// The same.
    ///
    /// # Errors
    /// Where the host refuses it.
    pub fn define(name: &str, labels: &[(&str, &str)]) -> Result<Self, Refusal> {
        define(&wit::Kind::Gauge, name, labels).map(|series| Self(Some(series)))
    }

    /// This much.
    pub fn set(self, value: f64) {
        count(self.0, |series| wit::set(series, value), |_| value);
    }

    /// More or less by so much.
    pub fn change(self, by: f64) {
        count(self.0, |series| wit::change(series, by), |value| value + by);
    }
}

impl Histogram {
    /// The histogram with this name and these labels; one that counts nothing where the host refuses it. Without bounds it
    /// has those that suit durations in seconds.
    pub fn new(name: &str, labels: &[(&str, &str)], bounds: &[f64]) -> Self {
        Self(Self::define(name, labels, bounds).ok().and_then(|histogram| histogram.0))
    }

    /// The same.
    ///
    /// # Errors
    /// Where the host refuses it.
    pub fn define(name: &str, labels: &[(&str, &str)], bounds: &[f64]) -> Result<Self, Refusal> {
        define(&wit::Kind::Histogram(bounds.to_vec()), name, labels).map(|series| Self(Some(series)))
    }

    /// Counts a value.
    pub fn observe(self, value: f64) {
        count(self.0, |series| wit::observe(series, value), |count| count + 1.0);
    }
}

fn define(kind: &wit::Kind, name: &str, labels: &[(&str, &str)]) -> Result<u32, Refusal> {
    let labels = labels.iter().map(|(name, value)| wit::Label { name: (*name).into(), value: (*value).into() });
    if cfg!(target_family = "wasm") {
        return wit::define(kind, name, &labels.collect::<Vec<_>>());
    }
    let mut labels: Vec<(String, String)> = labels.map(|label| (label.name, label.value)).collect();
    labels.sort_unstable();
    let kind = match kind {
        wit::Kind::Counter => 0,
        wit::Kind::Gauge => 1,
        wit::Kind::Histogram(_) => 2,
    };
    let named = Named { kind, name: name.to_owned(), labels };
    Ok(COUNTED.with_borrow_mut(|series| {
        let place = series.iter().position(|(known, _)| *known == named).unwrap_or_else(|| {
            series.push((named, 0.0));
            series.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }))
}

fn count(series: Option<u32>, host: impl FnOnce(u32), native: impl FnOnce(f64) -> f64) {
    let Some(series) = series else { return };
    if cfg!(target_family = "wasm") {
        return host(series);
    }
    COUNTED.with_borrow_mut(|counted| {
        let place = usize::try_from(series).ok().and_then(|place| counted.get_mut(place));
        if let Some((_, value)) = place {
            *value = native(*value);
        }
    });
}

/// A series of the native stand-in.
#[derive(Debug, PartialEq)]
struct Named {
    kind: u8,
    name: String,
    labels: Vec<(String, String)>,
}

thread_local! {
    /// What a native test has counted: its thread is its own.
    static COUNTED: RefCell<Vec<(Named, f64)>> = const { RefCell::new(Vec::new()) };
}

/// What the native stand-in has counted.
pub(crate) fn counted(name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let mut labels: Vec<(&str, &str)> = labels.to_vec();
    labels.sort_unstable();
    let is_it = |named: &Named| {
        let own = named.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        named.name == name && own.eq(labels.iter().copied())
    };
    COUNTED.with_borrow(|series| series.iter().find(|(named, _)| is_it(named)).map(|(_, value)| *value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_the_same_wherever_it_is_defined() {
        for _ in 0..2 {
            Counter::new("calls", &[("a", "1"), ("b", "2")]).add(2);
            Gauge::new("level", &[]).change(-0.5);
        }
        assert_eq!(counted("calls", &[("b", "2"), ("a", "1")]), Some(4.0));
        assert_eq!((counted("level", &[]), counted("calls", &[])), (Some(-1.0), None));
    }
}
