//! What one call gave: a part of the answer, or the reason why there is none.

use serde::Serialize;
use serde::de::IgnoredAny;
use sluicegate_sdk::{CallError, CallResponse};

/// Success without a body (RFC 9110, section 15.3.5), which stands in the answer as `null`.
const NO_CONTENT: u16 = 204;

/// Why a part is missing, as the answer tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// A stable word.
    pub error: Reason,
    /// The status, when the service answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// A sentence for people.
    pub message: String,
}

/// The stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    /// An answer with a status other than 2xx.
    Status,
    /// An answer that is not JSON.
    NotJson,
}

/// The limits that a failure may have met, for its message.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// In milliseconds.
    pub deadline: u64,
    /// In bytes.
    pub max_part: u64,
}

/// The JSON text of a response, byte for byte as the service wrote it.
///
/// # Errors
/// When the status is not 2xx or the body is not one JSON value in UTF-8. The content type is not asked: many services
/// send JSON under another one.
pub fn json(response: &CallResponse) -> Result<&str, Failure> {
    let status = response.status;
    if !(200..300).contains(&status) {
        let message = format!("the service answered {status}");
        return Err(Failure { error: Reason::Status, status: Some(status), message });
    }
    if status == NO_CONTENT {
        return Ok("null");
    }
    let not_json = |message: String| Failure { error: Reason::NotJson, status: Some(status), message };
    if let Some(coding) = response.header("content-encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity"))
    {
        return Err(not_json(format!("the answer is encoded as {coding} though none was accepted")));
    }
    let text = std::str::from_utf8(&response.body)
        .map_err(|error| not_json(format!("the answer is not UTF-8 from byte {} on", error.valid_up_to())))?;
    // Only checks the grammar: nothing is kept, so numbers, key order and repeated keys stay what they are.
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(format!("the answer is not JSON: {error}")))?;
    Ok(text.trim_matches([' ', '\t', '\n', '\r']))
}

impl Failure {
    /// The failure of a call that has no response.
    pub fn of(error: &CallError, limits: CallLimits) -> Self {
        let (error, message) = match error {
            CallError::Deadline => (Reason::Deadline, format!("no answer within {} ms", limits.deadline)),
            CallError::NoEndpoint => (Reason::NoEndpoint, "no endpoint is known for the service".to_owned()),
            CallError::Refused => (Reason::Refused, "no connection to the service could be made".to_owned()),
            CallError::Reset => (Reason::Reset, "the connection ended before the answer was complete".to_owned()),
            CallError::TooLarge => (Reason::TooLarge, format!("the answer is over {} bytes", limits.max_part)),
            CallError::Cancelled => (Reason::Cancelled, "the call was given up".to_owned()),
            CallError::NotJson => (Reason::NotJson, "the answer is not JSON".to_owned()),
            CallError::Status(response) => {
                let message = format!("the service answered {}", response.status);
                return Self { error: Reason::Status, status: Some(response.status), message };
            }
        };
        Self { error, status: None, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &[u8]) -> CallResponse {
        CallResponse { status, headers: Vec::new(), body: body.to_vec() }
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
            assert_eq!(json(&response(200, body.as_bytes())), Ok(body));
            assert_eq!(json(&response(206, format!("\r\n {body}\t").as_bytes())), Ok(body));
        }
    }

    #[test]
    fn no_content_stands_as_null() {
        assert_eq!(json(&response(204, b"")), Ok("null"));
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
        assert_eq!(json(&response(200, deep.as_bytes())), Ok(deep.as_str()));
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
