//! Compares strings in the ways that a `StringMatch` knows.

use crate::code;
use crate::config::StringMatch;
use crate::report::{Place, Report};
use regex_lite::{Regex, RegexBuilder};

/// Istio's own limit, in characters.
const VALUE_LENGTH: usize = 1024;
/// Bytes of a compiled expression. Matching takes at most this times the length of the value, which must stay far
/// below the time that one call may take.
const REGEX_SIZE: usize = 64 << 10;
/// How deep groups may nest: deeper than anything written by hand.
const REGEX_NESTING: u32 = 50;

/// A way to compare a string.
#[derive(Debug)]
pub enum Pattern {
    /// The value is there, whatever it is.
    Present,
    /// The whole value.
    Exact(String),
    /// The whole value, in any case.
    ExactAnyCase(String),
    /// How the value starts.
    Prefix(String),
    /// How the value starts, in any case.
    PrefixAnyCase(String),
    /// How the path starts, by whole segments: without a `/` at its end, and empty for every path.
    Segments(String),
    /// An expression for the whole value; the text is as written.
    Regex(Regex, String),
}

/// What a string match may be beside one of its three kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// One of the three, not empty.
    Value,
    /// The prefix may be empty: a path.
    EmptyPrefix,
    /// None of the three means presence.
    Presence,
    /// Also the expression `*` means presence.
    PresenceAndStar,
}

impl Pattern {
    /// Resolves a string match.
    pub fn resolve(written: &StringMatch, allowed: Allowed, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let presence = matches!(allowed, Allowed::Presence | Allowed::PresenceAndStar);
        match (&written.exact, &written.prefix, &written.regex) {
            (None, None, None) if presence => Some(Self::Present),
            (Some(exact), None, None) => within_length(exact, &place.key("exact"), report).map(Self::Exact),
            (None, Some(prefix), None) if prefix.is_empty() && allowed != Allowed::EmptyPrefix => {
                let help = "leave the condition out, or use an empty object for presence where that is possible";
                report.error(&place.key("prefix"), code::STRING_MATCH, "an empty prefix matches everything", help);
                None
            }
            (None, Some(prefix), None) => within_length(prefix, &place.key("prefix"), report).map(Self::Prefix),
            (None, None, Some(regex)) if regex == "*" && allowed == Allowed::PresenceAndStar => Some(Self::Present),
            (None, None, Some(regex)) => {
                let (compiled, _) = whole_regex(regex, &place.key("regex"), report)?;
                Some(Self::Regex(compiled, regex.clone()))
            }
            _ => {
                let help = "write exactly one of `exact`, `prefix` and `regex`";
                report.error(place, code::STRING_MATCH, "a string match has exactly one of three kinds", help);
                None
            }
        }
    }

    /// An expression that stands at `place` itself.
    pub fn expression(text: &str, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let (compiled, _) = whole_regex(text, place, report)?;
        Some(Self::Regex(compiled, text.to_owned()))
    }

    /// The same without regard to case; an expression says that by `(?i)` itself.
    #[must_use]
    pub fn any_case(self) -> Self {
        match self {
            Self::Exact(text) => Self::ExactAnyCase(text),
            Self::Prefix(text) => Self::PrefixAnyCase(text),
            other => other,
        }
    }

    /// Whether a value that is there matches. An expression never matches what is not UTF-8.
    pub fn matches(&self, value: &[u8]) -> bool {
        let starts_with = |prefix: &str| value.get(..prefix.len());
        match self {
            Self::Present => true,
            Self::Exact(text) => value == text.as_bytes(),
            Self::ExactAnyCase(text) => value.eq_ignore_ascii_case(text.as_bytes()),
            Self::Prefix(text) => value.starts_with(text.as_bytes()),
            Self::PrefixAnyCase(text) => {
                starts_with(text).is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
            }
            Self::Segments(text) => {
                value.strip_prefix(text.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
            }
            Self::Regex(regex, _) => std::str::from_utf8(value).is_ok_and(|value| regex.is_match(value)),
        }
    }

    /// Reads on after a value that does not match.
    pub fn unlike(&self) -> String {
        match self {
            Self::Present => "is absent".to_owned(),
            Self::Exact(text) => format!("is not {text}"),
            Self::ExactAnyCase(text) => format!("is not {text} in any case"),
            Self::Prefix(text) => format!("does not start with {text}"),
            Self::PrefixAnyCase(text) => format!("does not start with {text} in any case"),
            Self::Segments(text) => format!("is neither {text} nor below it"),
            Self::Regex(_, text) => format!("does not match the expression {text}"),
        }
    }

    /// Reads on after a value that matches although it must not.
    pub fn like(&self) -> String {
        match self {
            Self::Present => "is present".to_owned(),
            Self::Exact(text) | Self::ExactAnyCase(text) => format!("is {text}"),
            Self::Prefix(text) | Self::PrefixAnyCase(text) | Self::Segments(text) => format!("starts with {text}"),
            Self::Regex(_, text) => format!("matches the expression {text}"),
        }
    }
}

/// An expression that must match whole values, and how many groups it has.
fn whole_regex(text: &str, place: &Place, report: &mut Report<'_>) -> Option<(Regex, usize)> {
    // By itself first: `a)|(?:b` is no expression, though it would become one between parentheses.
    let (_, groups) = regex(text, place, report)?;
    let (whole, _) = regex(&format!("^(?:{text})$"), place, report)?;
    Some((whole, groups))
}

/// An expression, and how many groups it has.
pub fn regex(text: &str, place: &Place, report: &mut Report<'_>) -> Option<(Regex, usize)> {
    let help = "write an RE2 expression; `.*` takes everything, `\\.` a dot";
    if text.is_empty() {
        report.error(place, code::REGEX, "the regular expression is empty", help);
        return None;
    }
    if text.chars().count() > VALUE_LENGTH + "^(?:)$".len() {
        let message = format!("the regular expression is longer than {VALUE_LENGTH} characters");
        report.error(place, code::REGEX, message, "split it into several match blocks");
        return None;
    }
    match RegexBuilder::new(text).size_limit(REGEX_SIZE).nest_limit(REGEX_NESTING).build() {
        Ok(regex) => {
            let groups = regex.captures_len();
            Some((regex, groups))
        }
        Err(error) => {
            report.error(place, code::REGEX, format!("the regular expression does not compile: {error}"), help);
            None
        }
    }
}

fn within_length(text: &str, place: &Place, report: &mut Report<'_>) -> Option<String> {
    if text.chars().count() <= VALUE_LENGTH {
        return Some(text.to_owned());
    }
    let message = format!("the value is longer than {VALUE_LENGTH} characters");
    report.error(place, code::STRING_MATCH, message, "use a shorter prefix");
    None
}
