//! The cases of `httpwg`, about RFC 9113.

use super::chain;
use crate::artifact;
use crate::conformance::CaseResult;
use crate::proxy::Proxy;
use crate::upstream::{Behaviour, Upstream};
use std::collections::BTreeMap;
use std::process::Command;

/// The suite waits so long for a frame, in milliseconds: all its cases run at once, on a busy machine perhaps.
const PATIENCE: &str = "4000";
/// Longer than any window that a case sets.
const ANSWER: usize = 512;

/// Runs all cases through a chain of filters; a case is called `SECTION/CASE`.
///
/// # Errors
/// When the suite cannot be run.
///
/// # Panics
/// When the proxy or the suite is not there.
pub fn http2() -> Result<Vec<CaseResult>, String> {
    let origin = Upstream::with(Behaviour::text(&"x".repeat(ANSWER)));
    let proxy = Proxy::start(chain("", origin.address()));
    let mut suite = Command::new(artifact::peer("httpwg", "bin/httpwg", "HTTPWG"));
    suite.args(["--verbose", "--frame-timeout", PATIENCE, "--connect-timeout", PATIENCE, "--address"]);
    let said = suite.arg(proxy.address().to_string()).output().map_err(|error| format!("httpwg: {error}"))?;
    let said = String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
    let results = results(&said);
    if results.is_empty() {
        return Err(format!("httpwg ran no case, but said:\n{said}"));
    }
    Ok(results)
}

/// What has become of each case, in what the suite prints.
fn results(said: &str) -> Vec<CaseResult> {
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut lines = said.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = after(line, "Running test: ") {
            // A case that panics says no more.
            found.entry(name).or_insert_with(|| Some("it ended without a result".to_owned()));
        } else if let Some(name) = after(line, "Test passed: ") {
            found.insert(name, None);
        } else if let Some(name) = after(line, "Test failed: ") {
            let why = lines.by_ref().find(|line| line.contains("0: ")).unwrap_or_default();
            found.insert(name, Some(plain(why).trim().trim_start_matches("0: ").to_owned()));
        }
    }
    let result = |(name, failure): (String, Option<String>)| CaseResult {
        name,
        failures: failure.into_iter().collect(),
        remark: String::new(),
    };
    found.into_iter().map(result).collect()
}

/// The name of a case behind some words: `RFC 9113 :: SECTION :: CASE` becomes `SECTION/CASE`.
fn after(line: &str, words: &str) -> Option<String> {
    let (_, name) = line.split_once(words)?;
    let name = name.split(" :: ").skip(1).collect::<Vec<_>>().join("/");
    Some(plain(&name).trim().to_owned())
}

/// A text without the colours that terminals show.
fn plain(text: &str) -> String {
    let mut pieces = text.split('\u{1b}');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |plain, piece| plain + piece.split_once('m').map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_that_ran_has_a_result_even_if_it_says_none() {
        let said = "🔷 Running test: RFC 9113 :: 6. frame definitions :: sends ping\n\
                    🔷 Running test: RFC 9113 :: 7. error codes :: sends goaway\n\
                    🔷 Running test: RFC 9113 :: 8. semantics :: sends\n\
                    ✅ Test passed: RFC 9113 :: 6. frame definitions :: sends ping\n\
                    ❌ Test failed: RFC 9113 :: 8. semantics :: sends\n\n   0: \u{1b}[91mTimed out (Some)\u{1b}[0m\n\nLocation:\n";
        let results = results(said);
        let seen: Vec<_> = results.iter().map(|one| (one.name.as_str(), one.failures.join(""))).collect();
        assert_eq!(
            seen,
            [
                ("6. frame definitions/sends ping", String::new()),
                ("7. error codes/sends goaway", "it ended without a result".to_owned()),
                ("8. semantics/sends", "Timed out (Some)".to_owned()),
            ]
        );
    }
}
