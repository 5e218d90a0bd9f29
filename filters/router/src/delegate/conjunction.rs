//! What requests meet both a match of a root and a match of its delegate.

use crate::attachment;
use serde_json::{Map, Value};

/// A match as written.
type Match = Map<String, Value>;

/// The blocks that stand for what both lists take together, each list with the namespace that it is written in; none
/// where a block of the delegate's fits none of the root's, as Istio then drops the whole rule. An empty list takes
/// everything.
pub(super) fn conjunction(root: (&[Value], &str), delegate: (&[Value], &str)) -> Option<Vec<Value>> {
    let (roots, own) = (blocks(root.0, root.1), blocks(delegate.0, delegate.1));
    if root.0.is_empty() || delegate.0.is_empty() {
        let written = if root.0.is_empty() { own } else { roots };
        return Some(written.into_iter().map(Value::Object).collect());
    }
    let mut pairs = Vec::new();
    for own in &own {
        let known = pairs.len();
        pairs.extend(roots.iter().filter_map(|root| both(root, own)).map(Value::Object));
        if pairs.len() == known {
            return None;
        }
    }
    Some(pairs)
}

/// The blocks without fields that say nothing, and with the full names of gateways.
fn blocks(written: &[Value], namespace: &str) -> Vec<Match> {
    if written.is_empty() {
        return vec![Match::new()];
    }
    let block = |written: &Value| {
        let mut block = written.as_object().cloned().unwrap_or_default();
        block.retain(|_, value| !value.is_null());
        for gateway in block.get_mut("gateways").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(name) = gateway.as_str() {
                *gateway = Value::String(attachment::full_name(name, namespace));
            }
        }
        block
    };
    written.iter().map(block).collect()
}

/// One block for both, or none where they contradict each other. Case counts for both or for neither, as in Istio.
fn both(root: &Match, own: &Match) -> Option<Match> {
    if ignores_case(root) != ignores_case(own) {
        return None;
    }
    let mut both = root.clone();
    for (field, value) in own {
        let merged = match (root.get(field), field.as_str()) {
            (None, _) | (Some(_), "statPrefix") => value.clone(),
            (Some(other), "uri" | "scheme" | "method" | "authority") => narrower(other, value)?,
            (Some(other), "headers" | "queryParams") => members(other, value, narrower)?,
            (Some(other), "withoutHeaders") => members(other, value, wider)?,
            (Some(other), "sourceLabels") => members(other, value, equal)?,
            (Some(other), "gateways") => part(other, value)?,
            (Some(other), "name") => joined(other, value),
            (Some(other), _) => equal(other, value)?,
        };
        both.insert(field.clone(), merged);
    }
    Some(both)
}

fn ignores_case(block: &Match) -> bool {
    block.get("ignoreUriCase").and_then(Value::as_bool).unwrap_or(false)
}

/// All members of both; a name that both have must say something that can be true together.
fn members(root: &Value, own: &Value, merge: fn(&Value, &Value) -> Option<Value>) -> Option<Value> {
    let mut both = root.as_object()?.clone();
    for (name, value) in own.as_object()? {
        let merged = match both.get(name) {
            Some(other) => merge(other, value)?,
            None => value.clone(),
        };
        both.insert(name.clone(), merged);
    }
    Some(Value::Object(both))
}

fn equal(root: &Value, own: &Value) -> Option<Value> {
    (root == own).then(|| own.clone())
}

/// The delegate's gateways, which must be some of the root's.
fn part(root: &Value, own: &Value) -> Option<Value> {
    let (roots, list) = (root.as_array()?, own.as_array()?);
    match (roots.is_empty(), list.is_empty()) {
        (true, _) => Some(own.clone()),
        (false, true) => Some(root.clone()),
        (false, false) => list.iter().all(|name| roots.contains(name)).then(|| own.clone()),
    }
}

fn joined(root: &Value, own: &Value) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Value::String(format!("{}-{}", text(root), text(own)))
}

/// The narrower of two string matches, of which the delegate's must lie within the root's.
fn narrower(root: &Value, own: &Value) -> Option<Value> {
    if is_presence(own) {
        return Some(root.clone());
    }
    contains(root, own).then(|| own.clone())
}

/// For what must not match: to exclude the wider one excludes the other as well.
fn wider(root: &Value, own: &Value) -> Option<Value> {
    if is_presence(own) {
        return Some(own.clone());
    }
    contains(root, own).then(|| root.clone())
}

/// Whether everything that the delegate's takes is taken by the root's. Of expressions nothing is known, not even of
/// equal ones beside each other.
fn contains(root: &Value, own: &Value) -> bool {
    if is_presence(root) {
        return true;
    }
    let text = |value: &Value, kind: &str| value.get(kind).and_then(Value::as_str).map(str::to_owned);
    let (exact, prefix) = (text(own, "exact"), text(own, "prefix"));
    match (text(root, "exact"), text(root, "prefix")) {
        (Some(root), _) => exact.as_ref() == Some(&root),
        (None, Some(root)) => exact.or(prefix).is_some_and(|own| own.starts_with(&root)),
        (None, None) => false,
    }
}

fn is_presence(text: &Value) -> bool {
    text.as_object().is_some_and(|kinds| kinds.values().all(Value::is_null))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Value {
        serde_saphyr::from_str(text).expect("the test's own YAML is valid")
    }

    fn merged(root: &str, own: &str) -> Option<Value> {
        let list = |text: &str| parse(text).as_array().cloned().unwrap_or_default();
        conjunction((&list(root), "root"), (&list(own), "own")).map(Value::Array)
    }

    #[test]
    fn each_field_follows_the_table() {
        for (root, own, expected) in [
            ("uri: {prefix: /a}", "uri: {prefix: /a/b}", Some("uri: {prefix: /a/b}")),
            ("uri: {prefix: /a}", "uri: {exact: /a/b}", Some("uri: {exact: /a/b}")),
            ("uri: {prefix: /a}", "uri: {prefix: /b}", None),
            ("uri: {exact: /a}", "uri: {exact: /a}", Some("uri: {exact: /a}")),
            ("uri: {exact: /a}", "uri: {prefix: /a}", None),
            ("uri: {regex: a}", "uri: {regex: a}", None),
            ("uri: {prefix: a}", "uri: {regex: a}", None),
            ("uri: {regex: a}", "method: {exact: GET}", Some("uri: {regex: a}, method: {exact: GET}")),
            ("method: {exact: GET}", "method: {exact: POST}", None),
            ("headers: {a: {exact: x}}", "headers: {b: {}}", Some("headers: {a: {exact: x}, b: {}}")),
            ("headers: {a: {exact: x}}", "headers: {a: {exact: y}}", None),
            ("headers: {a: {}}", "headers: {a: {exact: y}}", Some("headers: {a: {exact: y}}")),
            ("headers: {a: {exact: y}}", "headers: {a: {}}", Some("headers: {a: {exact: y}}")),
            ("withoutHeaders: {a: {exact: y}}", "withoutHeaders: {a: {}}", Some("withoutHeaders: {a: {}}")),
            (
                "withoutHeaders: {a: {prefix: v}}",
                "withoutHeaders: {a: {exact: vz}}",
                Some("withoutHeaders: {a: {prefix: v}}"),
            ),
            ("queryParams: {a: {prefix: v}}", "queryParams: {a: {exact: vz}}", Some("queryParams: {a: {exact: vz}}")),
            ("sourceLabels: {a: b}", "sourceLabels: {a: c}", None),
            ("sourceLabels: {a: b}", "sourceLabels: {b: c}", Some("sourceLabels: {a: b, b: c}")),
            ("ignoreUriCase: true", "ignoreUriCase: false", None),
            ("ignoreUriCase: true", "port: 80", None),
            ("uri: {prefix: /a}", "uri: {exact: /a/b}, ignoreUriCase: true", None),
            ("port: 80", "ignoreUriCase: false", Some("port: 80, ignoreUriCase: false")),
            ("ignoreUriCase: true", "ignoreUriCase: true", Some("ignoreUriCase: true")),
            ("port: 80", "port: 81", None),
            ("sourceNamespace: a", "sourceNamespace: b", None),
            ("gateways: [a/x, a/y]", "gateways: [a/y]", Some("gateways: [a/y]")),
            ("gateways: [a/x]", "gateways: [a/y]", None),
            ("gateways: [x]", "gateways: [root/x]", Some("gateways: [root/x]")),
            ("gateways: [x]", "gateways: [x]", None),
            ("name: a", "name: b", Some("name: a-b")),
        ] {
            let expected = expected.map(|block| parse(&format!("[{{{block}}}]")));
            assert_eq!(merged(&format!("[{{{root}}}]"), &format!("[{{{own}}}]")), expected, "{root} and {own}");
        }
    }

    #[test]
    fn a_rule_of_which_one_block_fits_no_root_is_dropped_as_a_whole() {
        let root = "[{uri: {prefix: /a}}, {uri: {prefix: /b}}]";
        assert_eq!(merged(root, "[{uri: {prefix: /a/x}}, {uri: {prefix: /c}}]"), None);
        assert!(merged(root, "[{uri: {prefix: /a/x}}, {uri: {prefix: /b/x}}]").is_some());
    }

    #[test]
    fn a_side_without_matches_leaves_the_case_to_the_other() {
        let ignoring = "[{uri: {prefix: /a}, ignoreUriCase: true}]";
        assert_eq!(merged("[]", ignoring), Some(parse(ignoring)));
        assert_eq!(merged(ignoring, "[]"), Some(parse(ignoring)));
    }

    #[test]
    fn every_pair_counts_and_those_that_contradict_each_other_are_left_out() {
        let root = "[{uri: {prefix: /a}}, {uri: {prefix: /b}}]";
        let own = "[{uri: {prefix: /a/x}}, {method: {exact: GET}}]";
        let pairs = "[{uri: {prefix: /a/x}}, {uri: {prefix: /a}, method: {exact: GET}}, {uri: {prefix: /b}, method: {exact: GET}}]";
        assert_eq!(merged(root, own), Some(parse(pairs)));
        assert_eq!(merged("[]", own), Some(parse(own)));
        assert_eq!(merged(root, "[]"), Some(parse(root)));
        assert_eq!(merged("[null]", "[null]"), Some(parse("[{}]")));
    }
}
