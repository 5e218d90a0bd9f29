//! The outcomes of a plan, by the names of its calls.

use super::{CallError, CallResponse, Outcome};
use serde::de::DeserializeOwned;
use std::fmt;

/// What the calls of a plan gave, in the order of the calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcomes(Vec<Outcome>);

/// Why a part cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub enum PartError {
    /// The plan had no call of this name.
    Unknown(String),
    /// The call failed.
    Failed(CallError),
    /// The body is not JSON of the type asked for; with the reason.
    Shape(String),
}

impl Outcomes {
    /// The response of a call, when there is a good one.
    ///
    /// # Errors
    /// [`PartError::Unknown`] and [`PartError::Failed`].
    pub fn response(&self, name: &str) -> Result<&CallResponse, PartError> {
        let outcome = self.0.iter().find(|outcome| outcome.name == name);
        let outcome = outcome.ok_or_else(|| PartError::Unknown(name.to_owned()))?;
        outcome.response.as_ref().map_err(|error| PartError::Failed(error.clone()))
    }

    /// The body of a call's response, as JSON of this type.
    ///
    /// # Errors
    /// Every [`PartError`].
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, PartError> {
        self.response(name)?.json().map_err(|error| PartError::Shape(error.to_string()))
    }

    /// Whether a call has a good response.
    pub fn is_good(&self, name: &str) -> bool {
        self.0.iter().any(|outcome| outcome.name == name && outcome.response.is_ok())
    }

    /// The first good response among calls of these names, with the name: what a group with `enough(1)` gave.
    pub fn first_good<'a>(&'a self, names: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, &'a CallResponse)> {
        names.into_iter().find_map(|name| Some((name, self.response(name).ok()?)))
    }

    /// Every outcome, in the order of the calls.
    pub fn iter(&self) -> std::slice::Iter<'_, Outcome> {
        self.0.iter()
    }

    /// The outcomes as a slice.
    pub fn as_slice(&self) -> &[Outcome] {
        &self.0
    }
}

impl From<Vec<Outcome>> for Outcomes {
    fn from(outcomes: Vec<Outcome>) -> Self {
        Self(outcomes)
    }
}

impl FromIterator<Outcome> for Outcomes {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        Self(outcomes.into_iter().collect())
    }
}

impl IntoIterator for Outcomes {
    type Item = Outcome;
    type IntoIter = std::vec::IntoIter<Outcome>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Outcomes {
    type Item = &'a Outcome;
    type IntoIter = std::slice::Iter<'a, Outcome>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for PartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(formatter, "the plan has no call {name:?}"),
            Self::Failed(error) => write!(formatter, "{}", describe(error)),
            Self::Shape(reason) => write!(formatter, "the answer is not of the expected shape: {reason}"),
        }
    }
}

impl std::error::Error for PartError {}

fn describe(error: &CallError) -> String {
    let text = match error {
        CallError::Deadline => "no answer in time",
        CallError::NoEndpoint => "no endpoint is known for the service",
        CallError::Refused => "no connection to the service could be made",
        CallError::Reset => "the connection ended before the answer was complete",
        CallError::TooLarge => "the answer is too large",
        CallError::Cancelled => "the call was given up",
        CallError::NotJson => "the answer is not JSON",
        CallError::Status(response) => return format!("the service answered {}", response.status),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answered, failed, outcomes};

    #[test]
    fn parts_are_found_by_the_names_of_their_calls() {
        let outcomes = outcomes([answered("a", 200, "application/json", "[1,2]"), failed("b", CallError::Deadline)]);
        assert_eq!(outcomes.json::<Vec<u8>>("a"), Ok(vec![1, 2]));
        assert_eq!(outcomes.json::<u8>("b"), Err(PartError::Failed(CallError::Deadline)));
        assert_eq!(outcomes.json::<u8>("c"), Err(PartError::Unknown("c".into())));
        let shape = outcomes.json::<String>("a").expect_err("a list is not a string");
        assert!(shape.to_string().contains("expected shape"), "{shape}");
        assert!(outcomes.is_good("a") && !outcomes.is_good("b") && !outcomes.is_good("c"));
    }

    #[test]
    fn the_first_good_one_of_several_is_found() {
        let outcomes = outcomes([
            failed("a", CallError::Cancelled),
            answered("b", 200, "text/plain", "b"),
            answered("c", 200, "text/plain", "c"),
        ]);
        let found = |names: &[&'static str]| outcomes.first_good(names.iter().copied()).map(|(name, _)| name);
        assert_eq!(found(&["a", "b", "c"]), Some("b"));
        assert_eq!(found(&["c", "b"]), Some("c"));
        assert_eq!(found(&["a", "d"]), None);
    }
}
