//! `traceparent`: which trace a message belongs to, and which span sent it (W3C Trace Context Level 2, section 3.2).

use super::state;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The length of version 00, in bytes: `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const LENGTH: usize = 55;
/// Someone before wants the trace to be kept.
const SAMPLED: u8 = 1;
/// The right 56 bits of the trace id are random (section 3.2.2.5.2).
const RANDOM: u8 = 2;

/// A span's place: its trace, its own id, and the flags that go with them. The ids are never zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    trace: NonZeroU128,
    span: NonZeroU64,
    flags: u8,
}

impl SpanContext {
    /// The first span of a new trace, with random ids.
    pub fn root(sampled: impl FnOnce(NonZeroU128) -> bool) -> Self {
        let trace = NonZeroU128::new(fastrand::u128(1..)).unwrap_or(NonZeroU128::MAX);
        Self { trace, span: span_id(), flags: RANDOM | u8::from(sampled(trace)) }
    }

    /// A new span below this one.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span: span_id(), ..self }
    }

    /// The same place with another say on whether the trace is kept.
    #[must_use]
    pub fn with_sampled(self, sampled: bool) -> Self {
        Self { flags: (self.flags & !SAMPLED) | u8::from(sampled), ..self }
    }

    /// Whether the trace is kept.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The trace's id.
    pub fn trace(self) -> NonZeroU128 {
        self.trace
    }

    /// The span's id.
    pub fn span(self) -> NonZeroU64 {
        self.span
    }

    /// `sampled` (1) and `random` (2).
    pub fn flags(self) -> u8 {
        self.flags
    }

    /// Its parts, with the names that logs have for them (OpenTelemetry, Trace Context in non-OTLP Log Formats).
    pub fn write(self, mut field: impl FnMut(&str, &str)) {
        let text = self.text();
        let text = std::str::from_utf8(&text).unwrap_or_default();
        for (name, digits) in [("trace_id", 3..35), ("span_id", 36..52), ("trace_flags", 53..55)] {
            field(name, text.get(digits).unwrap_or_default());
        }
    }

    /// Reads a `traceparent`. Of a version that is newer than 00, what this one knows is read, as section 3.2.4 has it;
    /// flags without a meaning are dropped. None when it is invalid.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let [v1, v2, b'-', known @ ..] = known else { return None };
        let version = digits(&[*v1, *v2])?;
        let may_be_longer = version != 0 && (rest.is_empty() || rest.first() == Some(&b'-'));
        if version == 0xff || !(rest.is_empty() || may_be_longer) {
            return None;
        }
        let (trace, rest) = known.split_at_checked(32)?;
        let (dash, rest) = rest.split_at_checked(1)?;
        let (span, flags) = rest.split_at_checked(16)?;
        let [b'-', f1, f2] = flags else { return None };
        let flags = u8::try_from(digits(&[*f1, *f2])?).ok()? & (SAMPLED | RANDOM);
        let span = u64::try_from(digits(span)?).ok()?;
        let context = Self { trace: NonZeroU128::new(digits(trace)?)?, span: NonZeroU64::new(span)?, flags };
        (dash == b"-").then_some(context)
    }

    /// As a `traceparent` of version 00.
    pub fn header_value(self) -> HeaderValue {
        // Digits and dashes are always valid; the fallback is never taken.
        HeaderValue::from_bytes(&self.text()).unwrap_or(HeaderValue::from_static(""))
    }

    fn text(self) -> [u8; LENGTH] {
        let mut text = [b'-'; LENGTH];
        let bytes = [0].into_iter().map(Some).chain([None]);
        let bytes = bytes.chain(self.trace.get().to_be_bytes().into_iter().map(Some)).chain([None]);
        let bytes = bytes.chain(self.span.get().to_be_bytes().into_iter().map(Some)).chain([None, Some(self.flags)]);
        let mut rest = text.iter_mut();
        for byte in bytes {
            // A dash stands where there is no byte.
            let Some(byte) = byte else {
                rest.next();
                continue;
            };
            for (nibble, digit) in [byte >> 4, byte & 15].into_iter().zip(rest.by_ref().take(2)) {
                *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
            }
        }
        text
    }
}

/// As a `traceparent`.
impl fmt::Display for SpanContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for SpanContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

fn span_id() -> NonZeroU64 {
    NonZeroU64::new(fastrand::u64(1..)).unwrap_or(NonZeroU64::MAX)
}

/// Lower-case hexadecimal digits, at most 32; upper-case ones are invalid.
fn digits(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((number << 4) | u128::from(value))
    })
}

/// Where a message comes from, as its headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The span that sent it.
    pub context: SpanContext,
    /// What tracing systems on the way wrote down, within its limits.
    pub state: Option<HeaderValue>,
}

impl Incoming {
    /// Reads the headers. None when there is no `traceparent`, or more than one, or an invalid one: then `tracestate` has no
    /// meaning either, and a new trace begins.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let context = SpanContext::parse(parents.next()?.as_bytes())?;
        if parents.next().is_some() {
            return None;
        }
        Some(Self { context, state: state::combine(headers.get_all(TRACESTATE).iter().map(HeaderValue::as_bytes)) })
    }
}

/// Says where a message comes from, in place of what its headers said.
pub fn write(headers: &mut HeaderMap, context: SpanContext, state: Option<&HeaderValue>) {
    headers.insert(TRACEPARENT, context.header_value());
    match state {
        Some(state) => headers.insert(TRACESTATE, state.clone()),
        None => headers.remove(TRACESTATE),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn good_parents_are_read_and_written_alike() {
        for (text, written) in [
            (GOOD, GOOD),
            (
                "00-0000000000000000000000000000000a-000000000000000b-00",
                "00-0000000000000000000000000000000a-000000000000000b-00",
            ),
            // Unknown flags are dropped, `random` is kept.
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-08",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            ),
            // A newer version, with and without more than this one knows.
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", GOOD),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings", GOOD),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", GOOD),
        ] {
            let context = SpanContext::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} is good"));
            assert_eq!(context.to_string(), written, "{text}");
            assert_eq!(context.header_value(), written);
        }
    }

    #[test]
    fn bad_parents_are_none() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            // Longer than its version is.
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
            // No version.
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ".0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0-44bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            // Upper case, and other letters.
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0X",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            // Zeros.
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            // Other separators.
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
        ] {
            assert_eq!(SpanContext::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn two_parents_are_none_and_take_the_state_with_them() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_static(GOOD));
        headers.append(TRACESTATE, HeaderValue::from_static("a=1"));
        let incoming = Incoming::read(&headers).unwrap();
        assert_eq!((incoming.context.to_string().as_str(), incoming.state.unwrap().as_bytes()), (GOOD, &b"a=1"[..]));
        headers.append(TRACEPARENT, HeaderValue::from_static(GOOD));
        assert_eq!(Incoming::read(&headers), None);
    }

    #[test]
    fn a_child_is_in_its_parents_trace_and_has_its_flags() {
        let parent = SpanContext::parse(GOOD.as_bytes()).unwrap();
        let child = parent.child();
        assert_eq!((child.trace(), child.flags()), (parent.trace(), parent.flags()));
        assert_ne!(child.span(), parent.span());
        assert!(!child.with_sampled(false).is_sampled() && child.with_sampled(false).with_sampled(true).is_sampled());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(sampled: bool) {
            let context = SpanContext::root(|_| sampled);
            prop_assert_eq!(context.is_sampled(), sampled);
            prop_assert_eq!(SpanContext::parse(context.to_string().as_bytes()), Some(context));
        }

        #[test]
        fn no_bytes_are_too_odd_to_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            // What is accepted has the shape of the specification.
            if let Some(context) = SpanContext::parse(&bytes) {
                let written = context.to_string();
                prop_assert_eq!(&written.as_bytes()[3..53], &bytes[3..53]);
            }
        }

        #[test]
        fn one_byte_changed_is_read_as_another_or_not_at_all(at in 0..LENGTH, byte: u8) {
            let mut text = GOOD.as_bytes().to_vec();
            text[at] = byte;
            if let Some(context) = SpanContext::parse(&text) {
                prop_assert!(byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || text == GOOD.as_bytes());
                prop_assert_eq!(context.trace().get() != 0, true);
            }
        }
    }
}
