//! Capability `metrics`, as a guest calls it.

use super::super::bindings::sluicegate::filter::metrics::{Host, Kind as Wanted, Label, Refusal};
use super::super::bound::Bound;
use super::super::host_api::State;
use super::{Kind, Series, Undefined};
use wasmtime::Result;

impl Host for State {
    fn define(&mut self, kind: Wanted, name: String, labels: Vec<Label>) -> Result<std::result::Result<u32, Refusal>> {
        let kind = match kind {
            Wanted::Counter => (Kind::Counter, Vec::new()),
            Wanted::Gauge => (Kind::Gauge, Vec::new()),
            Wanted::Histogram(bounds) => (Kind::Histogram, bounds),
        };
        let labels = labels.into_iter().map(|label| (label.name, label.value)).collect();
        let series = Series::new(kind, name, labels);
        let defined = series.and_then(|series| self.access.define(series, self.bounds.metric_series));
        Ok(defined.map_err(|undefined| {
            let (bound, refusal) = match undefined {
                Undefined::Invalid => (Bound::MetricNames, Refusal::Invalid),
                Undefined::Full => (Bound::MetricSeries, Refusal::Full),
            };
            self.meter.refusals.count(bound);
            refusal
        }))
    }

    fn add(&mut self, series: u32, by: u64) -> Result<()> {
        self.count(series, |series| series.add(by));
        Ok(())
    }

    fn set(&mut self, series: u32, value: f64) -> Result<()> {
        self.count(series, |series| series.set(value));
        Ok(())
    }

    fn change(&mut self, series: u32, by: f64) -> Result<()> {
        self.count(series, |series| series.change(by));
        Ok(())
    }

    fn observe(&mut self, series: u32, value: f64) -> Result<()> {
        self.count(series, |series| series.observe(value));
        Ok(())
    }
}

impl State {
    /// Counts where something may come of it; what cannot be counted is refused.
    fn count(&mut self, number: u32, count: impl FnOnce(&Series) -> bool) {
        let most = self.bounds.metric_series;
        if self.access.effective && !self.access.series(number, most).is_some_and(count) {
            self.meter.refusals.count(Bound::MetricSeries);
        }
    }
}
