//! `sluice explain-code`.

use super::exit::{Failure, Verdict};
use super::print;
use sluicegate::manifest::codes;

/// Prints what a code means.
pub(crate) fn explain(code: &str) -> Result<Verdict, Failure> {
    let Some(known) = codes::explain(code) else {
        let help = "codes look like SG0110; those of a filter stand in the filter's README";
        return Err(Failure::Usage(format!("`{code}` is no code of the host\n  help: {help}")));
    };
    print::text(&format!("{}: {}\n\n{}\n", known.code, known.title, known.explanation))?;
    Ok(Verdict::Fine)
}
