//! The path that a composition takes: segments, of which some are parameters.

use crate::percent;
use std::cmp::Ordering;

/// Segments of a path: more than any address that people read.
const SEGMENTS: usize = 32;

/// A path with parameters, such as `/products/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        let wrong = |message: String, help: &str| Err((message, help.to_owned()));
        let Some(path) = text.strip_prefix('/') else {
            return wrong(format!("`{text}` is not a path"), "a path begins with a `/`, such as `/products/{id}`");
        };
        let mut segments = Vec::new();
        for part in path.split('/') {
            let segment = match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => Segment::Parameter(name.to_owned()),
                None => Segment::Literal(part.to_owned()),
            };
            match &segment {
                Segment::Parameter(name) if !is_name(name) => {
                    return wrong(
                        format!("`{name}` is not a name of a parameter"),
                        "a name has letters, digits, `_` and `-`, and takes a whole segment: `/products/{id}`",
                    );
                }
                Segment::Literal(text) if text.contains(['{', '}']) => {
                    return wrong(format!("`{text}` is half a parameter"), "a parameter takes a whole segment");
                }
                Segment::Literal(text) if text == "." || text == ".." || !text.bytes().all(percent::is_path_byte) => {
                    return wrong(
                        format!("`{text}` cannot be a segment of a path"),
                        "write the path without query, percent-encoded and without dot segments",
                    );
                }
                _ if segments.contains(&segment) && matches!(segment, Segment::Parameter(_)) => {
                    return wrong(format!("the parameter `{part}` is there twice"), "give each a name of its own");
                }
                _ => segments.push(segment),
            }
        }
        if segments.len() > SEGMENTS {
            return wrong(format!("the path has more than {SEGMENTS} segments"), "shorten it");
        }
        Ok(Self { segments })
    }

    /// The names of its parameters, in order.
    pub fn parameters(&self) -> Vec<String> {
        let name = |segment: &Segment| if let Segment::Parameter(name) = segment { Some(name.clone()) } else { None };
        self.segments.iter().filter_map(name).collect()
    }

    /// The parameters of a path that fits, decoded. A parameter takes one segment that is not empty.
    pub fn matches(&self, path: &str) -> Option<Vec<String>> {
        let mut parameters = Vec::new();
        let mut parts = path.strip_prefix('/')?.split('/');
        for segment in &self.segments {
            let part = parts.next()?;
            match segment {
                Segment::Literal(text) if text == part => {}
                Segment::Parameter(_) if !part.is_empty() => parameters.push(percent::decode(part)?.into_owned()),
                _ => return None,
            }
        }
        parts.next().is_none().then_some(parameters)
    }

    /// Whether the two take the same paths.
    pub fn same_paths(&self, other: &Self) -> bool {
        let same = |(one, other): (&Segment, &Segment)| match (one, other) {
            (Segment::Literal(one), Segment::Literal(other)) => one == other,
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        };
        self.segments.len() == other.segments.len() && self.segments.iter().zip(&other.segments).all(same)
    }

    /// Whether there are paths that both take.
    pub fn shares_paths(&self, other: &Self) -> bool {
        let share = |(one, other): (&Segment, &Segment)| match (one, other) {
            (Segment::Literal(one), Segment::Literal(other)) => one == other,
            (Segment::Literal(text), _) | (_, Segment::Literal(text)) => !text.is_empty(),
            _ => true,
        };
        self.segments.len() == other.segments.len() && self.segments.iter().zip(&other.segments).all(share)
    }

    /// Which of the two comes first: where they differ first, a literal comes before a parameter.
    pub fn precedence(&self, other: &Self) -> Ordering {
        let rank = |segment: &Segment| u8::from(matches!(segment, Segment::Parameter(_)));
        self.segments.iter().map(rank).cmp(other.segments.iter().map(rank))
    }
}

/// Whether a text can be the name of a parameter or a call: templates have to be able to write it.
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    text.bytes().all(plain) && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).expect("it is a pattern")
    }

    #[test]
    fn a_parameter_takes_one_segment_decoded() {
        let found = |text: &str, path: &str| pattern(text).matches(path);
        assert_eq!(found("/products/{id}", "/products/tea%2Fpot"), Some(vec!["tea/pot".to_owned()]));
        assert_eq!(found("/{a}/x/{b}", "/1/x/2"), Some(vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(found("/", "/"), Some(vec![]));
        for path in ["/products", "/products/", "/products/1/2", "/product/1", "/products/%ff", "/products/1/"] {
            assert_eq!(found("/products/{id}", path), None, "{path}");
        }
    }

    #[test]
    fn a_literal_comes_before_a_parameter_where_they_differ_first() {
        let mut patterns = [pattern("/{a}/b"), pattern("/a/{b}"), pattern("/a/b")];
        patterns.sort_by(Pattern::precedence);
        assert_eq!(patterns, [pattern("/a/b"), pattern("/a/{b}"), pattern("/{a}/b")]);
        assert!(pattern("/a/{b}").same_paths(&pattern("/a/{c}")) && !pattern("/a/{b}").same_paths(&pattern("/a/b")));
    }

    #[test]
    fn patterns_share_the_paths_that_fit_both() {
        let share = |one: &str, other: &str| pattern(one).shares_paths(&pattern(other));
        assert!(share("/a/{b}", "/{a}/b") && share("/{a}", "/{b}") && share("/a/", "/a/"));
        assert!(!share("/a/{b}", "/b/{b}") && !share("/{a}", "/{a}/{b}") && !share("/a/{b}", "/a/"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "products", "/{}", "/{a b}", "/x{id}", "/{id", "/a/../b", "/a?b", "/{a}/{a}", "/ü"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
