//! The configuration file, and the durations and sizes in it and in manifests.
//!
//! - Every mistake is in the file, on a line that it has.
//! - A duration or size that is read is read the same when it is written in the plainest way.

use sluicegate::config::file::File;
use sluicegate::config::{Origin, Problems, Ratio, Upstream, quantity};
use std::path::Path;
use std::time::Duration;

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut problems = Problems::default();
    let _ = File::parse(text, Path::new("sluicegate.yaml"), &mut problems);
    // To YAML a CR by itself ends a line too.
    let lines = text.replace("\r\n", "\n").split(['\n', '\r']).count();
    let lines = u64::try_from(lines).unwrap_or(u64::MAX);
    for problem in &problems.0 {
        let Origin::File { line, .. } = problem.origin else { panic!("{problem} is of no file") };
        assert!(line <= lines && !problem.message.is_empty(), "{problem} of {lines} lines: {text:?}");
    }
    for line in text.lines() {
        quantities(line);
    }
}

fn quantities(text: &str) {
    if let Ok(duration) = quantity::duration(text) {
        assert_eq!(quantity::duration(&plainest(duration)).ok(), Some(duration), "{text}");
    }
    if let Ok(size) = quantity::size(text) {
        assert_eq!(quantity::size(&size.to_string()).ok(), Some(size), "{text}");
    }
    let _ = Ratio::parse(text);
    let _ = Upstream::parse(text);
    if let Some(milliseconds) = sluicegate_composer::duration::milliseconds(text) {
        let plain = format!("{milliseconds}ms");
        assert_eq!(sluicegate_composer::duration::milliseconds(&plain), Some(milliseconds), "{text}");
    }
}

fn plainest(duration: Duration) -> String {
    format!("{}s {}ns", duration.as_secs(), duration.subsec_nanos())
}
