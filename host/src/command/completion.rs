//! `sluice completion`.

use super::exit::{Failure, Verdict};
use super::print;
use crate::args::Arguments;
use clap::CommandFactory;
use clap_complete::Shell;

/// Prints the script.
pub(crate) fn print(shell: Shell) -> Result<Verdict, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "sluice", &mut script);
    print::with(|output| output.write_all(&script))?;
    Ok(Verdict::Fine)
}
