//! What a message says of caching: `cache-control` (RFC 9111, section 5.2; RFC 5861).

use http::HeaderMap;
use http::header::CACHE_CONTROL;
use std::time::Duration;

/// The directives that a shared cache has to know. What is not known is passed over (section 5.2.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a directive, which is there or not")]
pub(super) struct Directives {
    pub(super) no_store: bool,
    /// With or without field names: to leave single fields out is not done here, so the whole is validated.
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) public: bool,
    /// `must-revalidate` or `proxy-revalidate`.
    pub(super) must_revalidate: bool,
    pub(super) max_age: Option<Duration>,
    pub(super) s_maxage: Option<Duration>,
    pub(super) stale_while_revalidate: Option<Duration>,
    pub(super) stale_if_error: Option<Duration>,
}

impl Directives {
    /// Reads a message's headers. Names are taken without their case (section 5.2).
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            let mut rest = value.as_bytes();
            while let Some((directive, after)) = next(rest) {
                found.take(directive);
                rest = after;
            }
        }
        found
    }

    fn take(&mut self, directive: &[u8]) {
        let (name, argument) = match directive.iter().position(|byte| *byte == b'=') {
            Some(at) => (directive.get(..at).unwrap_or_default(), directive.get(at + 1..)),
            None => (directive, None),
        };
        let name = name.trim_ascii().to_ascii_lowercase();
        match name.as_slice() {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"private" => self.private = true,
            b"public" => self.public = true,
            b"must-revalidate" | b"proxy-revalidate" => self.must_revalidate = true,
            b"max-age" => shorten(&mut self.max_age, argument),
            b"s-maxage" => shorten(&mut self.s_maxage, argument),
            b"stale-while-revalidate" => shorten(&mut self.stale_while_revalidate, argument),
            b"stale-if-error" => shorten(&mut self.stale_if_error, argument),
            _ => {}
        }
    }
}

/// A directive that is there twice counts as the shorter one, and one that is no number as no time at all (section 4.2.1
/// asks for stale rather than wrong).
fn shorten(known: &mut Option<Duration>, argument: Option<&[u8]>) {
    let seconds = argument.map(<[u8]>::trim_ascii).map(unquoted).and_then(seconds).unwrap_or_default();
    *known = Some(known.map_or(seconds, |known| known.min(seconds)));
}

fn unquoted(argument: &[u8]) -> &[u8] {
    argument.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(argument)
}

/// A number of seconds; one that is too large counts as the largest (section 1.2.2).
pub(super) fn seconds(text: &[u8]) -> Option<Duration> {
    const LARGEST: u64 = 1 << 31;
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(text).ok()?.parse().unwrap_or(LARGEST);
    Some(Duration::from_secs(number.min(LARGEST)))
}

/// The first element of a list and what comes after it. A comma within quotes parts nothing.
fn next(list: &[u8]) -> Option<(&[u8], &[u8])> {
    if list.is_empty() {
        return None;
    }
    let (mut quoted, mut escaped) = (false, false);
    let end = list.iter().position(|byte| {
        let parts = *byte == b',' && !quoted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        parts
    });
    let end = end.unwrap_or(list.len());
    Some((list.get(..end).unwrap_or_default(), list.get(end + 1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(values: &[&'static str]) -> Directives {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        Directives::of(&headers)
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn directives_are_known_whatever_their_case_and_however_they_are_spread() {
        let expected = Directives { private: true, max_age: Some(secs(60)), no_store: true, ..Directives::default() };
        assert_eq!(of(&["Private, MAX-AGE=60,No-Store"]), expected);
        assert_eq!(of(&["private", " ,, max-age = \"60\" ", "no-store"]), expected);
    }

    #[test]
    fn what_is_quoted_is_not_a_directive() {
        let expected = Directives { no_cache: true, max_age: Some(secs(5)), ..Directives::default() };
        assert_eq!(of(&[r#"no-cache="a, no-store, \" private", max-age=5, x="public""#]), expected);
    }

    #[test]
    fn numbers_that_are_wrong_are_no_time_and_those_that_are_twice_the_shorter() {
        for wrong in ["max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=soon"] {
            assert_eq!(of(&[wrong]).max_age, Some(secs(0)), "{wrong}");
        }
        assert_eq!(of(&["max-age=60, max-age=5"]).max_age, Some(secs(5)));
        assert_eq!(of(&["max-age=99999999999999999999999"]).max_age, Some(secs(1 << 31)));
    }
}
