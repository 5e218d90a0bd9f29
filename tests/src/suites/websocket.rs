//! Autobahn's cases of WebSocket, as `kosoku` has them.

use super::chain;
use super::python::{Service, cases, text};
use crate::conformance::CaseResult;
use crate::proxy::Proxy;
use serde_json::Value;
use std::collections::BTreeMap;

const CASES: &str = "websocket_cases.py";
const SERVICE: &str = "websocket_echo.py";

/// Runs all cases straight at a service and through a chain of filters. One fails when the two do not end alike: how the
/// service does by itself is not the proxy's business.
///
/// # Errors
/// When the suite cannot be run.
///
/// # Panics
/// When the proxy or the suite is not there.
pub fn websocket() -> Result<Vec<CaseResult>, String> {
    let service = Service::start(SERVICE)?;
    let proxy = Proxy::start(chain("", service.address));
    let run = || Ok::<_, String>((cases(CASES, service.address)?, cases(CASES, proxy.address())?));
    let (direct, passed) = run()?;
    let first = compare(&direct, &passed);
    if first.iter().all(|case| case.failures.is_empty()) {
        return Ok(first);
    }
    // A service whose answer depends on how fast it is ends a case in one way or the other, whoever asks.
    let (again, passed_again) = run()?;
    let rounds = [compare(&direct, &passed_again), compare(&again, &passed), compare(&again, &passed_again)];
    Ok(alike(first, &rounds))
}

/// Leaves out differences that are not there in each comparison.
fn alike(mut results: Vec<CaseResult>, rounds: &[Vec<CaseResult>]) -> Vec<CaseResult> {
    for case in &mut results {
        let is_fine =
            |round: &Vec<CaseResult>| round.iter().any(|other| other.name == case.name && other.failures.is_empty());
        if rounds.iter().any(is_fine) {
            case.failures.clear();
        }
    }
    results
}

fn compare(direct: &[Value], passed: &[Value]) -> Vec<CaseResult> {
    let passed: BTreeMap<&str, &Value> = passed.iter().map(|case| (text(case, "case"), case)).collect();
    let result = |case: &Value| {
        let name = text(case, "case");
        let through = passed.get(name).map_or_else(|| "nothing".to_owned(), |case| ending(case));
        let by_itself = ending(case);
        let differs = (through != by_itself).then(|| format!("{by_itself} directly, {through} through the proxy"));
        CaseResult { name: name.to_owned(), failures: differs.into_iter().collect(), remark: by_itself }
    };
    direct.iter().map(result).collect()
}

/// Both verdicts, and the code with which the service ended the connection.
fn ending(case: &Value) -> String {
    let verdicts = case["verdicts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let verdicts: Vec<&str> = verdicts.iter().filter_map(Value::as_str).collect();
    let code = case["code"].as_i64().map_or_else(|| "no code".to_owned(), |code| code.to_string());
    format!("{}, {code}", verdicts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_ends_in_either_way_without_the_proxy_is_no_difference() {
        let case = |name: &str, verdict: &str| json!({"case": name, "verdicts": [verdict, "OK"], "code": 1002});
        let one = [case("3.4", "OK"), case("3.5", "OK")];
        let (other, passed) =
            ([case("3.4", "NON-STRICT"), case("3.5", "OK")], [case("3.4", "NON-STRICT"), case("3.5", "FAILED")]);
        let results = alike(compare(&one, &passed), &[compare(&other, &passed)]);
        let failed: Vec<_> = results.iter().filter(|case| !case.failures.is_empty()).map(|case| &case.name).collect();
        assert_eq!(failed, ["3.5"]);
    }

    #[test]
    fn what_ends_alike_passes_and_what_does_not_fails() {
        let case = |name: &str, verdict: &str, code: Option<u16>| json!({"case": name, "verdicts": [verdict, "OK"], "code": code});
        let direct =
            [case("1", "OK", Some(1000)), case("2", "FAILED", None), case("3", "OK", None), case("4", "OK", None)];
        let passed = [case("1", "OK", Some(1000)), case("2", "FAILED", None), case("3", "OK", Some(1002))];
        let results = compare(&direct, &passed);
        let failures: Vec<String> = results.iter().flat_map(|result| result.failures.clone()).collect();
        assert_eq!(results[1].remark, "FAILED, OK, no code");
        let (third, fourth) = ("OK, OK, no code directly, OK, OK, 1002", "OK, OK, no code directly, nothing");
        assert_eq!(failures, [third, fourth].map(|differs| format!("{differs} through the proxy")));
    }
}
