//! What each hostile component tries, and what has to come of it.

mod decisions;
mod handles;
mod keeping;
pub(crate) mod loading;
pub(crate) mod making;
mod resources;

use crate::component::Guest;

/// One of them.
pub(crate) struct Case {
    /// What it tries.
    pub(crate) tries: &'static str,
    /// The file.
    pub(crate) bytes: Vec<u8>,
    pub(crate) outcome: Outcome,
}

/// What has to come of it. Whatever it is, a request that it leaves alone is answered 200 right after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its request is answered 503, and this counter says so: a result of a call, and perhaps a bound.
    Fails(&'static str, Option<&'static str>),
    /// Its request goes on to the service, and this bound counts.
    Goes(&'static str),
    /// It is never in force, and the log says this.
    Refused(&'static str),
}

/// All of them, the ones that are refused last.
pub(crate) fn all() -> Vec<Case> {
    [resources::cases(), keeping::cases(), decisions::cases(), handles::cases(), loading::cases()]
        .into_iter()
        .flatten()
        .collect()
}

fn case(tries: &'static str, outcome: Outcome, guest: &Guest) -> Case {
    Case { tries, bytes: guest.build(), outcome }
}

/// A guest that does this and nothing else.
fn act(tries: &'static str, outcome: Outcome, act: impl Into<String>) -> Case {
    case(tries, outcome, &Guest::new(act))
}
