//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;

/// The likeness (Jaro-Winkler, 0 to 1) from which a name is worth proposing: `manifest` for `manifests`, but not
/// `filters` for `listen`.
const LIKENESS: f64 = 0.8;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// On the command line, as this flag.
    Flag(&'static str),
    /// In a file.
    File {
        /// As it was named on the command line.
        file: PathBuf,
        /// From 1; 0 when the whole file is meant.
        line: u64,
        /// From 1; 0 when the whole line is meant.
        column: u64,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => formatter.write_str(flag),
            Self::File { file, line: 0, .. } => write!(formatter, "{}", file.display()),
            Self::File { file, line, column } => write!(formatter, "{}:{line}:{column}", file.display()),
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: error: {message}{}", self.help_line())]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// What was found and what was expected.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    fn help_line(&self) -> String {
        self.help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default()
    }
}

/// All mistakes of a configuration, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Notes a mistake.
    pub fn add(&mut self, origin: Origin, message: impl Into<String>, help: Option<String>) {
        self.0.push(Problem { origin, message: message.into(), help });
    }

    /// Takes the value, or notes why there is none.
    pub fn keep<T>(&mut self, origin: &Origin, parsed: Result<T, Mistake>) -> Option<T> {
        parsed.map_err(|mistake| self.add(origin.clone(), mistake.message, mistake.help)).ok()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(formatter, "{problem}")?;
        }
        let count = self.0.len();
        write!(formatter, "{count} error{} in the configuration", if count == 1 { "" } else { "s" })
    }
}

impl std::error::Error for Problems {}

/// A value that cannot be used, before it is known where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What was found and what was expected.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake that speaks for itself.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// A mistake with advice.
    pub fn with_help(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()) }
    }
}

/// Advice for a name that is none of the `known` ones: the likeliest of them, or else all.
pub fn did_you_mean(name: &str, known: &[&str]) -> String {
    let likeness = |candidate: &&str| strsim::jaro_winkler(name, candidate);
    let best = known.iter().copied().max_by(|left, right| likeness(left).total_cmp(&likeness(right)));
    match best {
        Some(best) if likeness(&best) >= LIKENESS => format!("did you mean `{best}`?"),
        _ => format!("known here: {}", known.join(", ")),
    }
}
