//! Documents that other projects say must be taken, or refused: whether `sluice check` agrees.
//!
//! They are read from a directory outside of the repository: `gateway-api/examples/standard` (to be taken),
//! `gateway-api/hack/invalid-examples` (to be refused) and `istio/*-{valid,invalid}.yaml`, in which each document of
//! the second kind has a key `_err` with a part of the message that Istio gives.

use super::load;
use super::referents;
use super::run::{CaseResult, in_parallel};
use crate::directory::Directory;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The key that is no part of a document.
const ERROR_KEY: &str = "_err:";

/// A document, or the documents of one file.
#[derive(Debug)]
struct Subject {
    name: String,
    text: String,
    is_valid: bool,
}

/// Checks all documents below a directory.
///
/// # Errors
/// When it holds none, or one cannot be read.
pub fn check_documents(directory: &Path) -> Result<Vec<CaseResult>, String> {
    let mut subjects = Vec::new();
    for (below, is_valid) in [("gateway-api/examples/standard", true), ("gateway-api/hack/invalid-examples", false)] {
        for path in files(&directory.join(below)) {
            subjects.push(Subject { name: shown(&path, directory), text: read(&path)?, is_valid });
        }
    }
    for path in files(&directory.join("istio")) {
        let is_valid = !path.to_string_lossy().ends_with("-invalid.yaml");
        subjects.extend(documents(&shown(&path, directory), &read(&path)?, is_valid));
    }
    if subjects.is_empty() {
        return Err(format!("{} holds neither gateway-api nor istio documents", directory.display()));
    }
    Ok(in_parallel(&subjects, check))
}

/// All files below a directory that are YAML, sorted.
fn files(directory: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let entries = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.insert(path);
        }
    }
    found
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn shown(path: &Path, directory: &Path) -> String {
    path.strip_prefix(directory).unwrap_or(path).display().to_string()
}

/// The documents of a file one by one, without the key that is not theirs. Lines keep their number in the document.
fn documents(file: &str, text: &str, is_valid: bool) -> Vec<Subject> {
    let mut parts = vec![String::new()];
    let mut in_error = false;
    for line in text.lines() {
        if line.trim_end() == "---" {
            parts.push(String::new());
            continue;
        }
        in_error = line.starts_with(ERROR_KEY) || (in_error && line.starts_with([' ', '\t']));
        if let Some(part) = parts.last_mut() {
            part.push_str(if in_error { "" } else { line });
            part.push('\n');
        }
    }
    let documents = parts.into_iter().filter(|part| part.contains("kind:"));
    let numbered = documents.enumerate().map(|(index, text)| {
        let name = text.lines().find_map(|line| line.strip_prefix("  name: ")).unwrap_or("unnamed");
        Subject { name: format!("{file} {} {}", index + 1, name.trim().trim_matches('"')), text, is_valid }
    });
    numbered.collect()
}

fn check(subject: &Subject) -> CaseResult {
    let directory = Directory::new();
    directory.write("document.yaml", &subject.text);
    let referents = referents::documents(&subject.text);
    if !referents.is_empty() {
        directory.write("referents.yaml", referents);
    }
    let findings = match load::findings(directory.path()) {
        Ok(findings) => findings,
        Err(error) => return CaseResult { name: subject.name.clone(), failures: vec![error], remark: String::new() },
    };
    let (failures, remark) = judge(subject.is_valid, &findings);
    CaseResult { name: subject.name.clone(), failures, remark }
}

/// What is wrong with the verdict, and the verdict with its reason.
fn judge(is_valid: bool, findings: &[Value]) -> (Vec<String>, String) {
    let of = |severity: &str| findings.iter().find(|finding| finding["severity"] == severity);
    match (of("error").map(said), of("warning").map(said)) {
        (Some(error), _) if is_valid => (vec![format!("it is refused: {error}")], String::new()),
        (Some(error), _) => (Vec::new(), format!("refused: {error}")),
        (None, Some(warning)) if is_valid => (Vec::new(), format!("loads with a warning: {warning}")),
        (None, None) if is_valid => (Vec::new(), "loads".into()),
        (None, warning) => {
            let warning = warning.map(|warning| format!(" with a warning: {warning}")).unwrap_or_default();
            (vec![format!("it loads{warning}")], String::new())
        }
    }
}

/// A finding in a line: `LINE:COLUMN: message [CODE]`.
fn said(finding: &Value) -> String {
    let location = &finding["location"];
    let place = match (location["line"].as_u64(), location["column"].as_u64()) {
        (Some(line), Some(column)) => format!("{line}:{column}: "),
        _ => String::new(),
    };
    let text = |key: &str| finding[key].as_str().unwrap_or_default();
    format!("{place}{} [{}]", text("message"), text("code"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_key_with_the_message_is_left_out_and_lines_stay() {
        let text = "_err: 'one\n  two'\nkind: A\nmetadata:\n  name: first\n---\nkind: B\nmetadata:\n  name: second\n";
        let [first, second] = documents("a.yaml", text, false).try_into().expect("two documents");
        assert_eq!(first.name, "a.yaml 1 first");
        assert_eq!(first.text, "\n\nkind: A\nmetadata:\n  name: first\n");
        assert_eq!(second.name, "a.yaml 2 second");
    }

    #[test]
    fn a_verdict_has_its_reason_and_its_place() {
        let error =
            json!({ "severity": "error", "code": "SG0110", "message": "no", "location": { "line": 3, "column": 5 } });
        let warning = json!({ "severity": "warning", "code": "SG0018", "message": "nobody" });
        let passed = |remark: &str| (Vec::new(), remark.to_owned());
        assert_eq!(judge(false, std::slice::from_ref(&error)), passed("refused: 3:5: no [SG0110]"));
        assert_eq!(judge(true, &[]), passed("loads"));
        assert_eq!(judge(true, std::slice::from_ref(&warning)), passed("loads with a warning: nobody [SG0018]"));
        assert_eq!(judge(false, &[warning]).0, ["it loads with a warning: nobody [SG0018]"]);
        assert_eq!(judge(true, &[error]).0, ["it is refused: 3:5: no [SG0110]"]);
    }
}
