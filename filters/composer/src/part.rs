//! What the calls gave: parts of the answer, or the reasons why there are none.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sluicegate_sdk::{CallError, CallResponse, Header};

/// Statuses that come without a body (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5), which stands in the answer as `null`.
const NO_CONTENT: [u16; 3] = [204, 205, 304];

/// What is known of a call at some point of a request. It travels with the request from stage to stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Part {
    /// It has not been made.
    #[default]
    NotYet,
    /// Its condition did not hold.
    Skipped,
    /// It has a good answer.
    Good(Good),
    /// It has none.
    Failed(Failure),
    /// It was made for each element of a list.
    Each(Vec<Part>),
    /// What another call gave.
    Same(usize),
    /// What several other calls gave.
    All(Vec<usize>),
}

/// A good answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Good {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<Line>,
    /// Its body.
    pub body: Body,
}

/// Where the body of a good answer is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// Here, as JSON text.
    Json(String),
    /// With the host.
    Host,
    /// Nowhere: nothing needs it.
    Unused,
}

/// A header line. Its value is bytes, of which each stands for the character of its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line(pub String, pub String);

/// A call as others speak of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// The JSON that stands in for its body.
    pub default: Option<String>,
    /// The choice of alternatives that it is one of.
    pub set: Option<usize>,
}

/// Why a part is missing, as the answer tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word.
    pub error: Reason,
    /// The status, when the service answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// A sentence for people.
    pub message: String,
}

/// The stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No answer in time.
    Deadline,
    /// The service has no endpoint.
    NoEndpoint,
    /// No connection could be made.
    Refused,
    /// The connection ended before the answer was complete.
    Reset,
    /// The answer is larger than a part may be.
    TooLarge,
    /// The host gave the call up.
    Cancelled,
    /// An answer with a status that is not a good one.
    Status,
    /// An answer that is not JSON.
    NotJson,
    /// What the call is made of is missing.
    NotMade,
    /// The list has more elements than the call may be made for.
    TooMany,
    /// Too few of the alternatives are good.
    TooFew,
}

/// What is a good answer, and the limits that a failure may have met.
#[derive(Debug, Clone, PartialEq)]
pub struct CallLimits {
    /// In milliseconds.
    pub deadline: u64,
    /// In bytes.
    pub max_part: u64,
    /// The good statuses, each as the first and the last of a range.
    pub accept: Vec<(u16, u16)>,
}

impl Part {
    /// What a call gave. `body` says whether its body is needed here, stays with the host, or neither; `checked`, whether the
    /// host has seen that it is JSON.
    pub fn of(response: Result<CallResponse, CallError>, body: &Body, checked: bool, limits: &CallLimits) -> Self {
        match response {
            Ok(response) => Good::of(response, body, checked, limits).map_or_else(Self::Failed, Self::Good),
            Err(error) => Self::Failed(Failure::of(&error, limits)),
        }
    }

    /// Whether it has a good answer, or several that are good enough.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Good(_) | Self::Each(_) | Self::Same(_) | Self::All(_))
    }
}

impl Good {
    /// # Errors
    /// When the status is not accepted, or the body is needed and is not one JSON value in UTF-8. The content type is not
    /// asked: many services send JSON under another one.
    fn of(response: CallResponse, body: &Body, checked: bool, limits: &CallLimits) -> Result<Self, Failure> {
        let status = response.status;
        if !limits.accept.iter().any(|&(first, last)| (first..=last).contains(&status)) {
            return Err(Failure::status(status));
        }
        let coding = response.header("content-encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity"));
        let body = match body {
            Body::Unused => Body::Unused,
            _ if NO_CONTENT.contains(&status) => Body::Json("null".to_owned()),
            _ if coding.is_some() => {
                let coding = coding.unwrap_or_default();
                return Err(Failure::not_json(
                    status,
                    format!("the answer is encoded as {coding} though none was accepted"),
                ));
            }
            Body::Host => Body::Host,
            Body::Json(_) => Body::Json(json(status, response.body, checked)?),
        };
        Ok(Self { status, headers: response.headers.into_iter().map(Line::from).collect(), body })
    }

    /// The body, where it is here.
    pub fn json(&self) -> Option<&str> {
        match &self.body {
            Body::Json(text) => Some(text.trim_matches(SPACE)),
            Body::Host | Body::Unused => None,
        }
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.headers.iter().find(|line| line.0.eq_ignore_ascii_case(name))?;
        Some(&line.1)
    }

    /// All values of a header, in order.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |line| line.0.eq_ignore_ascii_case(name)).map(|line| line.1.as_str())
    }
}

impl Line {
    /// The value as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.1.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect()
    }
}

impl From<Header> for Line {
    fn from(header: Header) -> Self {
        let value = match String::from_utf8(header.value) {
            Ok(value) if value.is_ascii() => value,
            Ok(value) => value.bytes().map(char::from).collect(),
            Err(error) => error.as_bytes().iter().copied().map(char::from).collect(),
        };
        Self(header.name, value)
    }
}

/// White space around a JSON value (RFC 8259, section 2).
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// The JSON text of a body, byte for byte as the service wrote it.
fn json(status: u16, body: Vec<u8>, checked: bool) -> Result<String, Failure> {
    let text = String::from_utf8(body).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::not_json(status, format!("the answer is not UTF-8 from byte {at} on"))
    })?;
    if checked {
        return Ok(text);
    }
    // Only checks the grammar: nothing is kept, so numbers, key order and repeated keys stay what they are.
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::not_json(status, format!("the answer is not JSON: {error}"))),
    }
}

impl Failure {
    /// A failure that no service has anything to do with.
    pub fn new(error: Reason, message: impl Into<String>) -> Self {
        Self { error, status: None, message: message.into() }
    }

    fn status(status: u16) -> Self {
        let message = format!("the service answered {status}");
        Self { error: Reason::Status, status: Some(status), message }
    }

    fn not_json(status: u16, message: String) -> Self {
        Self { error: Reason::NotJson, status: Some(status), message }
    }

    /// The failure of a call that has no response, or none that is accepted.
    pub fn of(error: &CallError, limits: &CallLimits) -> Self {
        match error {
            CallError::Deadline => Self::new(Reason::Deadline, format!("no answer within {} ms", limits.deadline)),
            CallError::NoEndpoint => Self::new(Reason::NoEndpoint, "no endpoint is known for the service"),
            CallError::Refused => Self::new(Reason::Refused, "no connection to the service could be made"),
            CallError::Reset => Self::new(Reason::Reset, "the connection ended before the answer was complete"),
            CallError::TooLarge => Self::new(Reason::TooLarge, format!("the answer is over {} bytes", limits.max_part)),
            CallError::Cancelled => Self::new(Reason::Cancelled, "the call was given up"),
            CallError::NotJson => Self::new(Reason::NotJson, "the answer is not JSON"),
            CallError::Status(response) => Self::status(response.status),
        }
    }

    /// As JSON text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "null".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &[u8]) -> CallResponse {
        CallResponse { status, headers: Vec::new(), body: body.to_vec() }
    }

    fn json(response: &CallResponse) -> Result<String, Failure> {
        let limits = CallLimits { deadline: 1, max_part: 1, accept: vec![(200, 299)] };
        let good = Good::of(response.clone(), &Body::Json(String::new()), false, &limits)?;
        Ok(good.json().expect("it was asked for").to_owned())
    }

    #[test]
    fn header_values_that_are_no_text_stay_what_they_are() {
        for value in [&b"a=1; path=/"[..], b"caf\xe9", "caf\u{e9}".as_bytes(), b"\xff"] {
            let line = Line::from(Header { name: "set-cookie".into(), value: value.to_vec() });
            let kept: Line = serde_json::from_str(&serde_json::to_string(&line).expect("text")).expect("a line");
            assert_eq!(kept.bytes(), value);
        }
    }

    #[test]
    fn any_json_value_of_a_2xx_is_a_part_just_as_it_was_written() {
        let bodies = [
            "{}",
            "[1, 2.50]",
            "null",
            "\"teapot\"",
            "1e400",
            "12345678901234567890123",
            r#"{"a":1,"a":2,"b":"\u00e9é"}"#,
        ];
        for body in bodies {
            assert_eq!(json(&response(200, body.as_bytes())).as_deref(), Ok(body));
            assert_eq!(json(&response(206, format!("\r\n {body}\t").as_bytes())).as_deref(), Ok(body));
        }
    }

    #[test]
    fn no_content_stands_as_null() {
        assert_eq!(json(&response(204, b"")).as_deref(), Ok("null"));
    }

    #[test]
    fn what_would_break_the_answer_is_no_part() {
        let bodies: [&[u8]; 14] = [
            b"",
            b" ",
            b"<html>",
            b"{",
            b"{} {}",
            b"{},",
            b"{\"a\":1}}",
            b"[1,]",
            b"\"open",
            b"01",
            b"nul",
            b"\"\xff\"",
            b"\"line\nbreak\"",
            b"\xef\xbb\xbf{}",
        ];
        for body in bodies {
            let failure = json(&response(200, body)).expect_err("not JSON");
            assert_eq!((failure.error, failure.status), (Reason::NotJson, Some(200)), "{body:?}");
        }
    }

    #[test]
    fn deep_nesting_is_checked_without_recursion() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(json(&response(200, deep.as_bytes())), Ok(deep));
    }

    #[test]
    fn an_encoded_body_is_no_part() {
        let mut encoded = response(200, b"{}");
        encoded.headers.push(sluicegate_sdk::Header { name: "content-encoding".into(), value: b"br".to_vec() });
        assert_eq!(json(&encoded).expect_err("encoded").error, Reason::NotJson);
    }

    #[test]
    fn other_statuses_are_failures_that_say_the_status() {
        for status in [100, 199, 300, 304, 404, 500, 599] {
            let failure = json(&response(status, b"{}")).expect_err("not a success");
            assert_eq!((failure.error, failure.status), (Reason::Status, Some(status)));
        }
    }
}
