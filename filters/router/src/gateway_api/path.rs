//! Paths as routes write them.

use super::config::PathModifier;
use crate::code;
use crate::report::{Place, Report};
use crate::rewrite::{PathChange, replacement_path};

/// The Gateway API's own limit.
const LENGTH: usize = 1024;
/// What a path of a match must not have, as no request that a proxy has cleaned has it.
const NOT_WITHIN: [&str; 6] = ["//", "/./", "/../", "%2f", "%2F", "#"];
const NOT_AT_THE_END: [&str; 2] = ["/..", "/."];

/// Why a path cannot be matched; the reason reads on after the path.
pub fn check(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err("does not start with `/`".to_owned());
    }
    if path.len() > LENGTH {
        return Err(format!("is longer than {LENGTH} characters"));
    }
    if let Some(part) = NOT_WITHIN.iter().find(|part| path.contains(**part)) {
        return Err(format!("has `{part}`, which the path of no request has"));
    }
    if let Some(part) = NOT_AT_THE_END.iter().find(|part| path.ends_with(**part)) {
        return Err(format!("ends in `{part}`, which the path of no request does"));
    }
    match wrong_character(path) {
        Some(character) => Err(format!("has {character:?}, which a path cannot have as it is")),
        None => Ok(()),
    }
}

/// The first character that RFC 3986, section 3.3 does not allow in a path; a percent sign must start an escape.
fn wrong_character(path: &str) -> Option<char> {
    let mut rest = path.chars();
    while let Some(character) = rest.next() {
        let allowed = match character {
            '%' => rest.by_ref().take(2).filter(char::is_ascii_hexdigit).count() == 2,
            _ => character.is_ascii_alphanumeric() || "-/._~!$&'()*+,;=:@".contains(character),
        };
        if !allowed {
            return Some(character);
        }
    }
    None
}

/// Resolves the new path of a rewrite or redirect. `replaces_prefix` tells whether the rule matches a prefix that can be
/// replaced.
pub fn resolve_change(
    written: &PathModifier,
    replaces_prefix: bool,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<PathChange> {
    let (full, prefix) = (written.replace_full_path.as_ref(), written.replace_prefix_match.as_ref());
    match (written.kind.as_str(), full, prefix) {
        ("ReplaceFullPath", Some(path), None) => {
            let path = new_path(path, &place.key("replaceFullPath"), report)?;
            Some(PathChange::Whole(if path.starts_with('/') { path } else { format!("/{path}") }))
        }
        ("ReplacePrefixMatch", None, Some(path)) => {
            if !replaces_prefix {
                let message = "a prefix can only be replaced where the rule has exactly one match, by PathPrefix";
                let help = "give the rule one match of the type PathPrefix, or use ReplaceFullPath";
                report.error(&place.key("replacePrefixMatch"), code::CONFLICT, message, help);
            }
            let path = new_path(path, &place.key("replacePrefixMatch"), report)?;
            let rooted = path.is_empty() || path.starts_with('/');
            Some(PathChange::Segments(if rooted { path } else { format!("/{path}") }))
        }
        ("ReplaceFullPath" | "ReplacePrefixMatch", ..) => {
            let message = format!("the type {} and the fields do not fit", written.kind);
            let help = "write `replaceFullPath` for ReplaceFullPath, `replacePrefixMatch` for ReplacePrefixMatch";
            report.error(place, code::CONFLICT, message, help);
            None
        }
        (other, ..) => {
            let message = format!("`{other}` is not a way to change the path");
            report.error(&place.key("type"), code::FILTER, message, "use ReplaceFullPath or ReplacePrefixMatch");
            None
        }
    }
}

fn new_path(path: &str, place: &Place, report: &mut Report<'_>) -> Option<String> {
    if path.len() > LENGTH {
        let message = format!("the path is longer than {LENGTH} characters");
        report.error(place, code::REWRITE, message, "use a shorter path");
        return None;
    }
    replacement_path(path, place, report)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_path_that_a_request_can_have_can_be_matched() {
        for path in ["/", "/a", "/a/", "/a.b/c_d", "/a%20b", "/.well-known", "/a...", "/a:b@c!$&'()*+,;="] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn a_path_that_no_request_has_is_refused() {
        for path in [
            "",
            "a",
            "//",
            "/a//b",
            "/./a",
            "/a/../b",
            "/a/..",
            "/a/.",
            "/a%2fb",
            "/a%2Fb",
            "/a#b",
            "/[]",
            "/my[/]path01",
            "/a b",
            "/a?b",
            "/a%2",
            "/a%zz",
            "/é",
        ] {
            assert!(check(path).is_err(), "{path}");
        }
        assert!(check(&format!("/{}", "a".repeat(1024))).is_err());
    }
}
