//! Patterns for paths, and paths: the index over many patterns against each pattern by itself.
//!
//! A line is a pattern by its first character (`=` exact, `^` prefix, `/` prefix by segments, `i` any case, `~` regular
//! expression); after an empty line come paths. A path finds the first pattern that it matches, with those left out
//! that a number of it says do not hold otherwise.

use crate::{envelope, pieces};
use sluicegate_router::matching::{Checked, PathIndex};
use sluicegate_router::report::{Place, Report};
use sluicegate_router::text::Pattern;
use sluicegate_sdk::{Diagnostics, ResourceId};

/// Patterns of one input: an index over more says nothing new, and each expression takes a while to compile.
const PATTERNS: usize = 24;

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let (lines, paths) = envelope::split(bytes);
    let patterns: Vec<Pattern> = lines.into_iter().take(PATTERNS).filter_map(pattern).collect();
    let index = PathIndex::build(patterns.iter().map(Some).enumerate());
    for path in paths.split(|byte| *byte == b'\n').filter_map(|path| std::str::from_utf8(path).ok()) {
        let holds = |entry: usize| !pieces::seed(path.as_bytes()).wrapping_add(entry as u64).is_multiple_of(5);
        let expected = (0..patterns.len()).find(|entry| patterns[*entry].matches(path.as_bytes()) && holds(*entry));
        let found = index.first(path, |entry, checked| {
            let fits = patterns[entry].matches(path.as_bytes());
            assert!(fits || checked == Checked::Nothing, "{path:?} does not fit {:?}", patterns[entry]);
            fits && holds(entry)
        });
        assert_eq!(found, expected, "{path:?} in {patterns:?}");
    }
}

fn pattern(line: &[u8]) -> Option<Pattern> {
    let text = std::str::from_utf8(line).ok()?;
    let mut rest = text.chars();
    let kind = rest.next()?;
    let rest = rest.as_str();
    match kind {
        '=' => Some(Pattern::Exact(rest.to_owned())),
        '^' => Some(Pattern::Prefix(rest.to_owned())),
        '/' => Some(Pattern::Segments(text.trim_end_matches('/').to_owned())),
        'i' => Some(Pattern::Exact(rest.to_owned()).any_case()),
        'I' => Some(Pattern::Prefix(rest.to_owned()).any_case()),
        '*' => Some(Pattern::Present),
        '~' => {
            let mut diagnostics = Diagnostics::default();
            Pattern::expression(rest, &Place::spec(), &mut Report::new(ResourceId(0), &mut diagnostics))
        }
        _ => None,
    }
}
