//! How a command ends: its exit code and what is said about it.

use sluicegate::admin::ClientError;
use sluicegate::config::Problems;
use std::process::ExitCode;

/// How a command ended that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// 0.
    Fine,
    /// 1: something is wrong with what was looked at.
    Findings,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// 2: the command line or the configuration file is wrong.
    #[error("{0}")]
    Usage(String),
    /// 2: the configuration has mistakes, each with its place.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// 3 when nobody answers, 1 when the answer is no.
    #[error(transparent)]
    Instance(#[from] ClientError),
    /// 1: anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

/// The exit code, after saying on standard error what went wrong.
pub(crate) fn code(outcome: Result<Verdict, Failure>) -> ExitCode {
    ExitCode::from(match outcome {
        Ok(Verdict::Fine) => 0,
        Ok(Verdict::Findings) => 1,
        Err(failure) => {
            match &failure {
                // Each problem says `error:` behind its place already.
                Failure::Settings(problems) => eprintln!("{problems}"),
                _ => eprintln!("error: {failure}"),
            }
            if let Failure::Instance(ClientError::Unreachable { .. }) = failure {
                eprintln!("  help: start one with `sluice run`, or say with --admin where it is");
            }
            number(&failure)
        }
    })
}

fn number(failure: &Failure) -> u8 {
    match failure {
        Failure::Usage(_) | Failure::Settings(_) => 2,
        Failure::Instance(ClientError::Unreachable { .. }) => 3,
        Failure::Instance(_) | Failure::Other(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::config::AdminAddress;

    #[test]
    fn each_failure_has_its_documented_number() {
        let address = AdminAddress::parse("127.0.0.1:1").unwrap();
        let unreachable = ClientError::Unreachable { address, reason: "refused".into() };
        let refused = ClientError::Refused { status: 400, message: "no".into() };
        assert_eq!(number(&Failure::Usage("x".into())), 2);
        assert_eq!(number(&Failure::Settings(Problems::default())), 2);
        assert_eq!(number(&Failure::Instance(unreachable)), 3);
        assert_eq!(number(&Failure::Instance(refused)), 1);
        assert_eq!(number(&Failure::Other(anyhow::anyhow!("x"))), 1);
    }
}
