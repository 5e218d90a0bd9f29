//! What a `Filter` document says of failures (`failureAnswer`, `quarantine`) and of the life of instances (`recycle`).

use crate::config::quantity;
use crate::error::FailureAnswer;
use crate::manifest::{Diagnostics, Document, Severity, codes};
use crate::wasm::{Quarantine, Recycle, Resilience};
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Shorter and longer times are mistakes: nothing is looked at more often, and nothing of it lasts for days.
const TIMES: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(24);
/// A chosen answer may hold so many bytes: a page that says sorry.
const ANSWER_BODY: usize = 64 << 10;

/// Reads them. What is out of range is said, and the default stands in for it.
pub(super) fn read(document: &Document, diagnostics: &mut Diagnostics) -> Resilience {
    let spec = document.value.get("spec").unwrap_or(&Value::Null);
    let mut reader = Reader { document, diagnostics };
    let answer = spec.get("failureAnswer").and_then(|given| reader.answer(given));
    let quarantine = match spec.get("quarantine") {
        None => Some(Quarantine::default()),
        Some(given) if given.get("enabled").and_then(Value::as_bool) == Some(false) => None,
        Some(given) => Some(reader.quarantine(given)),
    };
    let recycle = spec.get("recycle").map_or_else(Recycle::default, |given| reader.recycle(given));
    Resilience { answer, quarantine, recycle }
}

struct Reader<'a> {
    document: &'a Document,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn answer(&mut self, given: &Value) -> Option<Arc<FailureAnswer>> {
        let status = given.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        let status = status.and_then(|status| StatusCode::from_u16(status).ok())?;
        let body = given.get("body").and_then(Value::as_str).unwrap_or_default().to_owned();
        if body.len() > ANSWER_BODY {
            self.refuse("failureAnswer/body", "the body is too long".to_owned(), "write at most 64 KiB");
            return None;
        }
        let content_type = match given.get("contentType").and_then(Value::as_str) {
            None => HeaderValue::from_static("text/plain; charset=utf-8"),
            Some(text) => HeaderValue::from_str(text)
                .map_err(|_| {
                    let message = format!("`{text}` is not the value of a header");
                    self.refuse("failureAnswer/contentType", message, "write a media type such as application/json");
                })
                .ok()?,
        };
        Some(Arc::new(FailureAnswer { status, body, content_type }))
    }

    fn quarantine(&mut self, given: &Value) -> Quarantine {
        let default = Quarantine::default();
        let failures = given.get("failures").and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
        let mut time = |field, otherwise| self.time(given, "quarantine", field).unwrap_or(otherwise);
        let (within, pause) = (time("within", default.within), time("pause", default.pause));
        let longest = time("longest", default.longest).max(pause);
        Quarantine { failures: failures.unwrap_or(default.failures), within, pause, longest }
    }

    fn recycle(&mut self, given: &Value) -> Recycle {
        let calls = given.get("calls").and_then(Value::as_u64).and_then(|calls| u32::try_from(calls).ok());
        let memory = given.get("memory").and_then(Value::as_str).and_then(|text| {
            let bytes = quantity::size(text).ok().and_then(|bytes| usize::try_from(bytes).ok());
            if bytes.is_none() {
                self.refuse("recycle/memory", format!("`{text}` is not a size"), "write a size such as 32MiB");
            }
            bytes
        });
        Recycle { calls, age: self.time(given, "recycle", "age"), memory }
    }

    fn time(&mut self, given: &Value, group: &str, field: &str) -> Option<Duration> {
        let text = given.get(field)?.as_str()?;
        let time = quantity::duration(text).ok().filter(|time| TIMES.contains(time));
        if time.is_none() {
            let message = format!("`{text}` is not a time for this");
            self.refuse(&format!("{group}/{field}"), message, "write a duration from 100ms to 24h");
        }
        time
    }

    fn refuse(&mut self, field: &str, message: String, help: &str) {
        let pointer = format!("/spec/{field}");
        let diagnostic = self.document.diagnostic(Severity::Error, codes::FILTER_SETTINGS, &pointer, message);
        self.diagnostics.push(diagnostic.help(help.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn resilience(spec: &str) -> (Resilience, usize) {
        let text = format!("apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata: {{name: a}}\nspec: {spec}\n");
        let mut diagnostics = Diagnostics::new();
        let documents = crate::manifest::parse(Path::new("a.yaml"), text.as_bytes(), "default", &mut diagnostics);
        (read(&documents[0], &mut diagnostics), diagnostics.len())
    }

    #[test]
    fn without_a_word_the_defaults_hold() {
        assert_eq!(resilience("{}"), (Resilience::default(), 0));
    }

    #[test]
    fn everything_may_be_chosen() {
        let (chosen, mistakes) = resilience(
            "{failureAnswer: {status: 429, body: later}, quarantine: {failures: 3, pause: 2s}, \
             recycle: {calls: 10, age: 5m, memory: 8MiB}}",
        );
        assert_eq!(mistakes, 0);
        let answer = chosen.answer.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (429, "later"));
        let expected = Quarantine { failures: 3, pause: Duration::from_secs(2), ..Quarantine::default() };
        assert_eq!(chosen.quarantine, Some(expected));
        let expected = Recycle { calls: Some(10), age: Some(Duration::from_mins(5)), memory: Some(8 << 20) };
        assert_eq!(chosen.recycle, expected);
    }

    #[test]
    fn quarantine_can_be_switched_off() {
        assert_eq!(resilience("{quarantine: {enabled: false}}").0.quarantine, None);
    }

    #[test]
    fn mistakes_are_said_and_the_defaults_stand_in() {
        let (chosen, mistakes) =
            resilience("{quarantine: {within: soon, pause: 1ms}, recycle: {age: 0s, memory: much}}");
        assert_eq!((chosen, mistakes), (Resilience::default(), 4));
    }
}
