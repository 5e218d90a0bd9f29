//! `sluice tap`: requests as a running instance ends them.

use super::exit::{Failure, Verdict};
use super::explain::instance;
use super::print::{self, Reader, harmless};
use crate::args::{Format, Tap};
use serde_json::Value;
use sluicegate::admin::AdminClient;

/// Prints records until there were enough of them, nobody reads them any more, or it is ended.
pub(crate) fn tap(tap: &Tap) -> Result<Verdict, Failure> {
    let client = AdminClient::new(instance(Some(&tap.ask.admin))?);
    let mut left = tap.number;
    let mut look = client.tap(None)?;
    let mut reader = Reader::There;
    if tap.ask.output == Format::Table {
        reader = print::follow(&format!("{}\n", row(["TIME", "STATUS", "MS", "METHOD", "URL", "UPSTREAM"])))?;
    }
    while left != Some(0) && reader == Reader::There {
        look = client.tap(Some(look.next))?;
        if look.missed > 0 {
            eprintln!("{} requests were not seen: there are more than are looked at", look.missed);
        }
        let mut wanted: Vec<&Value> = look.records.iter().filter(|record| is_wanted(tap, record)).collect();
        wanted.truncate(left.unwrap_or(usize::MAX));
        left = left.map(|left| left - wanted.len());
        let line = |record: &&Value| match tap.ask.output {
            Format::Table => format!("{}\n", line(record)),
            Format::Json => format!("{record}\n"),
        };
        reader = print::follow(&wanted.iter().map(line).collect::<String>())?;
    }
    Ok(Verdict::Fine)
}

fn is_wanted(tap: &Tap, record: &Value) -> bool {
    let path = record["url.path"].as_str().unwrap_or_default();
    let host = record["server.address"].as_str().unwrap_or_default();
    let status = record["http.response.status_code"].as_u64().map_or_else(|| "-".into(), |status| status.to_string());
    let of_status = |wanted: &str| match wanted.strip_suffix("xx") {
        Some(class) => status.starts_with(class),
        None => status == wanted,
    };
    tap.path.as_deref().is_none_or(|prefix| path.starts_with(prefix))
        && tap.host.as_deref().is_none_or(|wanted| host.split(':').next() == Some(wanted))
        && tap.status.as_deref().is_none_or(of_status)
}

fn line(record: &Value) -> String {
    let text = |name: &str| record[name].as_str().unwrap_or_default();
    let time = text("timestamp").split('T').nth(1).unwrap_or_default().trim_end_matches('Z');
    let status = record["http.response.status_code"].as_u64().map_or_else(|| "-".into(), |status| status.to_string());
    let milliseconds =
        record["sluicegate.duration"].as_f64().map_or_else(String::new, |took| format!("{:.1}", took * 1000.0));
    let url = format!("{}{}", text("server.address"), text("url.path"));
    let error = record["error.type"].as_str().map_or_else(String::new, |error| format!("  {error}"));
    let trace = record["trace_id"].as_str().map_or_else(String::new, |trace| format!("  trace {trace}"));
    let to = format!("{}{error}{trace}", text("sluicegate.upstream"));
    harmless(&row([time, &status, &milliseconds, text("http.request.method"), &url, &to])).into_owned()
}

/// In columns that fit what is usual, as nobody knows what comes.
fn row([time, status, milliseconds, method, url, to]: [&str; 6]) -> String {
    format!("{time:<12}  {status:>6}  {milliseconds:>8}  {method:<7}  {url:<40}  {to}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Ask;
    use serde_json::json;

    fn record() -> Value {
        json!({
            "timestamp": "2026-01-01T10:20:30.456Z", "http.request.method": "GET", "server.address": "shop:8080",
            "url.path": "/orders\u{1b}[2J", "http.response.status_code": 503, "sluicegate.duration": 0.0123,
            "sluicegate.upstream": "orders.default", "error.type": "connection_refused",
        })
    }

    #[test]
    fn a_line_says_what_became_of_a_request_and_nothing_to_the_terminal() {
        let line = line(&record());
        let words: Vec<_> = line.split_whitespace().collect();
        let expected = [
            "10:20:30.456",
            "503",
            "12.3",
            "GET",
            "shop:8080/orders\u{fffd}[2J",
            "orders.default",
            "connection_refused",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn what_is_asked_for_is_shown() {
        let tap = |path: Option<&str>, host: Option<&str>, status: Option<&str>| Tap {
            ask: Ask { admin: String::new(), output: Format::Table },
            number: None,
            path: path.map(str::to_owned),
            host: host.map(str::to_owned),
            status: status.map(str::to_owned),
        };
        for (tap, expected) in [
            (tap(None, None, None), true),
            (tap(Some("/ord"), Some("shop"), Some("503")), true),
            (tap(None, None, Some("5xx")), true),
            (tap(Some("/carts"), None, None), false),
            (tap(None, Some("sho"), None), false),
            (tap(None, None, Some("4xx")), false),
        ] {
            assert_eq!(is_wanted(&tap, &record()), expected, "{tap:?}");
        }
        assert!(!is_wanted(&tap(None, None, Some("5xx")), &json!({ "url.path": "/left" })));
    }
}
