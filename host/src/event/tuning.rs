//! What annotations of this proxy say of channels and subscriptions, beyond what their specifications have.

use super::resource::FieldError;
use crate::config::StoreChoice;
use clap::ValueEnum;
use serde_json::Value;

/// Names the store of a channel: `memory` or `file`.
const STORE: &str = "sluicegate.dev/store";
/// Deliveries of a subscription at a time.
const CONCURRENCY: &str = "sluicegate.dev/concurrency";
/// `key` delivers events of the same key one after the other.
const ORDERING: &str = "sluicegate.dev/ordering";

/// Deliveries of one subscription at a time, those that wait for their next try included: enough to hide a
/// subscriber's latency, few enough not to be what overloads it.
pub(super) const CONCURRENCY_DEFAULT: usize = 16;
/// More deliveries of one subscription at a time are a mistake: each holds an event and a connection.
const CONCURRENCY_MOST: usize = 1_024;

/// Which events of a subscription wait for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ordering {
    /// None do.
    #[default]
    None,
    /// Those of the same key are delivered one after the other, in the order of publishing. The key is the extension
    /// `partitionkey`, else the `subject`; events with neither have the empty key in common.
    Key,
}

/// The store that a channel's annotation or its template asks for.
pub(super) fn store(document: &Value) -> Result<Option<StoreChoice>, FieldError> {
    let of_template = document.pointer("/spec/channelTemplate/spec/store");
    let (field, asked) = match annotation(document, STORE) {
        Some(asked) => ("metadata.annotations[sluicegate.dev/store]", asked),
        None => match of_template {
            Some(asked) => ("spec.channelTemplate.spec.store", asked),
            None => return Ok(None),
        },
    };
    let choice = asked.as_str().and_then(|name| StoreChoice::from_str(name, false).ok());
    choice.map(Some).ok_or_else(|| (field, format!("{asked} is no store: write {}", known())))
}

/// How many deliveries of a subscription there may be at a time.
pub(super) fn concurrency(document: &Value) -> Result<usize, FieldError> {
    let Some(written) = annotation(document, CONCURRENCY) else { return Ok(CONCURRENCY_DEFAULT) };
    let number = written.as_str().and_then(|text| text.parse().ok());
    number.filter(|number| (1..=CONCURRENCY_MOST).contains(number)).ok_or_else(|| {
        let reason = format!("{written} is no number from 1 to {CONCURRENCY_MOST}, in quotes");
        ("metadata.annotations[sluicegate.dev/concurrency]", reason)
    })
}

/// Which events of a subscription wait for one another.
pub(super) fn ordering(document: &Value) -> Result<Ordering, FieldError> {
    match annotation(document, ORDERING) {
        None => Ok(Ordering::None),
        Some(Value::String(word)) if word == "key" => Ok(Ordering::Key),
        Some(Value::String(word)) if word == "none" => Ok(Ordering::None),
        Some(other) => {
            Err(("metadata.annotations[sluicegate.dev/ordering]", format!("{other} is neither `key` nor `none`")))
        }
    }
}

fn annotation<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
    document.get("metadata")?.get("annotations")?.get(name)
}

fn known() -> String {
    let names = StoreChoice::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    names.map(|value| format!("`{}`", value.get_name())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(name: &str, value: Value) -> Value {
        json!({"metadata": {"annotations": {name: value}}})
    }

    #[test]
    fn what_is_not_annotated_has_its_default() {
        let plain = json!({"metadata": {"name": "orders"}});
        assert_eq!(store(&plain), Ok(None));
        assert_eq!((concurrency(&plain), ordering(&plain)), (Ok(CONCURRENCY_DEFAULT), Ok(Ordering::None)));
    }

    #[test]
    fn an_annotation_beats_the_template() {
        let mut document = json!({"spec": {"channelTemplate": {"spec": {"store": "memory"}}}});
        assert_eq!(store(&document), Ok(Some(StoreChoice::Memory)));
        document["metadata"] = json!({"annotations": {STORE: "nowhere"}});
        assert_eq!(store(&document).unwrap_err().0, "metadata.annotations[sluicegate.dev/store]");
    }

    #[test]
    fn numbers_and_words_that_mean_nothing_are_refused() {
        assert_eq!(concurrency(&with(CONCURRENCY, json!("4"))), Ok(4));
        assert_eq!(ordering(&with(ORDERING, json!("key"))), Ok(Ordering::Key));
        for wrong in [json!("0"), json!("1025"), json!("many"), json!(4)] {
            assert!(concurrency(&with(CONCURRENCY, wrong.clone())).is_err(), "{wrong}");
            assert!(ordering(&with(ORDERING, wrong.clone())).is_err(), "{wrong}");
            assert!(store(&with(STORE, wrong.clone())).is_err(), "{wrong}");
        }
    }
}
