use super::*;
use crate::manifest::{Diagnostics, parse};
use serde_json::json;
use std::path::Path;

fn schema() -> Schema {
    let text = json!({
        "type": "object",
        "properties": {
            "apiVersion": {}, "kind": {}, "metadata": {},
            "spec": { "$ref": "#/$defs/Spec" },
        },
        "required": ["spec"],
        "additionalProperties": false,
        "$defs": {
            "Spec": {
                "type": "object",
                "properties": {
                    "hosts": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                    "port": { "type": ["integer", "null"], "minimum": 1, "maximum": 65535 },
                    "mode": { "oneOf": [{ "const": "STRICT" }, { "const": "PERMISSIVE" }] },
                    "level": { "type": "string", "enum": ["low", "high"] },
                    "uri": { "anyOf": [{ "$ref": "#/$defs/Match" }, { "type": "null" }] },
                    "timeout": { "type": "string", "pattern": "^[0-9]+s$", "description": "a duration such as 5s" },
                    "target": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
                },
                "required": ["hosts"],
                "additionalProperties": false,
            },
            "Match": {
                "oneOf": [
                    { "type": "object", "properties": { "exact": { "type": "string" } }, "required": ["exact"], "additionalProperties": false },
                    { "type": "object", "properties": { "prefix": { "type": "string" } }, "required": ["prefix"], "additionalProperties": false },
                ],
            },
        },
    });
    Schema::compile("the test", text).unwrap()
}

/// Findings for a spec, as `line:column code message | help`, lines counted from the spec.
fn findings(body: &str) -> Vec<String> {
    let text = format!("apiVersion: v1\nkind: T\nmetadata: {{name: a}}\n{body}");
    let mut diagnostics = Diagnostics::new();
    let documents = parse(Path::new("a.yaml"), text.as_bytes(), "default", &mut diagnostics);
    assert!(diagnostics.is_empty(), "{:?}", diagnostics.lines());
    let fits = schema().check(&documents[0], &mut diagnostics);
    assert_eq!(fits, diagnostics.is_empty());
    let line = |found: &Diagnostic| {
        let place = found.location.as_ref().unwrap();
        let help = found.help.as_ref().map(|help| format!(" | {help}")).unwrap_or_default();
        format!("{}:{} {} {}{help}", place.line - 3, place.column, found.code, found.message)
    };
    diagnostics.iter().map(line).collect()
}

#[test]
fn a_document_that_fits_has_no_findings() {
    let body = "spec: {hosts: [a], port: 80, mode: STRICT, level: low, uri: {prefix: /}, timeout: 5s, target: x}\n";
    assert_eq!(findings(body), [""; 0]);
}

#[test]
fn each_mismatch_is_said_in_words_at_its_place() {
    let table = [
        ("spec:\n  host: [a]\n  hosts: [a]\n", "2:3 SG0110 unknown field `host` | did you mean `hosts`?"),
        (
            "spec:\n  hosts: [a]\n  banana: 1\n",
            "3:3 SG0110 unknown field `banana` | the fields here are `hosts`, `port`, `mode`, `level`, `uri`, `timeout` and `target`",
        ),
        ("spec:\n  port: 80\n", "1:1 SG0112 the field `hosts` is missing"),
        ("spec:\n  hosts: [a]\n  port: soon\n", "3:9 SG0111 expected an integer, found the string \"soon\""),
        (
            "spec:\n  hosts: [a]\n  port: '80'\n",
            "3:9 SG0111 expected an integer, found the string \"80\" | write it without quotes: 80",
        ),
        ("spec:\n  hosts: [1]\n", "2:11 SG0111 expected a string, found the number 1 | put it in quotes: \"1\""),
        (
            "spec:\n  hosts:\n    a: b\n",
            "2:3 SG0111 expected a list, found a mapping | begin each item of a list with a dash",
        ),
        ("spec:\n  hosts: []\n", "2:3 SG0115 expected at least 1 item"),
        ("spec:\n  hosts: [a]\n  port: 70000\n", "3:9 SG0115 expected at most 65535, found the number 70000"),
        (
            "spec:\n  hosts: [a]\n  mode: STRIKT\n",
            "3:9 SG0113 expected one of `STRICT` or `PERMISSIVE`, found the string \"STRIKT\" | did you mean `STRICT`?",
        ),
        (
            "spec:\n  hosts: [a]\n  level: lo\n",
            "3:10 SG0113 expected one of `low` or `high`, found the string \"lo\" | did you mean `low`?",
        ),
        ("spec:\n  hosts: [a]\n  uri: {prefx: /}\n", "3:9 SG0110 unknown field `prefx` | did you mean `prefix`?"),
        ("spec:\n  hosts: [a]\n  uri: {}\n", "3:3 SG0114 expected one of the fields `exact` or `prefix`"),
        (
            "spec:\n  hosts: [a]\n  uri: {exact: /, prefix: /}\n",
            "3:3 SG0114 only one of `exact` and `prefix` may be given",
        ),
        (
            "spec:\n  hosts: [a]\n  uri: {exact: 1}\n",
            "3:16 SG0111 expected a string, found the number 1 | put it in quotes: \"1\"",
        ),
        ("spec:\n  hosts: [a]\n  uri: /\n", "3:8 SG0111 expected a mapping, found the string \"/\""),
        ("spec:\n  hosts: [a]\n  target: []\n", "3:3 SG0111 expected a string or an integer, found a list"),
        (
            "spec:\n  hosts: [a]\n  timeout: 5m\n",
            "3:12 SG0115 the string \"5m\" does not match the pattern `^[0-9]+s$` | a duration such as 5s",
        ),
    ];
    for (body, expected) in table {
        assert_eq!(findings(body), [expected], "{body}");
    }
}

#[test]
fn all_mismatches_are_found_at_once() {
    assert_eq!(findings("spec:\n  port: x\n  banan: 1\nspecs: 1\n").len(), 4);
}

#[test]
fn mismatches_without_end_are_not_all_told() {
    let fields: Vec<String> = (0..1000).map(|number| format!("a{number}: 1\n")).collect();
    assert_eq!(findings(&fields.concat()).len(), super::MAX_FINDINGS);
}

#[test]
fn settings_name_their_path() {
    let mut diagnostics = Diagnostics::new();
    assert!(!schema().check_value("filter x", &json!({"spec": {"hosts": [1]}}), &mut diagnostics));
    let expected = "error[SG0111]: filter x, at `spec.hosts.0`: expected a string, found the number 1";
    assert_eq!(diagnostics.lines(), [expected]);
}

#[test]
fn a_schema_that_cannot_be_compiled_is_the_owners_defect() {
    let error = Schema::compile("filter x", json!({"type": "banana"})).unwrap_err();
    assert!(error.line().starts_with("error[SG0116]: the schema of filter x is not valid"), "{}", error.line());
}
