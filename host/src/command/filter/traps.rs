//! `sluice filter traps` and what is done about them: `sluice filter enable`.

use super::super::exit::{Failure, Verdict};
use super::super::explain::instance;
use super::super::print::{self, harmless};
use super::known;
use crate::args::{FilterNamed, FilterTraps as Arguments, Format};
use sluicegate::admin::AdminClient;
use sluicegate::admin::rollout::{FilterAction, FilterTraps, TrapStatus};
use std::fmt::Write;

/// Functions of a guest that are printed; JSON has all of them.
const FRAMES: usize = 12;

/// Shows how filters have failed.
pub(super) fn traps(arguments: &Arguments) -> Result<Verdict, Failure> {
    let client = AdminClient::new(instance(Some(&arguments.ask.admin))?);
    let traps = client.filter_traps(arguments.filter.as_deref())?;
    if traps.is_empty() {
        known::expect(&client, arguments.filter.as_deref())?;
    }
    match arguments.ask.output {
        Format::Json => print::json(&traps)?,
        Format::Table => print::text(&text(&traps))?,
    }
    Ok(if traps.is_empty() { Verdict::Fine } else { Verdict::Findings })
}

/// Does something with a filter, and says what was done.
pub(super) fn act(action: FilterAction, named: &FilterNamed) -> Result<Verdict, Failure> {
    let acted = AdminClient::new(instance(Some(&named.ask.admin))?).filter_act(action, &named.filter)?;
    match named.ask.output {
        Format::Json => print::json(&acted)?,
        Format::Table => print::text(&format!("{}: {}\n", harmless(&acted.filter), harmless(&acted.done)))?,
    }
    Ok(Verdict::Fine)
}

fn text(traps: &[FilterTraps]) -> String {
    if traps.is_empty() {
        return "no filter has failed\n".into();
    }
    let mut text = String::new();
    for version in traps {
        let digest: String = version.digest.chars().take(12).collect();
        let name = format!("{} {} ({digest})", version.filter, version.version);
        let plural = if version.failures == 1 { "failure" } else { "failures" };
        // Writing into memory cannot fail.
        let _ = writeln!(text, "{}: {} {plural}", harmless(&name), version.failures);
        version.reports.iter().rev().for_each(|trap| write_trap(trap, &mut text));
    }
    text
}

fn write_trap(trap: &TrapStatus, text: &mut String) {
    let request = trap.request.as_deref().unwrap_or("no request");
    let _ = writeln!(text, "  {} {} in {}, {request}", harmless(&trap.at), harmless(&trap.kind), harmless(&trap.hook));
    let _ = writeln!(text, "    {}", harmless(&trap.message));
    for frame in trap.frames.iter().take(FRAMES) {
        let function = frame.function.as_deref().unwrap_or("a function without a name");
        let _ = writeln!(text, "      {}", harmless(function));
        if let Some(place) = &frame.place {
            let _ = writeln!(text, "        at {}", harmless(place));
        }
    }
    if trap.frames.len() > FRAMES {
        let _ = writeln!(text, "      and {} more", trap.frames.len() - FRAMES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::admin::rollout::FrameStatus;

    #[test]
    fn the_latest_failure_comes_first_with_where_it_was() {
        let trap = |at: &str| TrapStatus {
            at: at.into(),
            hook: "request".into(),
            kind: "trap".into(),
            message: "unreachable\x1b; it said: told to".into(),
            request: Some("00ff".into()),
            frames: vec![
                FrameStatus { function: Some("auth::decide".into()), place: Some("src/lib.rs:7".into()) },
                FrameStatus { function: None, place: None },
            ],
        };
        let version = FilterTraps {
            filter: "auth".into(),
            version: "1.2.0".into(),
            digest: "0123456789abcdef".into(),
            failures: 40,
            reports: vec![trap("one"), trap("two")],
        };
        let expected = "\
auth 1.2.0 (0123456789ab): 40 failures
  two trap in request, 00ff
    unreachable\u{fffd}; it said: told to
      auth::decide
        at src/lib.rs:7
      a function without a name
";
        let shown = text(&[version]);
        assert!(shown.starts_with(expected) && shown.contains("  one trap"), "{shown}");
        assert_eq!(text(&[]), "no filter has failed\n");
    }
}
