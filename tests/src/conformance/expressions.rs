//! CESQL expressions and what they are worth, in the format of the CloudEvents specification's test kit: files with
//! `name` and `tests`, of which each has an expression, an event or changes of a plain one, and a result, an error or both.

use super::run::CaseResult;
use serde::Deserialize;
use serde_json::Value as Json;
use sluicegate_bridge::cesql::{Attributes, Error, Value, evaluate, parse};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The file that lists what is known to differ lies beside the cases.
const DIFFERENCES: &str = "differences.yaml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kit {
    name: String,
    tests: Vec<Expectation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expectation {
    name: String,
    /// A text, but for those that YAML takes for something else without quotes.
    expression: Json,
    result: Option<Json>,
    error: Option<String>,
    event: Option<BTreeMap<String, Json>>,
    #[serde(default)]
    event_overrides: BTreeMap<String, Json>,
}

/// An event's attributes with the types that YAML gives them.
struct Event(BTreeMap<String, Json>);

impl Attributes for Event {
    fn attribute(&self, name: &str) -> Option<Value> {
        self.0.get(name).and_then(typed)
    }
}

/// Evaluates all expressions of a directory's files.
///
/// # Errors
/// When there is no file, or one cannot be read.
pub fn check_expressions(directory: &Path) -> Result<Vec<CaseResult>, String> {
    let entries = std::fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let paths: BTreeSet<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    let is_kit = |path: &&std::path::PathBuf| {
        path.extension().is_some_and(|extension| extension == "yaml") && !path.ends_with(DIFFERENCES)
    };
    let mut results = Vec::new();
    for path in paths.iter().filter(is_kit) {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let kit: Kit = serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        results.extend(kit.tests.iter().map(|test| CaseResult {
            name: format!("{}/{}", kit.name, test.name),
            failures: failures(test),
            remark: String::new(),
        }));
    }
    if results.is_empty() { Err(format!("{} holds no cases", directory.display())) } else { Ok(results) }
}

fn failures(test: &Expectation) -> Vec<String> {
    let plain = || [("specversion", "1.0"), ("id", "myId"), ("source", "localhost.localdomain"), ("type", "myType")];
    let mut attributes = test
        .event
        .clone()
        .unwrap_or_else(|| plain().into_iter().map(|(name, value)| (name.to_owned(), Json::from(value))).collect());
    attributes.extend(test.event_overrides.clone());
    let (value, error) = match parse(&written(&test.expression)) {
        Ok(expression) => {
            let evaluation = evaluate(&expression, &Event(attributes));
            (evaluation.value, evaluation.error.map(Error::name))
        }
        // What the kit says of the value of an expression that cannot be read.
        Err(_) => (Value::Boolean(false), Some("parse")),
    };
    let mut found = Vec::new();
    if error != test.error.as_deref() {
        found.push(format!("the error {:?} was expected, not {error:?}", test.error.as_deref()));
    }
    if let Some(expected) = &test.result
        && typed(expected).as_ref() != Some(&value)
    {
        found.push(format!("{expected} was expected, not {value:?}"));
    }
    found
}

/// An expression as the file has it.
fn written(expression: &Json) -> String {
    match expression {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn typed(value: &Json) -> Option<Value> {
    match value {
        Json::String(text) => Some(Value::String(text.clone())),
        Json::Bool(boolean) => Some(Value::Boolean(*boolean)),
        Json::Number(number) => number.as_i64().and_then(|number| i32::try_from(number).ok()).map(Value::Integer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        failures(&serde_saphyr::from_str(text).expect("it is a case"))
    }

    #[test]
    fn a_wrong_value_and_a_wrong_error_are_both_said() {
        assert!(said("{name: a, expression: '1 + 1', result: 2}").is_empty());
        assert_eq!(said("{name: a, expression: '1 + 1', result: '2'}").len(), 1);
        assert_eq!(said("{name: a, expression: '1 / 0', result: 1}").len(), 2);
        assert!(said("{name: a, expression: 'ABC(', error: parse}").is_empty());
        assert_eq!(said("{name: a, expression: 'ABC()', error: parse}").len(), 1);
    }

    #[test]
    fn expressions_that_yaml_takes_for_something_else_are_read_as_written() {
        assert!(said("{name: a, expression: TRUE, result: true}").is_empty());
        assert!(said("{name: a, expression: -10, result: -10}").is_empty());
    }
}
