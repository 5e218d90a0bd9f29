//! What came back and what arrived, held against what a case expects.

use super::backend::{Arrived, NAME_HEADER};
use super::file::{Expect, Seen};
use crate::client::Answer;
use http::HeaderMap;
use serde_json::Value;
use std::collections::BTreeMap;

/// What came of one sending of a case's request.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) answer: Answer,
    /// The last request that the backend got which has answered.
    pub(super) arrived: Option<Arrived>,
}

impl Exchanged {
    /// The backend that has answered.
    pub(super) fn backend(&self) -> Option<&str> {
        self.answer.header(NAME_HEADER)
    }
}

/// Everything about one answer that is not as expected.
pub(super) fn of_answer(expect: &Expect, exchanged: &Exchanged) -> Vec<String> {
    let Exchanged { answer, arrived } = exchanged;
    let mut found = Vec::new();
    let backend = exchanged.backend();
    if let Some(wanted) = &expect.backend
        && backend != Some(wanted)
    {
        found.push(format!("backend {wanted} was expected to answer, not {}", backend.unwrap_or("the proxy")));
    }
    let implied = expect.backend.is_some() && expect.grpc_status.is_none();
    let statuses = expect.status.as_ref().map(numbers).or_else(|| implied.then(|| vec![200]));
    if statuses.is_some_and(|statuses| !statuses.contains(&u64::from(answer.status))) {
        let wanted = expect.status.as_ref().map_or_else(|| "200".to_owned(), Value::to_string);
        found.push(format!("status {wanted} was expected, not {}", answer.status));
    }
    if let Some(wanted) = expect.grpc_status {
        let got = grpc_status(answer);
        if got != Some(wanted) {
            found.push(format!("gRPC status {wanted} was expected, not {got:?} (HTTP {})", answer.status));
        }
    }
    if expect.body.as_ref().is_some_and(|wanted| *wanted != answer.text()) {
        found.push(format!(
            "the body {:?} was expected, not {:?}",
            expect.body.as_deref().unwrap_or(""),
            answer.text()
        ));
    }
    found.extend(of_headers("the client's", &expect.headers, &answer.headers, backend));
    match arrived {
        Some(arrived) => found.extend(of_seen("the backend's", &expect.upstream, arrived, backend)),
        None if expect.upstream.is_empty() => {}
        None => found.push("no backend got the request".into()),
    }
    found
}

/// Everything about a request that arrived which is not as expected.
pub(super) fn of_seen(whose: &str, expect: &Seen, arrived: &Arrived, backend: Option<&str>) -> Vec<String> {
    let parts = [
        ("method", &expect.method, &arrived.method),
        ("path", &expect.path, &arrived.path),
        ("host", &expect.host, &arrived.host),
    ];
    let differs = |(what, wanted, got): (&str, &Option<String>, &String)| {
        let wanted = wanted.as_ref().filter(|wanted| *wanted != got)?;
        Some(format!("{whose} {what} was expected to be {wanted:?}, not {got:?}"))
    };
    let parts = parts.into_iter().filter_map(differs);
    let body = expect.body.as_ref().filter(|wanted| !is_body(wanted, &arrived.body));
    let body = body.map(|wanted| format!("{whose} body was expected to be {wanted:?}, not {:?}", arrived.body));
    parts.chain(of_headers(whose, &expect.headers, &arrived.headers, backend)).chain(body).collect()
}

/// Whether a body is as expected: the same text, or the same JSON. In JSON `"${any}"` stands for any value.
fn is_body(wanted: &str, got: &str) -> bool {
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    wanted == got || matches!((json(wanted), json(got)), (Some(wanted), Some(got)) if is_json(&wanted, &got))
}

fn is_json(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::String(any), _) if any == "${any}" => true,
        (Value::Object(wanted), Value::Object(got)) => {
            wanted.len() == got.len()
                && wanted.iter().all(|(name, value)| got.get(name).is_some_and(|got| is_json(value, got)))
        }
        (Value::Array(wanted), Value::Array(got)) => {
            wanted.len() == got.len() && wanted.iter().zip(got).all(|(wanted, got)| is_json(wanted, got))
        }
        _ => wanted == got,
    }
}

fn of_headers(whose: &str, expect: &BTreeMap<String, Value>, got: &HeaderMap, backend: Option<&str>) -> Vec<String> {
    let differs = |(name, wanted): (&String, &Value)| {
        let values: Vec<String> =
            got.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        let joined = (!values.is_empty()).then(|| values.join(","));
        (!is_header(wanted, joined.as_deref(), backend)).then(|| {
            let got = joined.unwrap_or_else(|| "absent".to_owned());
            format!("{whose} header {name} was expected to be {wanted}, not {got}")
        })
    };
    expect.iter().filter_map(differs).collect()
}

/// Whether a header is as expected: null is absence, a text is the value (values joined by commas, blanks around them
/// left out), `any` lists values of which one has to be there, `items` lists the items in any order, `present` says
/// whether there is one at all.
fn is_header(wanted: &Value, got: Option<&str>, backend: Option<&str>) -> bool {
    let items = |text: &str| text.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>();
    let is = |wanted: &str| {
        let wanted = wanted.replace("${backend}", backend.unwrap_or_default());
        got.is_some_and(|got| items(got) == items(&wanted))
    };
    let sorted = |mut items: Vec<String>| {
        items.sort();
        items
    };
    match wanted {
        Value::Null => got.is_none(),
        Value::String(wanted) => is(wanted),
        Value::Object(form) => form.iter().all(|(form, wanted)| match (form.as_str(), wanted) {
            ("any", Value::Array(any)) => any.iter().any(|wanted| is_header(wanted, got, backend)),
            ("items", Value::Array(list)) => {
                let list = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                got.is_some_and(|got| sorted(items(got)) == sorted(list))
            }
            ("present", Value::Bool(present)) => got.is_some() == *present,
            _ => false,
        }),
        other => is(&other.to_string()),
    }
}

/// Everything about a number of answers together that is not as expected.
pub(super) fn of_repetitions(expect: &Expect, backends: &[Option<String>]) -> Vec<String> {
    let mut found = Vec::new();
    let tolerance = expect.tolerance.unwrap_or(0.05);
    for (name, share) in &expect.share {
        let count = backends.iter().filter(|backend| backend.as_deref() == Some(name)).count();
        let got = as_float(count) / as_float(backends.len().max(1));
        // Whoever is to get nothing gets nothing.
        if (got - share).abs() > tolerance || (*share == 0.0 && count > 0) {
            found.push(format!("{name} was expected to answer {share} of the requests, not {got}"));
        }
    }
    if let Some(sticky) = expect.sticky {
        let same = backends.windows(2).all(|pair| pair.first() == pair.last());
        if same != sticky {
            let word = if sticky { "the same" } else { "more than one" };
            found.push(format!("{word} backend was expected to answer every time: {backends:?}"));
        }
    }
    found
}

/// What is not as expected of how many requests have arrived.
pub(super) fn of_arrivals(expect: &Expect, arrived: impl Fn(&str) -> usize) -> Vec<String> {
    let differs = |(name, wanted): (&String, &Value)| {
        let bounds = numbers(wanted);
        let (least, most) = (bounds.first().copied().unwrap_or(0), bounds.last().copied().unwrap_or(u64::MAX));
        let got = arrived(name);
        (!(least..=most).contains(&(got as u64)))
            .then(|| format!("{wanted} requests were expected to arrive at {name}, not {got}"))
    };
    expect.arrived.iter().filter_map(differs).collect()
}

impl Seen {
    fn is_empty(&self) -> bool {
        self.method.is_none()
            && self.path.is_none()
            && self.host.is_none()
            && self.headers.is_empty()
            && self.body.is_none()
    }
}

fn as_float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A number, or a list of numbers.
fn numbers(value: &Value) -> Vec<u64> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_u64).collect(),
        other => other.as_u64().into_iter().collect(),
    }
}

fn grpc_status(answer: &Answer) -> Option<u32> {
    let of = |headers: &HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    answer.trailers.as_ref().and_then(of).or_else(|| of(&answer.headers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_form_of_a_header_can_hold_and_can_fail() {
        let cases = [
            (json!(null), None, true),
            (json!(null), Some("x"), false),
            (json!("a,b"), Some("a, b"), true),
            (json!("a,b"), Some("b,a"), false),
            (json!("${backend}"), Some("v1"), true),
            (json!({ "items": ["a", "b"] }), Some("b, a"), true),
            (json!({ "items": ["a", "b"] }), Some("a"), false),
            (json!({ "any": ["*", "https://a"] }), Some("https://a"), true),
            (json!({ "any": ["*", null] }), None, true),
            (json!({ "any": ["*"] }), Some("b"), false),
            (json!({ "present": true }), Some("b"), true),
            (json!({ "present": true }), None, false),
            (json!({ "unknown": true }), Some("b"), false),
        ];
        for (wanted, got, holds) in cases {
            assert_eq!(is_header(&wanted, got, Some("v1")), holds, "{wanted} {got:?}");
        }
    }

    #[test]
    fn a_body_is_compared_as_json_where_it_is_json() {
        for (wanted, got, same) in [
            ("text", "text", true),
            ("text", "other", false),
            (r#"{"a": 1, "b": [2]}"#, r#"{"b":[2],"a":1}"#, true),
            (r#"{"a": 1}"#, r#"{"a":1,"b":2}"#, false),
            (r#"{"time": "${any}"}"#, r#"{"time":"now"}"#, true),
            (r#"{"time": "${any}"}"#, "{}", false),
            ("[1, 2]", "[1]", false),
        ] {
            assert_eq!(is_body(wanted, got), same, "{wanted} {got}");
        }
    }

    #[test]
    fn a_backend_without_a_share_gets_nothing() {
        let expect = Expect { share: BTreeMap::from([("v1".into(), 1.0), ("v3".into(), 0.0)]), ..Expect::default() };
        let mut backends = vec![Some("v1".to_owned()); 99];
        assert!(of_repetitions(&expect, &backends).is_empty());
        backends.push(Some("v3".to_owned()));
        assert_eq!(of_repetitions(&expect, &backends).len(), 1);
    }

    #[test]
    fn arrivals_are_a_number_or_a_range() {
        let expect = Expect {
            arrived: BTreeMap::from([("v1".into(), json!(2)), ("v2".into(), json!([1, 3]))]),
            ..Expect::default()
        };
        assert!(of_arrivals(&expect, |_| 2).is_empty());
        assert_eq!(of_arrivals(&expect, |_| 3).len(), 1);
        assert_eq!(of_arrivals(&expect, |_| 4).len(), 2);
    }
}
