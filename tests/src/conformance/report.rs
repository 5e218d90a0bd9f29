//! How results stand against what is known to differ.

use super::differences::Differences;
use super::run::CaseResult;
use serde_json::{Map, Value, json};
use std::fmt::{self, Display, Formatter};

/// How a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It passed.
    Passed,
    /// It failed, as is known.
    Known,
    /// It failed, and nobody knew.
    Failed,
    /// It passed, although it is listed as failing.
    Stale,
    /// It is listed, and there is no such case.
    Missing,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Known => "known",
            Self::Failed => "failed",
            Self::Stale => "stale",
            Self::Missing => "missing",
        }
    }
}

/// All results of a run.
#[derive(Debug)]
pub struct Report {
    lines: Vec<(Standing, String, String)>,
}

impl Report {
    /// Holds results against the list. Where only some cases were run, those that were not are not missed.
    pub fn new(results: &[CaseResult], differences: &Differences, complete: bool) -> Self {
        let judged = results.iter().map(|result| {
            let why = result.failures.join("; ");
            match (differences.reason(&result.name), result.failures.is_empty()) {
                (None, true) => (Standing::Passed, result.name.clone(), result.remark.clone()),
                (None, false) => (Standing::Failed, result.name.clone(), why),
                (Some(reason), false) => (Standing::Known, result.name.clone(), reason.to_owned()),
                (Some(reason), true) if differences.varies(&result.name) => {
                    (Standing::Known, result.name.clone(), format!("this time it passed: {reason}"))
                }
                (Some(reason), true) => (Standing::Stale, result.name.clone(), format!("listed as: {reason}")),
            }
        });
        let mut lines: Vec<_> = judged.collect();
        if complete {
            let is_run = |name: &&str| results.iter().any(|result| result.name == *name);
            let missing = differences.names().filter(|name| !is_run(name));
            lines.extend(missing.map(|name| (Standing::Missing, name.to_owned(), "there is no such case".to_owned())));
        }
        Self { lines }
    }

    /// How many cases stand so.
    pub fn count(&self, standing: Standing) -> usize {
        self.lines.iter().filter(|(one, ..)| *one == standing).count()
    }

    /// Whether anything differs from what is known.
    pub fn has_drift(&self) -> bool {
        [Standing::Failed, Standing::Stale, Standing::Missing].into_iter().any(|standing| self.count(standing) > 0)
    }

    /// All of it for programs: each case with its standing, and how many there are of each.
    pub fn json(&self) -> Value {
        let case = |(standing, name, why): &(Standing, String, String)| json!({"name": name, "standing": standing.word(), "reason": why});
        let standings = [Standing::Passed, Standing::Known, Standing::Failed, Standing::Stale, Standing::Missing];
        let counts: Map<String, Value> =
            standings.iter().map(|standing| (standing.word().to_owned(), self.count(*standing).into())).collect();
        json!({"counts": counts, "cases": self.lines.iter().map(case).collect::<Vec<_>>()})
    }

    /// The lines of those that differ from what is known.
    pub fn drift(&self) -> String {
        let is_drift = |standing| !matches!(standing, Standing::Passed | Standing::Known);
        let lines = self.lines.iter().filter(|(standing, ..)| is_drift(*standing));
        lines.map(shown).collect::<Vec<_>>().join("\n")
    }
}

fn shown((standing, name, why): &(Standing, String, String)) -> String {
    let word = match standing {
        Standing::Passed if why.is_empty() => return format!("ok       {name}"),
        Standing::Passed => "ok     ",
        Standing::Known => "known  ",
        Standing::Failed => "FAILED ",
        Standing::Stale => "STALE  ",
        Standing::Missing => "MISSING",
    };
    format!("{word}  {name}\n           {why}")
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(out, "{}", shown(line))?;
        }
        let count = |standing| self.count(standing);
        writeln!(
            out,
            "\n{} cases: {} passed, {} differ as is known, {} failed, {} listed in vain",
            self.lines.len() - count(Standing::Missing),
            count(Standing::Passed),
            count(Standing::Known),
            count(Standing::Failed),
            count(Standing::Stale) + count(Standing::Missing)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn report(complete: bool) -> Report {
        let mut file = tempfile::NamedTempFile::new().expect("a file can be made");
        file.write_all(b"- {reason: not built, cases: [a/known, a/stale, a/missing]}").expect("it can be written");
        let listed = Differences::read(file.path()).expect("it is a list");
        let result = |name: &str, failure: Option<&str>| CaseResult {
            name: name.into(),
            failures: failure.into_iter().map(str::to_owned).collect(),
            remark: String::new(),
        };
        let known = [result("a/passed", None), result("a/known", Some("404"))];
        let drift = [result("a/failed", Some("404")), result("a/stale", None)];
        let results: Vec<_> = if complete { known.into_iter().chain(drift).collect() } else { known.to_vec() };
        Report::new(&results, &listed, complete)
    }

    #[test]
    fn drift_is_reported_either_way() {
        let report = report(true);
        assert!(report.has_drift());
        let text = report.drift();
        for line in [
            "FAILED   a/failed\n           404",
            "STALE    a/stale\n           listed as: not built",
            "MISSING  a/missing",
        ] {
            assert!(text.contains(line), "{line:?} is missing in {text}");
        }
        let summary = "4 cases: 1 passed, 1 differ as is known, 1 failed, 2 listed in vain";
        assert!(report.to_string().contains(summary), "{report}");
        let json = report.json();
        assert_eq!(json["counts"], json!({"passed": 1, "known": 1, "failed": 1, "stale": 1, "missing": 1}));
        assert_eq!(json["cases"][2], json!({"name": "a/failed", "standing": "failed", "reason": "404"}));
    }

    #[test]
    fn a_part_of_the_cases_is_judged_by_itself() {
        let report = report(false);
        assert!(!report.has_drift(), "{report}");
        assert_eq!((report.count(Standing::Passed), report.count(Standing::Known)), (1, 1));
    }
}
