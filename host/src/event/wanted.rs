//! Which events somebody wants to see: an expression of CloudEvents SQL.

use crate::wasm::bindings::sluicegate::filter::types::Event;
use sluicegate_cesql::{Attributes, Expression, Value, evaluate, parse};
use std::str::FromStr;

/// The events for which an expression is true, and nothing goes wrong on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted(Expression);

impl Wanted {
    /// Whether an event is one of them.
    pub fn has(&self, event: &Event) -> bool {
        evaluate(&self.0, event).passes()
    }
}

impl FromStr for Wanted {
    /// For people, with the place in the expression.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expression = parse(text).map_err(|error| {
            let pointer = format!("{:>1$}", '^', error.column);
            format!(
                "{error}\n  {text}\n  {pointer}\nit is an expression such as: type LIKE 'order.%' AND subject = '7'"
            )
        })?;
        if expression.calls_unknown() {
            return Err("it calls a function that there is not, or not with so many arguments".to_owned());
        }
        Ok(Self(expression))
    }
}

impl Attributes for Event {
    /// Every value is text, as no store keeps the types of extensions.
    fn attribute(&self, name: &str) -> Option<Value> {
        self.value_of(name).map(|value| Value::String(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::harness::event;
    use super::*;
    use crate::wasm::bindings::sluicegate::filter::types::Attribute;

    #[test]
    fn an_expression_has_the_events_that_it_is_true_for() {
        let mut placed = Event { type_: "order.placed".into(), subject: Some("7".into()), ..event("1") };
        placed.extensions.push(Attribute { name: "region".into(), value: "eu".into() });
        for (expression, has) in [
            ("type LIKE 'order.%' AND region = 'eu'", true),
            ("subject > 6", true),
            ("NOT EXISTS dataschema AND specversion = '1.0' AND id = '1'", true),
            ("type = 'order.paid' OR region = 'us'", false),
            ("region", false),
            ("missing = 'x'", false),
        ] {
            assert_eq!(expression.parse::<Wanted>().unwrap().has(&placed), has, "{expression}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_shown_where() {
        let error = "type LIKE 'order.%' AND AND id = '1'".parse::<Wanted>().unwrap_err();
        assert!(error.starts_with("at character 25: "), "{error}");
        assert!(error.contains(&format!("\n{}^\n", " ".repeat(2 + 24))), "{error}");
        assert!("HASH(id) = 1".parse::<Wanted>().unwrap_err().contains("function"));
    }
}
