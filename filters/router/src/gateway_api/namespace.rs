//! Labels of namespaces, and what selects by them.

use super::config::{Expression, Selector};
use crate::code;
use crate::report::{Place, Report};
use sluicegate_sdk::Resource;
use std::collections::BTreeMap;

/// Kubernetes gives every namespace this label.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

/// The labels of the namespaces that have documents.
#[derive(Debug, Default)]
pub struct Namespaces(BTreeMap<String, BTreeMap<String, String>>);

impl Namespaces {
    /// Reads a `Namespace`.
    pub fn add(&mut self, resource: &Resource) {
        let document = resource.value();
        let labels = document.pointer("/metadata/labels").and_then(serde_json::Value::as_object);
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let labels = labels.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), text(value)?)));
        self.0.insert(resource.name.clone(), labels.collect());
    }

    /// Whether a selector takes a namespace.
    pub fn selected(&self, selector: &Selector, namespace: &str) -> bool {
        let label = |key: &str| match key {
            NAME_LABEL => Some(namespace),
            _ => self.0.get(namespace)?.get(key).map(String::as_str),
        };
        let same = |(key, value): (&String, &String)| label(key) == Some(value);
        let meets = |expression: &Expression| {
            let value = label(&expression.key);
            let listed = value.is_some_and(|value| expression.values.iter().any(|known| known == value));
            match expression.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                _ => value.is_none(),
            }
        };
        selector.match_labels.iter().all(same) && selector.match_expressions.iter().all(meets)
    }
}

/// Reports what is wrong with a selector.
pub fn check_selector(selector: &Selector, place: &Place, report: &mut Report<'_>) {
    for (index, expression) in selector.match_expressions.iter().enumerate() {
        let place = place.key("matchExpressions").index(index);
        let takes_values = matches!(expression.operator.as_str(), "In" | "NotIn");
        if !OPERATORS.contains(&expression.operator.as_str()) {
            let message = format!("`{}` is not an operator", expression.operator);
            report.error(&place.key("operator"), code::LISTENER, message, "use In, NotIn, Exists or DoesNotExist");
        } else if takes_values == expression.values.is_empty() {
            let help = "In and NotIn take `values`, the other operators take none";
            report.error(&place, code::LISTENER, "`operator` and `values` do not fit", help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::resource;

    #[test]
    fn namespaces_are_selected_by_labels_and_by_their_name() {
        let mut namespaces = Namespaces::default();
        namespaces.add(&resource(0, r#"{"kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "a"}}}"#));
        for (selector, shop, other) in [
            ("{}", true, true),
            (r#"{"matchLabels": {"team": "a"}}"#, true, false),
            (r#"{"matchLabels": {"team": "b"}}"#, false, false),
            (r#"{"matchLabels": {"kubernetes.io/metadata.name": "other"}}"#, false, true),
            (r#"{"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}"#, true, false),
            (r#"{"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}"#, false, true),
            (r#"{"matchExpressions": [{"key": "team", "operator": "Exists"}]}"#, true, false),
            (r#"{"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}"#, false, true),
        ] {
            let read: Selector = serde_json::from_str(selector).expect(selector);
            assert_eq!(namespaces.selected(&read, "shop"), shop, "{selector}");
            assert_eq!(namespaces.selected(&read, "other"), other, "{selector}");
        }
    }
}
