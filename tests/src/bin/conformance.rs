//! Runs conformance cases and prints a line for each.
//!
//! - `conformance cases DIRECTORY [WORDS]`: cases against the real proxy, those whose name holds the words
//! - `conformance documents DIRECTORY LIST`: documents of other projects, and the list of what is known to differ
//! - `conformance expressions DIRECTORY LIST`: CESQL expressions, and the list of what is known to differ
//! - `conformance http2|websocket|grpc LIST`: a suite that others have made, and the list of what is known to differ
//!
//! `--json` in front of all prints JSON instead.
//!
//! Ends with 1 when anything differs from what is known to differ, and with 2 when something cannot be read.

use sluicegate_tests::conformance::{
    CaseResult, Differences, Report, check_documents, check_expressions, read_directory, run,
};
use sluicegate_tests::suites;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: conformance cases DIRECTORY [WORDS] | conformance documents DIRECTORY LIST \
                     | conformance expressions DIRECTORY LIST | conformance http2|websocket|grpc LIST";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (json, arguments) = match arguments.as_slice() {
        ["--json", rest @ ..] => (true, rest),
        all => (false, all),
    };
    let report = match arguments {
        ["cases", directory] => cases(Path::new(directory), None),
        ["cases", directory, only] => cases(Path::new(directory), Some(only)),
        ["documents", directory, list] => documents(Path::new(directory), Path::new(list)),
        ["expressions", directory, list] => expressions(Path::new(directory), Path::new(list)),
        ["http2", list] => suite(suites::http2, Path::new(list)),
        ["websocket", list] => suite(suites::websocket, Path::new(list)),
        ["grpc", list] => suite(suites::grpc, Path::new(list)),
        _ => Err(USAGE.to_owned()),
    };
    match report {
        Ok(report) => {
            if json {
                println!("{:#}", report.json());
            } else {
                print!("{report}");
            }
            ExitCode::from(u8::from(report.has_drift()))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn cases(directory: &Path, only: Option<&str>) -> Result<Report, String> {
    let files = read_directory(directory)?;
    let differences = Differences::read(&directory.join("differences.yaml"))?;
    Ok(Report::new(&run(&files, only), &differences, only.is_none()))
}

fn suite(run: fn() -> Result<Vec<CaseResult>, String>, list: &Path) -> Result<Report, String> {
    let differences = Differences::read(list)?;
    Ok(Report::new(&run()?, &differences, true))
}

fn documents(directory: &Path, list: &Path) -> Result<Report, String> {
    let differences = Differences::read(list)?;
    Ok(Report::new(&check_documents(directory)?, &differences, true))
}

fn expressions(directory: &Path, list: &Path) -> Result<Report, String> {
    let differences = Differences::read(list)?;
    Ok(Report::new(&check_expressions(directory)?, &differences, true))
}
