//! `limits` and `grants` of a `Filter` document.

use crate::config::{limits, quantity};
use crate::manifest::{Diagnostics, Document, Severity, codes};
use crate::wasm::{Bounds, WrittenGrants};
use serde_json::Value;
use std::time::Duration;

/// Reads values, and says of those that cannot be used why.
pub(super) struct Reader<'a> {
    pub(super) document: &'a Document,
    pub(super) spec: &'a Value,
    pub(super) diagnostics: &'a mut Diagnostics,
}

/// What a document that fits the schema says of limits. What is out of range is said, and the default stands in for it.
pub(super) fn read(reader: &mut Reader<'_>) -> Bounds {
    let default = Bounds::default();
    Bounds {
        request_time: reader.time("requestTime", default.request_time),
        table_elements: reader.count("tableElements", default.table_elements, limits::FILTER_TABLE),
        decision: reader.size("decision", default.decision, limits::FILTER_MEMORY_MAX),
        edits: reader.count("edits", default.edits, limits::FILTER_HEADERS_MAX),
        edit_bytes: reader.size("editBytes", default.edit_bytes, limits::FILTER_MEMORY_MAX),
        headers: reader.count("headers", default.headers, limits::FILTER_HEADERS_MAX),
        calls: reader.count("calls", default.calls, limits::PLAN_CALLS),
        mirrors: reader.count("mirrors", default.mirrors, limits::MIRRORS),
        publications: reader.count("publications", default.publications, usize::MAX),
        calls_in_flight: reader.count("callsInFlight", default.calls_in_flight, usize::MAX),
        publications_in_flight: reader.count("publicationsInFlight", default.publications_in_flight, usize::MAX),
        replies: reader.count("replies", default.replies, limits::REPLIES),
        log_lines: reader.count("logLines", default.log_lines, usize::MAX),
        log_bytes: reader.size("logBytes", default.log_bytes, limits::FILTER_MEMORY_MAX),
        metric_series: reader.count("metricSeries", default.metric_series, limits::FILTER_METRIC_SERIES_MAX),
        store_bytes: reader.size("storeBytes", default.store_bytes, limits::FILTER_MEMORY_MAX),
        store_keys: reader.count("storeKeys", default.store_keys, usize::MAX),
    }
}

/// What it says of grants; none where it says nothing.
pub(super) fn grants(spec: &Value) -> Option<WrittenGrants> {
    let grants = spec.get("grants")?;
    let names = |field: &str| {
        let listed = grants.get(field).and_then(Value::as_array).into_iter().flatten();
        listed.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Some(WrittenGrants { forward: names("forward"), call: names("call"), publish: names("publish") })
}

impl Reader<'_> {
    fn count(&mut self, field: &str, default: usize, most: usize) -> usize {
        let Some(written) = self.limit(field).and_then(Value::as_u64) else { return default };
        match usize::try_from(written) {
            Ok(count) if count <= most => count,
            _ => self.refuse(
                field,
                format!("`{written}` is more than any filter may have"),
                &format!("write at most {most}"),
                default,
            ),
        }
    }

    fn size(&mut self, field: &str, default: usize, most: usize) -> usize {
        let Some(written) = self.limit(field).and_then(Value::as_str) else { return default };
        match quantity::size(written).ok().and_then(|bytes| usize::try_from(bytes).ok()) {
            Some(bytes) if bytes <= most => bytes,
            _ => {
                let help = format!("write a size such as 64KiB, at most {}MiB", most >> 20);
                self.refuse(field, format!("`{written}` is not a size that it may have"), &help, default)
            }
        }
    }

    fn time(&mut self, field: &str, default: Duration) -> Duration {
        let Some(written) = self.limit(field).and_then(Value::as_str) else { return default };
        match quantity::duration(written) {
            Ok(time) if (limits::FILTER_TICK..=Duration::from_secs(10)).contains(&time) => time,
            _ => self.refuse(
                field,
                format!("`{written}` is not a time for a request's calls"),
                "write a duration from 5ms to 10s",
                default,
            ),
        }
    }

    fn limit(&self, field: &str) -> Option<&'_ Value> {
        self.spec.get("limits")?.get(field)
    }

    fn refuse<T>(&mut self, field: &str, message: String, help: &str, default: T) -> T {
        let pointer = format!("/spec/limits/{field}");
        let diagnostic = self.document.diagnostic(Severity::Error, codes::FILTER_SETTINGS, &pointer, message);
        self.diagnostics.push(diagnostic.help(help.to_owned()));
        default
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::{FilterPolicy, POLICY_SCHEMA};
    use super::*;
    use crate::manifest::{self, schema::Schema};
    use crate::wasm::bound::BOUNDS;
    use std::path::Path;

    /// What comes of a document, and what is said of it.
    fn policy(spec: &str) -> (FilterPolicy, String) {
        let text = format!("apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata: {{name: a}}\nspec: {spec}\n");
        let mut diagnostics = Diagnostics::new();
        let documents = manifest::parse(Path::new("a.yaml"), text.as_bytes(), "default", &mut diagnostics);
        let schema = Schema::compile("Filter", serde_json::from_str(POLICY_SCHEMA).unwrap()).unwrap();
        let fits = schema.check(&documents[0], &mut diagnostics);
        let policy = if fits { FilterPolicy::read(&documents[0], &mut diagnostics) } else { FilterPolicy::default() };
        let mut said = Vec::new();
        diagnostics.render(&mut said, false).unwrap();
        (policy, String::from_utf8(said).unwrap())
    }

    #[test]
    fn limits_are_written_in_units() {
        let (policy, said) = policy(
            "{limits: {requestTime: 20ms, tableElements: 7, decision: 1MiB, edits: 3, editBytes: 2KiB, headers: 14, calls: 4, mirrors: 0, \
             publications: 5, callsInFlight: 6, publicationsInFlight: 8, replies: 15, logLines: 9, logBytes: 10kB, metricSeries: 11, storeBytes: 12KiB, storeKeys: 13}}",
        );
        let expected = Bounds {
            request_time: Duration::from_millis(20),
            table_elements: 7,
            decision: 1 << 20,
            edits: 3,
            edit_bytes: 2 << 10,
            headers: 14,
            calls: 4,
            mirrors: 0,
            publications: 5,
            calls_in_flight: 6,
            publications_in_flight: 8,
            replies: 15,
            log_lines: 9,
            log_bytes: 10_000,
            metric_series: 11,
            store_bytes: 12 << 10,
            store_keys: 13,
        };
        assert_eq!((&*policy.settings.bounds, said.as_str()), (&expected, ""));
    }

    #[test]
    fn a_limit_that_no_filter_may_have_is_said_and_the_default_stands_in() {
        for (limit, expected) in [
            ("calls: 65", "write at most 64"),
            ("edits: 4097", "write at most 4096"),
            ("headers: 4097", "write at most 4096"),
            ("tableElements: 20001", "write at most 20000"),
            ("decision: 1GiB", "at most 256MiB"),
            ("requestTime: 1ms", "from 5ms to 10s"),
            ("replies: 20001", "write at most 20000"),
            ("logBytes: many", "a size such as 64KiB"),
            ("metricSeries: 10001", "write at most 10000"),
            ("series: 5", "series"),
        ] {
            let (policy, said) = policy(&format!("{{limits: {{{limit}}}}}"));
            assert!(said.contains(expected), "{limit}: {said}");
            assert_eq!(*policy.settings.bounds, Bounds::default(), "{limit}");
        }
    }

    #[test]
    fn grants_that_are_not_written_are_no_empty_grants() {
        assert_eq!(policy("{}").0.grants, None);
        let expected = WrittenGrants { call: vec!["inventory-*".into()], ..WrittenGrants::default() };
        assert_eq!(policy("{grants: {call: [inventory-*]}}").0.grants, Some(expected));
    }

    #[test]
    fn every_setting_of_the_table_is_one_of_the_schema() {
        let schema: Value = serde_json::from_str(POLICY_SCHEMA).unwrap();
        for setting in BOUNDS.iter().filter_map(|row| row.setting) {
            let pointer = format!("/properties/spec/properties/{}", setting.replace('/', "/properties/"));
            assert!(schema.pointer(&pointer).is_some(), "{setting}");
        }
    }
}
