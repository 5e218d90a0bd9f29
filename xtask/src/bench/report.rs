//! From rounds to figures.

use super::Shown;
use super::aims::{Comparison, Figure};
use super::scenario::{Scenario, Subject};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// One measurement of one subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    /// CPU time of its processes.
    pub(crate) spent: Duration,
    /// Requests that it answered in that time.
    pub(crate) answered: u64,
    /// Requests that it answered in a second.
    pub(crate) rate: f64,
}

/// All measurements of one subject.
pub(crate) struct Measurement {
    /// The subject.
    pub(crate) subject: &'static Subject,
    /// In the order in which they were taken.
    pub(crate) rounds: Vec<Round>,
}

/// The figures of a scenario.
pub(crate) struct Report {
    /// What was compared.
    pub(crate) scenario: &'static Scenario,
    /// One for each subject.
    pub(crate) measurements: Vec<Measurement>,
    /// How many rounds there were.
    pub(crate) rounds: u32,
    /// How long each measurement took.
    pub(crate) duration: Duration,
    /// What took part beside this project's own programs, with versions.
    pub(crate) versions: Vec<String>,
}

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

    fn rates(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| round.rate).collect()
    }
}

impl Report {
    fn measurement(&self, name: &str) -> Option<&Measurement> {
        self.measurements.iter().find(|measurement| measurement.subject.name == name)
    }

    /// The median of what each round gives by itself: what slows a whole round down does not show in it.
    fn by_round(
        &self,
        names: [&str; 2],
        values: impl Fn(&Measurement) -> Vec<f64>,
        figure: impl Fn(f64, f64) -> f64,
    ) -> Option<f64> {
        let [one, other] = names.map(|name| self.measurement(name).map(&values));
        median(one?.iter().zip(&other?).map(|(one, other)| figure(*one, *other)).collect())
    }

    fn ratio(&self, of: &str, over: &str) -> Option<f64> {
        self.by_round([of, over], Measurement::costs, |of, over| of / over)
    }

    /// None where a subject was not measured.
    fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Cost { of, over } => self.ratio(of, over),
            Figure::Rate { of, over } => self.by_round([of, over], Measurement::rates, |of, over| of / over),
            Figure::Step { more, fewer, steps } => {
                self.by_round([more, fewer], Measurement::costs, |more, fewer| (more - fewer) / f64::from(steps))
            }
        }
    }

    fn comparisons(&self) -> impl Iterator<Item = (&'static Comparison, f64)> {
        Comparison::of(self.scenario.name).filter_map(|comparison| Some((comparison, self.figure(comparison.figure)?)))
    }

    fn subject_json(&self, measurement: &Measurement) -> Value {
        let costs = measurement.costs();
        let over: serde_json::Map<String, Value> = self
            .scenario
            .references
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), json!(rounded(self.ratio(measurement.subject.name, name)?)))))
            .collect();
        json!({
            "name": measurement.subject.name,
            "about": measurement.subject.about,
            "median": median(costs.clone()).map(rounded),
            "minimum": minimum(&costs).map(rounded),
            "over": over,
            "rounds": costs.into_iter().map(rounded).collect::<Vec<_>>(),
            "answered": measurement.rounds.iter().map(|round| round.answered).collect::<Vec<_>>(),
            "rates": measurement.rates().into_iter().map(f64::round).collect::<Vec<_>>(),
        })
    }

    fn table(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.measurements.iter().map(|measurement| measurement.subject.name.len());
        let first = names.max().unwrap_or_default();
        write!(out, "{:<first$} {:>8} {:>8} {:>8}", "", "median", "minimum", "per s")?;
        for reference in self.scenario.references {
            write!(out, " {:>width$}", format!("÷ {reference}"), width = column(reference))?;
        }
        writeln!(out)?;
        for measurement in &self.measurements {
            let costs = measurement.costs();
            let (median_cost, minimum) = (figure(median(costs.clone()), 1), figure(minimum(&costs), 1));
            let rate = figure(median(measurement.rates()), 0);
            write!(out, "{:<first$} {median_cost:>8} {minimum:>8} {rate:>8}", measurement.subject.name)?;
            for reference in self.scenario.references {
                let ratio = figure(self.ratio(measurement.subject.name, reference), 2);
                write!(out, " {ratio:>width$}", width = column(reference))?;
            }
            writeln!(out, "   {}", measurement.subject.about)?;
        }
        Ok(())
    }
}

impl Shown for Report {
    /// Everything, every round included.
    fn json(&self) -> Value {
        json!({
            "scenario": self.scenario.name,
            "about": self.scenario.about,
            "rounds": self.rounds,
            "seconds": self.duration.as_secs(),
            "unit": "microseconds of CPU time for each answered request",
            "versions": self.versions,
            "subjects": self.measurements.iter().map(|measurement| self.subject_json(measurement)).collect::<Vec<_>>(),
            "comparisons": self.comparisons().map(comparison_json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "\n{}: {}", self.scenario.name, self.scenario.about)?;
        let (rounds, seconds) = (self.rounds, self.duration.as_secs());
        writeln!(out, "CPU µs per request, {rounds} interleaved rounds of {seconds} s")?;
        if !self.versions.is_empty() {
            writeln!(out, "with {}", self.versions.join(", "))?;
        }
        writeln!(out)?;
        self.table(out)?;
        writeln!(out)?;
        for (Comparison { what, aim, .. }, value) in self.comparisons() {
            write!(out, "{what:<32} {value:>6.2}")?;
            if let Some(aim) = aim {
                let verdict = if aim.is_kept(value) { "kept" } else { "MISSED" };
                write!(out, "  aim at most {:.2}: {verdict:<6}  {}", aim.at_most, aim.meaning)?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

fn comparison_json((comparison, value): (&Comparison, f64)) -> Value {
    json!({
        "what": comparison.what,
        "value": rounded(value),
        "aim": comparison.aim.map(|aim| aim.at_most),
        "kept": comparison.aim.map(|aim| aim.is_kept(value)),
        "meaning": comparison.aim.map(|aim| aim.meaning),
    })
}

/// The width of a reference's column: a division sign and a space before its name.
fn column(reference: &str) -> usize {
    (reference.len() + 2).max(8)
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
    use super::super::scenario::ALL;
    use super::*;

    fn measured(subject: &str, costs: &[u64]) -> Measurement {
        let round = |cost: &u64| Round { spent: Duration::from_micros(cost * 1000), answered: 1000, rate: 2000.0 };
        let subject = ALL[0].subject(subject).unwrap();
        Measurement { subject, rounds: costs.iter().map(round).collect() }
    }

    fn report(measurements: Vec<Measurement>) -> Report {
        let versions = vec!["Envoy 1.40.0".to_owned()];
        Report { scenario: ALL[0], measurements, rounds: 3, duration: Duration::from_secs(2), versions }
    }

    #[test]
    fn the_median_is_the_middle_of_an_odd_number_and_between_the_middles_of_an_even_one() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(vec![1.0, 2.0, 4.0, 9.0]), Some(3.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_slow_round_does_not_change_a_ratio() {
        let report = report(vec![measured("envoy", &[60, 120, 60]), measured("sluice", &[24, 48, 24])]);
        assert_eq!(report.ratio("sluice", "envoy").map(rounded), Some(0.4));
        assert_eq!(report.ratio("sluice", "hyper"), None);
        assert_eq!(report.figure(Figure::Rate { of: "sluice", over: "envoy" }).map(rounded), Some(1.0));
    }

    #[test]
    fn one_more_filter_costs_a_quarter_of_four_more() {
        let report = report(vec![measured("sluice-1", &[20, 21, 20]), measured("sluice-5", &[24, 25, 28])]);
        let step = Figure::Step { more: "sluice-5", fewer: "sluice-1", steps: 4 };
        assert_eq!(report.figure(step).map(rounded), Some(1.0));
    }

    #[test]
    fn a_missed_aim_is_said_and_every_aim_with_its_meaning() {
        let text = report(vec![measured("envoy", &[50]), measured("sluice", &[30])]).to_string();
        assert!(text.contains("MISSED") && text.contains("half of what the usual sidecar takes"), "{text}");
        let text = report(vec![measured("envoy", &[100]), measured("sluice", &[30])]).to_string();
        assert!(text.contains("kept") && text.contains("0.30"), "{text}");
    }

    #[test]
    fn what_took_part_is_named_in_both_forms() {
        let report = report(vec![measured("envoy", &[50])]);
        assert!(report.to_string().contains("with Envoy 1.40.0"), "{report}");
        assert_eq!(report.json()["versions"][0], "Envoy 1.40.0");
        assert_eq!(report.json()["subjects"][0]["median"], 50.0);
    }
}
