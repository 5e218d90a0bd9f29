//! Runs the conformance cases of a directory and prints a line for each: `conformance DIRECTORY [WORDS]`.
//!
//! Ends with 1 when a case differs from what `differences.yaml` says, and with 2 when the cases cannot be read.

use sluicegate_tests::conformance::{Differences, Report, read_directory, run};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(directory) = arguments.next().map(PathBuf::from) else {
        eprintln!("usage: conformance DIRECTORY [PART OF A CASE'S NAME]");
        return ExitCode::from(2);
    };
    let only = arguments.next().map(|only| only.to_string_lossy().into_owned());
    let read = read_directory(&directory)
        .and_then(|files| Ok((files, Differences::read(&directory.join("differences.yaml"))?)));
    let (files, differences) = match read {
        Ok(read) => read,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let results = run(&files, only.as_deref());
    let report = Report::new(&results, &differences, only.is_none());
    print!("{report}");
    ExitCode::from(u8::from(report.has_drift()))
}
