//! What is compared: each scenario is one request, and the programs that answer it.

mod compose;
mod durable;
mod proxy;
mod publish;
mod routes;

pub(crate) use durable::PUBLISHERS;

use super::load::Request;
use super::program::{Program, Stage};
use anyhow::Result;
use std::net::SocketAddr;

/// One comparison.
pub(crate) struct Scenario {
    /// Its name on the command line and in the report.
    pub(crate) name: &'static str,
    /// What is measured, in a sentence.
    pub(crate) about: &'static str,
    /// The subjects that others are set against: columns of the table.
    pub(crate) references: &'static [&'static str],
    /// All subjects in the order of a round.
    pub(crate) subjects: &'static [Subject],
    /// What they are sent under load.
    pub(crate) request: fn() -> Request,
    /// Fails unless a subject does the work that is about to be measured.
    pub(crate) verify: fn(&Stage<'_>, &Subject, SocketAddr) -> Result<()>,
}

/// One program in one setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    /// Its name on the command line, in the report and of its log.
    pub(crate) name: &'static str,
    /// What it is, in a few words.
    pub(crate) about: &'static str,
    /// How it is started.
    pub(crate) program: Program,
}

/// All scenarios.
pub(crate) const ALL: [&Scenario; 5] =
    [&proxy::SCENARIO, &compose::SCENARIO, &publish::SCENARIO, &routes::SCENARIO, &durable::SCENARIO];

/// What requests carry beside `Host`, through whichever program.
const USUAL_HEADERS: [&str; 4] = ["User-Agent: bench", "Accept: text/plain", "Accept-Language: en", "X-Tenant: blue"];

impl Scenario {
    /// The subject of this name.
    #[cfg(test)]
    pub(crate) fn subject(&self, name: &str) -> Option<&'static Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }
}

/// A GET as a browser might send it, on as many connections as a busy proxy has.
fn get(host: &'static str, path: &'static str) -> Request {
    let headers = [host].into_iter().chain(USUAL_HEADERS).collect();
    Request { method: "GET", path, headers, body: String::new(), unique: None, connections: 64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn subjects_of_a_scenario_have_names_of_their_own() {
        for scenario in ALL {
            let names: HashSet<_> = scenario.subjects.iter().map(|subject| subject.name).collect();
            assert_eq!(names.len(), scenario.subjects.len(), "{}", scenario.name);
        }
    }

    #[test]
    fn columns_of_a_table_are_subjects() {
        for scenario in ALL {
            for reference in scenario.references {
                assert!(scenario.subject(reference).is_some(), "{} has no {reference}", scenario.name);
            }
        }
    }
}
