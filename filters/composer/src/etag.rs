//! Entity tags of composed answers (RFC 9110, section 8.8.3).

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Bytes of the hash that are used: enough that no two answers share them.
const LENGTH: usize = 16;

/// The tag of a body: the same bytes have the same tag, whichever proxy made them.
pub fn of(body: &str) -> String {
    let hash = Sha256::digest(body.as_bytes());
    let mut tag = String::with_capacity(2 * LENGTH + 2);
    tag.push('"');
    for byte in hash.iter().take(LENGTH) {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Whether an `if-none-match` names the tag: weakly compared (RFC 9110, section 13.1.2).
pub fn matches(known: &str, tag: &str) -> bool {
    known.trim() == "*" || known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_have_the_same_tag() {
        let tag = of("{}");
        assert_eq!(tag, of("{}"));
        assert_ne!(tag, of("{ }"));
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 2 * LENGTH + 2);
    }

    #[test]
    fn a_tag_is_found_among_those_that_are_known() {
        for known in ["*", "\"a\"", "\"b\", W/\"a\"", " \"a\" "] {
            assert!(matches(known, "\"a\""), "{known}");
        }
        for known in ["", "a", "\"b\"", "\"A\""] {
            assert!(!matches(known, "\"a\""), "{known}");
        }
    }
}
