//! `sluice reload`.

use super::exit::{Failure, Verdict};
use super::explain::instance;
use super::print;
use crate::args::{Format, Reload};
use sluicegate::admin::AdminClient;
use sluicegate::admin::reload::{ReloadOutcome, ReloadStatus};

/// Has a running instance read its directories anew, and says what came of it.
pub(crate) fn reload(reload: &Reload) -> Result<Verdict, Failure> {
    let reloaded = AdminClient::new(instance(Some(&reload.ask.admin))?).reload()?;
    match reload.ask.output {
        Format::Json => print::json(&reloaded)?,
        Format::Table => print::text(&described(&reloaded))?,
    }
    Ok(match reloaded.result {
        ReloadOutcome::InForce => Verdict::Fine,
        ReloadOutcome::Refused => Verdict::Findings,
    })
}

fn described(reloaded: &ReloadStatus) -> String {
    let ReloadStatus { generation, milliseconds, .. } = reloaded;
    let mut text = match reloaded.result {
        ReloadOutcome::InForce => format!("in force as generation {generation}, after {milliseconds} ms\n"),
        ReloadOutcome::Refused => {
            format!("refused: what the errors are about stays as it was, in generation {generation}\n")
        }
    };
    print::write_diagnostics(&reloaded.diagnostics, &mut text);
    if reloaded.compiling {
        text += "a large filter is being compiled, and comes into force by itself: see `sluice filter list`\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::admin::view::DiagnosticStatus;

    #[test]
    fn a_refusal_shows_why_and_what_to_do() {
        let diagnostic = DiagnosticStatus {
            severity: "error".into(),
            code: "SG0110".into(),
            origin: "shop.yaml:3:1".into(),
            message: "no".into(),
            help: Some("yes".into()),
        };
        let reloaded = ReloadStatus {
            result: ReloadOutcome::Refused,
            generation: 4,
            milliseconds: 12,
            compiling: false,
            diagnostics: vec![diagnostic],
        };
        let expected = "refused: what the errors are about stays as it was, in generation 4\n  shop.yaml:3:1: \
                        error[SG0110]: no\n    help: yes\n";
        assert_eq!(described(&reloaded), expected);
        let taken = ReloadStatus { result: ReloadOutcome::InForce, diagnostics: Vec::new(), ..reloaded };
        assert_eq!(described(&taken), "in force as generation 4, after 12 ms\n");
    }
}
