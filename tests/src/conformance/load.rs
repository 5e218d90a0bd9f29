//! Whether a document is taken.

use super::file::{Load, Loads, Verdict};
use crate::artifact;
use crate::directory::Directory;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// The only file.
const FILE: &str = "case.yaml";

/// Has the document checked, and returns everything that is not as expected.
pub(super) fn check(loads: &Loads, load: &Load) -> Vec<String> {
    let directory = Directory::new();
    let (Loads { api_version, kind, .. }, spec) = (loads, expanded(&load.spec));
    let document = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "case" }, "spec": spec });
    // Whatever is JSON is YAML too.
    directory.write(FILE, document.to_string());
    findings(directory.path()).map_or_else(|error| vec![error], |findings| judge(load, &findings))
}

/// What `sluice check` says of a file or a directory.
pub(super) fn findings(path: &Path) -> Result<Vec<Value>, String> {
    let mut command = Command::new(artifact::sluice());
    command.arg("check").arg(path).args(["-o", "json"]).stdin(Stdio::null());
    let output = command.output().expect("the proxy can be started");
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("it printed no findings ({error}): {}", String::from_utf8_lossy(&output.stderr)))
}

/// The same with `${x*3}` in texts written out.
fn expanded(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(expanded).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), expanded(value))).collect(),
        Value::String(text) => repeated(text).unwrap_or_else(|| text.clone()).into(),
        other => other.clone(),
    }
}

fn repeated(text: &str) -> Option<String> {
    let (before, rest) = text.split_once("${")?;
    let (inner, after) = rest.split_once('}')?;
    let (repeated, times) = inner.split_once('*')?;
    Some(format!("{before}{}{after}", repeated.repeat(times.parse().ok()?)))
}

fn judge(load: &Load, findings: &[Value]) -> Vec<String> {
    let of =
        |severity: &str| -> Vec<&Value> { findings.iter().filter(|finding| finding["severity"] == severity).collect() };
    let (errors, warnings) = (of("error"), of("warning"));
    let said = |findings: &[&Value]| {
        findings.iter().filter_map(|finding| finding["message"].as_str()).collect::<Vec<_>>().join("; ")
    };
    // A document of a kind that nobody claims is not judged at all.
    if findings.iter().any(|finding| finding["code"] == "SG0018") {
        return vec!["nothing implements its kind".into()];
    }
    let mut found = Vec::new();
    match load.expect {
        Verdict::Refused if errors.is_empty() => found.push("it was expected to be refused, and is accepted".into()),
        Verdict::Refused => {
            if errors.iter().any(|error| error["location"]["line"].as_u64().is_none()) {
                found.push(format!("an error has no place: {}", said(&errors)));
            }
        }
        Verdict::Accepted | Verdict::Warned if !errors.is_empty() => {
            found.push(format!("it was expected to be accepted, and is refused: {}", said(&errors)));
        }
        Verdict::Warned if warnings.is_empty() => found.push("a warning was expected".into()),
        Verdict::Accepted | Verdict::Warned => {}
    }
    if let Some(wanted) = &load.says {
        let all: Vec<&Value> = findings.iter().collect();
        if !said(&all).to_lowercase().contains(&wanted.to_lowercase()) {
            found.push(format!("a message was expected to say {wanted:?}, not {:?}", said(&all)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(expect: Verdict, says: Option<&str>) -> Load {
        Load { name: "a".into(), spec: Value::Null, expect, says: says.map(str::to_owned) }
    }

    #[test]
    fn a_verdict_holds_when_the_findings_are_of_its_severity() {
        let error = json!({ "severity": "error", "message": "no Weight", "code": "SG0201", "location": { "line": 3 } });
        let warning = json!({ "severity": "warning", "message": "hm", "code": "SG0202" });
        assert!(judge(&load(Verdict::Refused, Some("weight")), std::slice::from_ref(&error)).is_empty());
        assert_eq!(judge(&load(Verdict::Refused, Some("host")), std::slice::from_ref(&error)).len(), 1);
        assert_eq!(judge(&load(Verdict::Refused, None), std::slice::from_ref(&warning)).len(), 1);
        assert_eq!(judge(&load(Verdict::Accepted, None), &[error]).len(), 1);
        assert!(judge(&load(Verdict::Accepted, None), std::slice::from_ref(&warning)).is_empty());
        assert!(judge(&load(Verdict::Warned, None), &[warning]).is_empty());
        assert_eq!(judge(&load(Verdict::Warned, None), &[]).len(), 1);
    }

    #[test]
    fn a_long_text_is_written_short() {
        let spec = json!({ "a": ["/${xy*3}z", "plain", 1, null] });
        assert_eq!(expanded(&spec), json!({ "a": ["/xyxyxyz", "plain", 1, null] }));
    }

    #[test]
    fn a_kind_that_nobody_claims_is_not_accepted() {
        let unclaimed = json!({ "severity": "warning", "message": "hm", "code": "SG0018" });
        assert_eq!(judge(&load(Verdict::Accepted, None), &[unclaimed]), ["nothing implements its kind"]);
    }
}
