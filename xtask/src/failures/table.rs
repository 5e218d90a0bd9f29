//! The result, for people and programs.

use super::Row;
use super::proxy::Seen;
use serde_json::{Value, json};

/// A table in Markdown.
pub(super) fn markdown(rows: &[Row]) -> String {
    let head = "| what the filter does | Sluicegate | beside, next | counted by | Envoy | beside, next | counted by |\n\
                |---|---|---|---|---|---|---|\n";
    rows.iter().fold(head.to_owned(), |text, row| {
        text + &format!("| {} |{} |{} |\n", row.way, cells(row.sluice.as_ref()), cells(row.envoy.as_ref()))
    })
}

fn cells(seen: Option<&Seen>) -> String {
    let Some(Seen { outcome, beside, next, counter }) = seen else { return " - | - | -".into() };
    let answered = |status: &Option<u16>| status.map_or_else(|| "none".into(), |status| status.to_string());
    let counter = counter.as_deref().map_or_else(|| "nothing".into(), |counter| format!("`{}`", told(counter)));
    format!(" {outcome} | {}, {} | {counter}", answered(beside), answered(next))
}

/// A counter's name without what orders it, and without its labels that are the same everywhere.
fn told(counter: &str) -> String {
    let counter = counter.trim_start_matches(|first: char| first.is_ascii_digit());
    counter
        .replace("filter=\"failing\",", "")
        .replace("version=\"0.1.0\",", "")
        .replace("sluicegate_", "")
        .replace('"', "")
}

/// Everything, as JSON.
pub(super) fn json(rows: &[Row]) -> Value {
    let seen = |seen: &Option<Seen>| {
        seen.as_ref().map(|Seen { outcome, beside, next, counter }| {
            json!({"outcome": outcome, "beside": beside, "next": next, "counter": counter.as_deref().map(told)})
        })
    };
    rows.iter().map(|row| json!({"way": row.way, "sluicegate": seen(&row.sluice), "envoy": seen(&row.envoy)})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_who_was_answered_and_what_counts() {
        let counter =
            "0sluicegate_filter_refusals_total{filter=\"failing\",version=\"0.1.0\",limit=\"deadline\"}".to_owned();
        let sluice = Seen { outcome: "503".into(), beside: Some(200), next: Some(200), counter: Some(counter) };
        let envoy = Seen { outcome: "no answer".into(), beside: None, next: None, counter: None };
        let text = markdown(&[Row { way: "endless loop", sluice: Some(sluice), envoy: Some(envoy) }]);
        let expected = "| endless loop | 503 | 200, 200 | `filter_refusals_total{limit=deadline}` | no answer | none, none | nothing |\n";
        assert!(text.ends_with(expected), "{text}");
    }
}
