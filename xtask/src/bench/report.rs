//! From rounds to figures.

use super::subject::Subject;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// One measurement of one proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    /// CPU time of the proxy.
    pub(crate) spent: Duration,
    /// Requests that it answered in that time.
    pub(crate) answered: u64,
}

/// All measurements of one proxy.
#[derive(Debug)]
pub(crate) struct Measurement {
    /// The proxy.
    pub(crate) subject: Subject,
    /// In the order in which they were taken.
    pub(crate) rounds: Vec<Round>,
}

/// The comparison.
#[derive(Debug)]
pub(crate) struct Report {
    /// One for each proxy.
    pub(crate) measurements: Vec<Measurement>,
    /// How many rounds there were.
    pub(crate) rounds: u32,
    /// How long each measurement took.
    pub(crate) duration: Duration,
}

/// A comparison worth a line: one proxy's figure over another's, and the aim for it.
struct Comparison {
    what: &'static str,
    of: Subject,
    over: Subject,
    aim: Option<f64>,
}

/// The aims are the project's own: what it claims, it has to keep.
const COMPARISONS: [Comparison; 6] = [
    Comparison { what: "plain, over Envoy", of: Subject::Sluice, over: Subject::Envoy, aim: Some(0.45) },
    Comparison { what: "plain, over bare hyper", of: Subject::Sluice, over: Subject::Hyper, aim: Some(1.15) },
    Comparison { what: "one filter, over Envoy-wasm", of: Subject::Sluice1, over: Subject::EnvoyWasm, aim: Some(0.40) },
    Comparison { what: "one filter, over plain Envoy", of: Subject::Sluice1, over: Subject::Envoy, aim: None },
    Comparison { what: "bare hyper, over Envoy", of: Subject::Hyper, over: Subject::Envoy, aim: None },
    Comparison { what: "Envoy-wasm, over Envoy", of: Subject::EnvoyWasm, over: Subject::Envoy, aim: None },
];
/// For one more filter, in microseconds.
const FILTER_AIM: f64 = 1.5;

impl Round {
    /// Microseconds of CPU time for each request.
    fn cost(self) -> f64 {
        // Both are far below 2^52, so nothing is lost.
        #[allow(clippy::cast_precision_loss)]
        let answered = self.answered as f64;
        self.spent.as_secs_f64() * 1e6 / answered
    }
}

impl Measurement {
    fn costs(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| round.cost()).collect()
    }

    fn answered(&self) -> Vec<u64> {
        self.rounds.iter().map(|round| round.answered).collect()
    }
}

impl Report {
    fn costs(&self, subject: Subject) -> Option<Vec<f64>> {
        self.measurements.iter().find(|measurement| measurement.subject == subject).map(Measurement::costs)
    }

    /// The median of the rounds' own ratios: what slows a whole round down does not show in it.
    fn ratio(&self, of: Subject, over: Subject) -> Option<f64> {
        let (of, over) = (self.costs(of)?, self.costs(over)?);
        median(of.iter().zip(&over).map(|(of, over)| of / over).collect())
    }

    /// Microseconds for each filter that one setting has more than the other.
    fn cost_of_a_filter(&self, more: Subject, fewer: Subject) -> Option<f64> {
        let (most, least) = (self.costs(more)?, self.costs(fewer)?);
        let difference = f64::from(more.filters() - fewer.filters());
        median(most.iter().zip(&least).map(|(most, least)| (most - least) / difference).collect())
    }

    fn comparisons(&self) -> impl Iterator<Item = (&'static str, f64, Option<f64>)> {
        let ratios = COMPARISONS.iter().filter_map(|comparison| {
            Some((comparison.what, self.ratio(comparison.of, comparison.over)?, comparison.aim))
        });
        let first = self.cost_of_a_filter(Subject::Sluice1, Subject::Sluice);
        let further = self.cost_of_a_filter(Subject::Sluice5, Subject::Sluice1);
        let filters = [("the first filter, µs", first, None), ("one more filter, µs", further, Some(FILTER_AIM))];
        ratios.chain(filters.into_iter().filter_map(|(what, value, aim)| Some((what, value?, aim))))
    }

    /// Everything, every round included.
    pub(crate) fn json(&self) -> Value {
        let subjects: Vec<Value> = self.measurements.iter().map(|measurement| self.subject_json(measurement)).collect();
        let comparisons: Vec<Value> = self
            .comparisons()
            .map(|(what, value, aim)| json!({"what": what, "value": rounded(value), "aim": aim}))
            .collect();
        json!({
            "rounds": self.rounds,
            "seconds": self.duration.as_secs(),
            "unit": "microseconds of CPU time for each answered request",
            "subjects": subjects,
            "comparisons": comparisons,
        })
    }

    fn subject_json(&self, measurement: &Measurement) -> Value {
        let costs = measurement.costs();
        json!({
            "name": measurement.subject.name(),
            "filters": measurement.subject.filters(),
            "median": median(costs.clone()).map(rounded),
            "minimum": minimum(&costs).map(rounded),
            "rounds": costs.into_iter().map(rounded).collect::<Vec<_>>(),
            "answered": measurement.answered(),
            "over_envoy": self.ratio(measurement.subject, Subject::Envoy).map(rounded),
            "over_envoy_wasm": self.ratio(measurement.subject, Subject::EnvoyWasm).map(rounded),
            "over_hyper": self.ratio(measurement.subject, Subject::Hyper).map(rounded),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "\nCPU µs per request, {} interleaved rounds of {} s\n\n{:<12} {:>8} {:>8} {:>9} {:>13} {:>9}",
            self.rounds,
            self.duration.as_secs(),
            "",
            "median",
            "minimum",
            "÷ envoy",
            "÷ envoy-wasm",
            "÷ hyper",
        )?;
        for measurement in &self.measurements {
            let costs = measurement.costs();
            writeln!(
                out,
                "{:<12} {:>8} {:>8} {:>9} {:>13} {:>9}",
                measurement.subject.name(),
                figure(median(costs.clone()), 1),
                figure(minimum(&costs), 1),
                figure(self.ratio(measurement.subject, Subject::Envoy), 2),
                figure(self.ratio(measurement.subject, Subject::EnvoyWasm), 2),
                figure(self.ratio(measurement.subject, Subject::Hyper), 2),
            )?;
        }
        writeln!(out)?;
        for (what, value, aim) in self.comparisons() {
            let verdict =
                aim.map(|aim| format!("  aim at most {aim:.2}: {}", if value <= aim { "kept" } else { "MISSED" }));
            writeln!(out, "{what:<30} {value:>6.2}{}", verdict.unwrap_or_default())?;
        }
        Ok(())
    }
}

pub(super) fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

/// To three digits behind the point: the measurement has no more.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn minimum(values: &[f64]) -> Option<f64> {
    values.iter().copied().reduce(f64::min)
}

pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(subject: Subject, costs: &[u64]) -> Measurement {
        let round = |cost: &u64| Round { spent: Duration::from_micros(cost * 1000), answered: 1000 };
        Measurement { subject, rounds: costs.iter().map(round).collect() }
    }

    fn report(measurements: Vec<Measurement>) -> Report {
        Report { measurements, rounds: 3, duration: Duration::from_secs(2) }
    }

    #[test]
    fn the_median_is_the_middle_of_an_odd_number_and_between_the_middles_of_an_even_one() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(vec![1.0, 2.0, 4.0, 9.0]), Some(3.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_slow_round_does_not_change_a_ratio() {
        let report = report(vec![measured(Subject::Envoy, &[60, 120, 60]), measured(Subject::Sluice, &[24, 48, 24])]);
        assert_eq!(report.ratio(Subject::Sluice, Subject::Envoy).map(rounded), Some(0.4));
        assert_eq!(report.ratio(Subject::Sluice, Subject::Hyper), None);
    }

    #[test]
    fn one_more_filter_costs_a_quarter_of_four_more() {
        let report = report(vec![measured(Subject::Sluice1, &[20, 21, 20]), measured(Subject::Sluice5, &[24, 25, 28])]);
        assert_eq!(report.cost_of_a_filter(Subject::Sluice5, Subject::Sluice1).map(rounded), Some(1.0));
    }

    #[test]
    fn a_missed_aim_is_said() {
        let text = report(vec![measured(Subject::Envoy, &[50]), measured(Subject::Sluice, &[30])]).to_string();
        assert!(text.contains("MISSED"), "{text}");
        let text = report(vec![measured(Subject::Envoy, &[100]), measured(Subject::Sluice, &[30])]).to_string();
        assert!(text.contains("kept") && text.contains("0.30"), "{text}");
    }
}
