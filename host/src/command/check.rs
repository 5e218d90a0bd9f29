//! `sluice check`.

use super::exit::{Failure, Verdict};
use super::{composition, print};
use crate::args::{Check, Format};
use sluicegate::config::Settings;
use sluicegate::manifest::Diagnostics;

/// Prints all findings.
pub(crate) fn check(check: Check) -> Result<Verdict, Failure> {
    let (file, flags) = check.sources.into_flags(check.manifests);
    let settings = Settings::load(file.as_deref(), flags)?;
    let diagnostics = composition::check(&settings)?;
    show(&diagnostics, check.output)?;
    Ok(if diagnostics.has_errors() { Verdict::Findings } else { Verdict::Fine })
}

fn show(diagnostics: &Diagnostics, output: Format) -> anyhow::Result<()> {
    if output == Format::Json {
        return print::json(diagnostics);
    }
    print::with(|writer| {
        diagnostics.render(writer, print::is_colored())?;
        writeln!(writer, "{}", if diagnostics.is_empty() { "nothing to say".into() } else { diagnostics.summary() })
    })
    .map(drop)
}
