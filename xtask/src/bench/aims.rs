//! What is set against what, and what this project claims of it: one table, printed with the figures.

/// A comparison worth a line.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// The scenario that it is taken from.
    pub(crate) scenario: &'static str,
    /// What it says, in a few words.
    pub(crate) what: &'static str,
    /// How it is calculated.
    pub(crate) figure: Figure,
    /// What it has to be, if anything is claimed.
    pub(crate) aim: Option<Aim>,
}

/// A figure from the rounds of two subjects: the median of what each round gives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Figure {
    /// CPU time of a request, over that of another subject.
    Cost { of: &'static str, over: &'static str },
    /// Requests in a second, over those of another subject.
    Rate { of: &'static str, over: &'static str },
    /// Microseconds of CPU time for each of the steps that the first subject has more than the second.
    Step { more: &'static str, fewer: &'static str, steps: u32 },
}

/// A claim. The better of two is the smaller one in every figure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aim {
    /// The largest value that keeps it.
    pub(crate) at_most: f64,
    /// Why somebody would care.
    pub(crate) meaning: &'static str,
}

impl Aim {
    /// Whether a figure keeps it.
    pub(crate) fn is_kept(self, value: f64) -> bool {
        value <= self.at_most
    }
}

impl Comparison {
    /// All of a scenario.
    pub(crate) fn of(scenario: &'static str) -> impl Iterator<Item = &'static Self> {
        COMPARISONS.iter().filter(move |comparison| comparison.scenario == scenario)
    }

    const fn cost(scenario: &'static str, what: &'static str, of: &'static str, over: &'static str) -> Self {
        Self { scenario, what, figure: Figure::Cost { of, over }, aim: None }
    }

    const fn rate(scenario: &'static str, what: &'static str, of: &'static str, over: &'static str) -> Self {
        Self { scenario, what, figure: Figure::Rate { of, over }, aim: None }
    }

    const fn step(
        scenario: &'static str,
        what: &'static str,
        more: &'static str,
        fewer: &'static str,
        steps: u32,
    ) -> Self {
        Self { scenario, what, figure: Figure::Step { more, fewer, steps }, aim: None }
    }

    const fn at_most(self, at_most: f64, meaning: &'static str) -> Self {
        Self { aim: Some(Aim { at_most, meaning }), ..self }
    }
}

/// The aims are the project's own: what it claims, it has to keep.
const COMPARISONS: [Comparison; 30] = [
    Comparison::cost("proxy", "plain, over Envoy", "sluice", "envoy")
        .at_most(0.45, "passing on costs less than half of what the usual sidecar takes"),
    Comparison::cost("proxy", "plain, over bare hyper", "sluice", "hyper")
        .at_most(1.15, "checks, limits, deadlines and records cost a sixth of the bytes' own way"),
    Comparison::cost("proxy", "one filter, over Envoy-wasm", "sluice-1", "envoy-wasm")
        .at_most(0.40, "a sandboxed policy is cheap enough to be the normal way"),
    Comparison::cost("proxy", "one filter, over plain Envoy", "sluice-1", "envoy"),
    Comparison::cost("proxy", "bare hyper, over Envoy", "hyper", "envoy"),
    Comparison::cost("proxy", "Envoy-wasm, over Envoy", "envoy-wasm", "envoy"),
    Comparison::step("proxy", "the first filter, µs", "sluice-1", "sluice", 1),
    Comparison::step("proxy", "one more filter, µs", "sluice-5", "sluice-1", 4)
        .at_most(1.5, "policies can be many small filters instead of a large one"),
    Comparison::cost("compose", "article's form, over Envoy-wasm", "sluice-article", "envoy-wasm")
        .at_most(0.50, "composition costs less than half of a filter that calls by itself"),
    Comparison::cost("compose", "article's form, by hand", "sluice-article", "hyper-parsed")
        .at_most(1.25, "a manifest costs at most a quarter more than a service that is written for one answer"),
    Comparison::cost("compose", "article's form, over nginx", "sluice-article", "nginx-njs")
        .at_most(1.00, "no dearer than a script in nginx"),
    Comparison::cost("compose", "article's form, over Node", "sluice-article", "node")
        .at_most(1.00, "no dearer than the service that it takes the place of, in JavaScript"),
    Comparison::cost("compose", "article's form, over Go", "sluice-article", "go")
        .at_most(1.00, "no dearer than the service that it takes the place of, in Go"),
    Comparison::cost("compose", "Composition, over Envoy-wasm", "sluice-spliced", "envoy-wasm")
        .at_most(0.50, "and so does a document that says more than a route can"),
    Comparison::cost("compose", "Composition, by hand, checked", "sluice-spliced", "hyper-parsed"),
    Comparison::cost("compose", "Composition, by hand, unchecked", "sluice-spliced", "hyper-spliced")
        .at_most(1.35, "documents that stay with the host cost at most a third more than passing them on unread"),
    Comparison::cost("compose", "Composition that reads, by hand", "sluice-parsed", "hyper-parsed")
        .at_most(1.25, "a template that looks into documents costs at most a quarter more than code for it does"),
    Comparison::step("compose", "reading two documents, µs", "sluice-parsed", "sluice-spliced", 1),
    Comparison::cost("compose", "Envoy-wasm, by hand", "envoy-wasm", "hyper-parsed"),
    Comparison::cost("routes", "10 rules, over Envoy", "sluice-10", "envoy-10")
        .at_most(0.50, "routing in a sandbox costs less than half of routing in Envoy"),
    Comparison::cost("routes", "1,000 rules, over Envoy", "sluice-1000", "envoy-1000")
        .at_most(0.50, "and it stays so with many rules"),
    Comparison::cost("routes", "1,000 rules, over 10", "sluice-1000", "sluice-10")
        .at_most(1.10, "a rule more costs a request nothing"),
    Comparison::cost("routes", "10,000 VirtualServices, over 10", "services-10000", "services-10")
        .at_most(3.00, "and so does a document more"),
    Comparison::cost("routes", "Envoy: 1,000 routes, over 10", "envoy-1000", "envoy-10"),
    Comparison::step("routes", "the router and 10 rules, µs", "sluice-10", "sluice", 1),
    Comparison::cost("publish", "through JetStream, over axum", "sluice-nats", "axum")
        .at_most(1.50, "a manifest costs at most half more than a service that is written to publish"),
    Comparison::rate("publish", "axum's per s, over JetStream's", "axum", "sluice-nats")
        .at_most(1.25, "and takes nearly as many events in the same time"),
    Comparison::cost("publish", "the broker's part", "sluice-nats", "sluice-memory"),
    Comparison::rate("durable", "appends per s, over the files'", "append", "sluice-file")
        .at_most(2.00, "a channel takes at least half of the events that the disk itself could"),
    Comparison::rate("durable", "appends per s, over memory's", "append", "sluice-memory"),
];

#[cfg(test)]
mod tests {
    use super::super::scenario::ALL;
    use super::*;

    #[test]
    fn every_comparison_is_of_subjects_that_are_measured() {
        for Comparison { scenario, what, figure, .. } in &COMPARISONS {
            let scenario = ALL.into_iter().find(|one| one.name == *scenario).unwrap();
            let (Figure::Cost { of: one, over: other }
            | Figure::Rate { of: one, over: other }
            | Figure::Step { more: one, fewer: other, .. }) = figure;
            for name in [one, other] {
                assert!(scenario.subject(name).is_some(), "{what}: {} has no {name}", scenario.name);
            }
        }
    }

    #[test]
    fn an_aim_is_kept_at_its_edge_and_missed_beyond() {
        let aim = Aim { at_most: 0.5, meaning: "half" };
        assert!(aim.is_kept(0.5) && !aim.is_kept(0.51));
    }
}
