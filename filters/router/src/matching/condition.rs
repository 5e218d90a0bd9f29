//! One thing that a match asks of a request beside its path.

use crate::text::Pattern;
use crate::view::View;

/// A condition; names of headers are in lower case.
#[derive(Debug)]
pub enum Condition {
    /// The method.
    Method(Pattern),
    /// The scheme.
    Scheme(Pattern),
    /// The authority as sent, port included.
    Authority(Pattern),
    /// The port that the client takes itself to speak to.
    Port(u16),
    /// A header that must be there.
    Header(String, Pattern),
    /// A header that must not match.
    WithoutHeader(String, Pattern),
    /// A query parameter that must be there.
    Query(String, Pattern),
}

impl Condition {
    /// Whether a request meets it.
    pub fn holds(&self, view: &View<'_>) -> bool {
        match self {
            Self::Method(pattern) => pattern.matches(view.method().as_bytes()),
            Self::Scheme(pattern) => pattern.matches(view.scheme().as_bytes()),
            Self::Authority(pattern) => pattern.matches(view.authority().as_bytes()),
            Self::Port(port) => view.addressed_port() == Some(*port),
            Self::Query(name, pattern) => {
                view.query_parameter(name).is_some_and(|value| pattern.matches(value.as_bytes()))
            }
            Self::Header(name, pattern) => {
                view.with_header(name, |value| value.is_some_and(|value| pattern.matches(value)))
            }
            Self::WithoutHeader(name, Pattern::Present) => view.with_header(name, |value| value.is_none()),
            // As in Istio, a header that is missing is compared as an empty one.
            Self::WithoutHeader(name, pattern) => {
                view.with_header(name, |value| !pattern.matches(value.unwrap_or_default()))
            }
        }
    }

    /// Why a request that does not meet it does not.
    pub fn objection(&self, view: &View<'_>) -> String {
        let subject = |subject: &str, value: &str, pattern: &Pattern| format!("{subject} {value} {}", pattern.unlike());
        match self {
            Self::Method(pattern) => subject("method", view.method(), pattern),
            Self::Scheme(pattern) => subject("scheme", view.scheme(), pattern),
            Self::Authority(pattern) => subject("authority", view.authority(), pattern),
            Self::Port(port) => match view.addressed_port() {
                Some(actual) => format!("port {actual} is not {port}"),
                None => format!("the port it was sent to is not known to be {port}"),
            },
            Self::Query(name, pattern) => match view.query_parameter(name) {
                Some(value) => subject(&format!("query parameter {name}"), &quoted(value.as_bytes()), pattern),
                None => format!("query parameter {name} is absent"),
            },
            Self::Header(name, pattern) => view.with_header(name, |value| match value {
                Some(value) => subject(&format!("header {name}"), &quoted(value), pattern),
                None => format!("header {name} is absent"),
            }),
            Self::WithoutHeader(name, pattern) => view.with_header(name, |value| match value {
                Some(value) => format!("header {name} {} {}, which it must not", quoted(value), pattern.like()),
                None => format!("header {name} counts as empty and {}, which it must not", pattern.like()),
            }),
        }
    }
}

fn quoted(value: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(value))
}
