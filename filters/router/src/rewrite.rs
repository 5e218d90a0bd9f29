//! Changes of path and authority before a request is sent.

use crate::code;
use crate::config::{RegexRewrite, Rewrite as Written};
use crate::matcher::PathMatch;
use crate::report::{Place, Report};
use crate::text;
use crate::view::View;
use regex_lite::Regex;

/// A resolved rewrite.
#[derive(Debug, Clone)]
pub struct Rewrite {
    path: Option<NewPath>,
    /// The new authority.
    pub authority: Option<String>,
}

#[derive(Debug, Clone)]
enum NewPath {
    /// Takes the place of what matched.
    Matched(String),
    /// Takes the place of every match of the expression.
    Expression(Regex, Vec<Piece>),
    /// As the Gateway API replaces paths.
    Changed(PathChange),
}

/// How the Gateway API replaces paths, in rewrites and redirects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathChange {
    /// The whole path.
    Whole(String),
    /// The segments that matched; no `/` is doubled, and none is missing.
    Segments(String),
}

impl PathChange {
    /// The new path.
    pub fn apply(&self, path: &str, matched: PathMatch) -> String {
        match (self, matched) {
            (Self::Whole(new), _) | (Self::Segments(new), PathMatch::Whole) => new.clone(),
            (Self::Segments(new), PathMatch::Prefix(length)) => {
                let rest = path.get(length..).unwrap_or_default();
                let joined = format!("{}{rest}", new.trim_end_matches('/'));
                if joined.is_empty() { "/".to_owned() } else { joined }
            }
        }
    }
}

/// A part of a replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Rewrite {
    /// Resolves a rewrite as written at `place`.
    pub fn resolve(written: &Written, place: &Place, report: &mut Report<'_>) -> Self {
        let uri = written.uri.as_ref().filter(|uri| !uri.is_empty());
        let authority = written.authority.clone().filter(|authority| !authority.is_empty());
        if uri.is_some() && written.uri_regex_rewrite.is_some() {
            let help = "keep one of `uri` and `uriRegexRewrite`";
            report.error(place, code::CONFLICT, "`uri` and `uriRegexRewrite` exclude each other", help);
        }
        if uri.is_none() && written.uri_regex_rewrite.is_none() && authority.is_none() {
            let help = "add `uri`, `uriRegexRewrite` or `authority`, or remove the rewrite";
            report.error(place, code::REWRITE, "the rewrite changes nothing", help);
        }
        if let Some(authority) = &authority {
            check_authority(authority, &place.key("authority"), report);
        }
        let expression = written.uri_regex_rewrite.as_ref();
        let path = match (uri, expression) {
            (Some(uri), _) => replacement_path(uri, &place.key("uri"), report).map(NewPath::Matched),
            (None, Some(expression)) => resolve_expression(expression, &place.key("uriRegexRewrite"), report),
            (None, None) => None,
        };
        Self { path, authority }
    }

    /// A rewrite as the Gateway API knows it.
    pub fn changed(path: Option<PathChange>, authority: Option<String>) -> Self {
        Self { path: path.map(NewPath::Changed), authority }
    }

    /// This one, and what it leaves as it is as another has it.
    #[must_use]
    pub fn or(self, other: Option<&Self>) -> Self {
        let Some(other) = other else { return self };
        Self {
            path: self.path.or_else(|| other.path.clone()),
            authority: self.authority.or_else(|| other.authority.clone()),
        }
    }

    /// The new path, if it changes.
    pub fn path(&self, matched: PathMatch, view: &View<'_>) -> Option<String> {
        let path = view.path();
        let new = match self.path.as_ref()? {
            NewPath::Matched(replacement) => replace_matched(path, matched, replacement),
            NewPath::Expression(regex, pieces) => replace_all(path, regex, pieces),
            NewPath::Changed(change) => change.apply(path, matched),
        };
        let new = if new.starts_with('/') { new } else { format!("/{new}") };
        (new != path).then_some(new)
    }
}

/// A path in which the matched part is replaced.
pub fn replace_matched(path: &str, matched: PathMatch, replacement: &str) -> String {
    match matched {
        PathMatch::Whole => replacement.to_owned(),
        PathMatch::Prefix(length) => format!("{replacement}{}", path.get(length..).unwrap_or_default()),
    }
}

fn replace_all(path: &str, regex: &Regex, pieces: &[Piece]) -> String {
    let mut new = String::with_capacity(path.len());
    let mut done = 0;
    for captures in regex.captures_iter(path) {
        let Some(whole) = captures.get(0) else { continue };
        new.push_str(path.get(done..whole.start()).unwrap_or_default());
        for piece in pieces {
            new.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Group(group) => captures.get(*group).map_or("", |group| group.as_str()),
            });
        }
        done = whole.end();
    }
    new.push_str(path.get(done..).unwrap_or_default());
    new
}

fn resolve_expression(written: &RegexRewrite, place: &Place, report: &mut Report<'_>) -> Option<NewPath> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (Some(pattern), Some(replacement)) = (given(&written.pattern), given(&written.rewrite)) else {
        report.error(place, code::REWRITE, "`match` and `rewrite` are both required", "add what is missing");
        return None;
    };
    let compiled = text::regex(&pattern, &place.key("match"), report);
    let replacement = replacement_path(&replacement, &place.key("rewrite"), report)?;
    let (regex, groups) = compiled?;
    match replacement_pieces(&replacement, groups) {
        Ok(pieces) => Some(NewPath::Expression(regex, pieces)),
        Err(reason) => {
            let help = "write \\1 to \\9 for the groups of `match`, and \\\\ for a backslash";
            report.error(&place.key("rewrite"), code::REWRITE, reason, help);
            None
        }
    }
}

/// Reads `\0` to `\9` and `\\`, as RE2 does. `groups` counts group 0 too.
fn replacement_pieces(text: &str, groups: usize) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            literal.push(character);
            continue;
        }
        match characters.next() {
            Some('\\') => literal.push('\\'),
            Some(digit) if digit.is_ascii_digit() => {
                let group = usize::try_from(digit.to_digit(10).unwrap_or(0)).unwrap_or(0);
                if group >= groups {
                    return Err(format!("`\\{group}` names a group that `match` does not have"));
                }
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
                pieces.push(Piece::Group(group));
            }
            _ => return Err("a backslash stands alone".to_owned()),
        }
    }
    pieces.push(Piece::Text(literal));
    Ok(pieces)
}

/// A path, or a part of one, that a request line can carry: the query of the request stays, so it must not bring its own.
pub fn replacement_path(text: &str, place: &Place, report: &mut Report<'_>) -> Option<String> {
    let forbidden =
        |character: char| matches!(character, '?' | '#' | ' ') || character.is_control() || !character.is_ascii();
    if let Some(character) = text.chars().find(|&character| forbidden(character)) {
        let help = "write only the path, percent-encoded where needed; the query of the request is kept";
        report.error(place, code::REWRITE, format!("a path cannot have {character:?}"), help);
        return None;
    }
    Some(text.to_owned())
}

/// Refuses an authority that no request can carry.
pub fn check_authority(text: &str, place: &Place, report: &mut Report<'_>) {
    if !is_authority(text) {
        let message = format!("`{text}` is not an authority");
        report.error(place, code::REWRITE, message, "write a host, and a port behind a colon if needed");
    }
}

/// Whether a text is made of what hosts and ports are made of. Names of users have no place in a request.
pub fn is_authority(text: &str) -> bool {
    let brackets = text.starts_with('[');
    let ends_in_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !brackets || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let valid_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
    };
    valid_host && port.is_none_or(ends_in_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matched_part_of_a_path_is_replaced() {
        for (path, matched, replacement, expected) in [
            ("/pre/a", PathMatch::Prefix(4), "/x", "/x/a"),
            ("/prefix/a", PathMatch::Prefix(4), "/x", "/xfix/a"),
            ("/a", PathMatch::Prefix(1), "/x", "/xa"),
            ("/a", PathMatch::Prefix(1), "/x/", "/x/a"),
            ("/any/thing", PathMatch::Whole, "/x", "/x"),
        ] {
            assert_eq!(replace_matched(path, matched, replacement), expected);
        }
    }

    #[test]
    fn matched_segments_are_replaced_without_doubling_or_losing_a_slash() {
        for (path, prefix, replacement, expected) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/foo/", "/foo", "/", "/"),
            ("/foo", "/foo", "/", "/"),
            ("/foo/bar", "", "/xyz", "/xyz/foo/bar"),
        ] {
            let change = PathChange::Segments(replacement.to_owned());
            assert_eq!(change.apply(path, PathMatch::Prefix(prefix.len())), expected, "{path} {prefix} {replacement}");
        }
    }

    #[test]
    fn groups_of_an_expression_stand_where_the_replacement_names_them() {
        for (path, pattern, replacement, expected) in [
            ("/service/foo/v1/api", "^/service/([^/]+)(/.*)$", "\\2/instance/\\1", "/v1/api/instance/foo"),
            ("/xxx/one/yyy/one/zzz", "one", "two", "/xxx/two/yyy/two/zzz"),
            ("/xxx/one/yyy", "^(.*?)one(.*)$", "\\1two\\2", "/xxx/two/yyy"),
            ("/aaa/XxX/bbb", "(?i)/xxx/", "/yyy/", "/aaa/yyy/bbb"),
            ("/unmatched", "^/other", "/new", "/unmatched"),
            ("/a", "a", "\\0\\0", "/aa"),
        ] {
            let regex = Regex::new(pattern).expect(pattern);
            let pieces = replacement_pieces(replacement, regex.captures_len()).expect(replacement);
            assert_eq!(replace_all(path, &regex, &pieces), expected, "{pattern}");
        }
    }

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for good in ["shop", "shop:80", "10.0.0.1:8080", "[::1]", "[::1]:80", "a_b.c"] {
            assert!(is_authority(good), "{good}");
        }
        for bad in ["", ":80", "shop:", "shop:http", "a b", "user@shop", "::1", "[::1", "[x]:80", "shop/a", "a:1:2"] {
            assert!(!is_authority(bad), "{bad}");
        }
    }

    #[test]
    fn a_group_that_is_not_there_is_refused() {
        assert!(replacement_pieces("\\1", 1).is_err());
        assert!(replacement_pieces("\\", 1).is_err());
        assert!(replacement_pieces("\\x", 9).is_err());
        assert_eq!(replacement_pieces("a\\\\b", 1), Ok(vec![Piece::Text("a\\b".to_owned())]));
    }
}
