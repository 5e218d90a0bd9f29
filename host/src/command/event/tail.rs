//! `sluice event tail`: events as they are published.

use super::client;
use crate::args::dead_letter::full_name;
use crate::args::event::EventTail;
use crate::command::exit::{Failure, Verdict};
use crate::command::print::{self, Reader, harmless};
use serde_json::Value;
use sluicegate::admin::event_tools::{SeenStatus, Stretch};

pub(super) fn tail(tail: &EventTail) -> Result<Verdict, Failure> {
    let client = client(&tail.ask)?;
    let asked = Stretch { channel: full_name(&tail.channel), filter: tail.filter.clone(), ..Stretch::default() };
    let mut stretch = Stretch { from: tail.from, since: tail.since.clone(), ..asked.clone() };
    let mut left = tail.number;
    let mut reader = Reader::There;
    if !tail.is_json() {
        reader = print::follow(&format!("{}\n", row(["POSITION", "TAKEN", "TYPE", "SOURCE", "ID", "DATA"])))?;
    }
    while left != Some(0) && reader == Reader::There {
        let look = client.read(&stretch)?;
        // From here on by position; the oldest there is would be 0.
        stretch = Stretch { from: Some(look.next.max(1)), ..asked.clone() };
        if look.missed {
            eprintln!("some events were not seen: they are not kept any more");
        }
        let mut wanted: Vec<&SeenStatus> = look.events.iter().filter(|seen| is_wanted(tail, &seen.event)).collect();
        wanted.truncate(left.unwrap_or(usize::MAX));
        left = left.map(|left| left - wanted.len());
        let lines = wanted.iter().map(|seen| if tail.is_json() { json(seen) } else { line(seen) });
        reader = print::follow(&lines.map(|line| line + "\n").collect::<String>())?;
    }
    Ok(Verdict::Fine)
}

fn is_wanted(tail: &EventTail, event: &Value) -> bool {
    let is = |wanted: &Option<String>, name: &str| {
        let found = event[name].as_str().unwrap_or_default();
        wanted.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
            Some(beginning) => found.starts_with(beginning),
            None => found == wanted,
        })
    };
    is(&tail.kind, "type") && is(&tail.source, "source") && is(&tail.subject, "subject")
}

/// Position and event on one line.
fn json(seen: &SeenStatus) -> String {
    serde_json::to_string(seen).unwrap_or_default()
}

fn line(seen: &SeenStatus) -> String {
    let text = |name: &str| seen.event[name].as_str().unwrap_or_default();
    let data = match (&seen.event["data"], &seen.event["data_base64"]) {
        (Value::Null, Value::String(encoded)) => format!("(base64) {encoded}"),
        (Value::Null, _) => String::new(),
        (Value::String(text), _) => text.clone(),
        (data, _) => data.to_string(),
    };
    let position = seen.position.to_string();
    let line = row([&position, &seen.taken, text("type"), text("source"), text("id"), &data]);
    harmless(&line).into_owned()
}

/// In columns that fit what is usual, as nobody knows what comes.
fn row([position, taken, kind, source, id, data]: [&str; 6]) -> String {
    format!("{position:>10}  {taken:<24}  {kind:<28}  {source:<16}  {id:<36}  {data}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Ask, Format};
    use serde_json::json;

    fn tailing(kind: Option<&str>, source: Option<&str>) -> EventTail {
        EventTail {
            channel: "orders".into(),
            from: None,
            since: None,
            filter: None,
            number: None,
            kind: kind.map(str::to_owned),
            source: source.map(str::to_owned),
            subject: None,
            ask: Ask { admin: String::new(), output: Format::Table },
        }
    }

    #[test]
    fn what_is_asked_for_is_shown() {
        let event = json!({"type": "shop.order.placed", "source": "/shop"});
        for (kind, source, expected) in [
            (None, None, true),
            (Some("shop.order.*"), Some("/shop"), true),
            (Some("shop.order"), None, false),
            (Some("shop.stock.*"), None, false),
            (None, Some("/desk"), false),
        ] {
            assert_eq!(is_wanted(&tailing(kind, source), &event), expected, "{kind:?} {source:?}");
        }
    }

    #[test]
    fn a_line_says_where_and_what_and_nothing_to_the_terminal() {
        let event = json!({"type": "t", "source": "/s", "id": "1", "data": {"a": "\u{1b}[2J"}});
        let seen = SeenStatus { position: 7, taken: "2026-01-01T00:00:00.000Z".into(), event };
        let line = line(&seen);
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..5], ["7", "2026-01-01T00:00:00.000Z", "t", "/s", "1"]);
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}
