//! A fixed answer, without asking any service.

use crate::code;
use crate::config::{DirectBody, DirectResponse};
use crate::grpc::Status;
use crate::report::{Place, Report};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Istio refuses a larger body.
const LARGEST_BODY: usize = 1 << 20;
/// Istio warns of a larger body: every proxy holds it in memory.
const LARGE_BODY: usize = 100 << 10;

/// A resolved fixed answer.
#[derive(Debug)]
pub struct FixedAnswer {
    /// The status.
    pub status: u16,
    /// The body; empty when none is given.
    pub body: Vec<u8>,
    /// What clients of gRPC get in its place, where the rule is one for them.
    pub grpc: Option<Status>,
}

impl FixedAnswer {
    /// Resolves an answer as written at `place`.
    pub fn resolve(written: &DirectResponse, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let number = written.status.unwrap_or(0);
        let status = u16::try_from(number).ok().filter(|status| (200..=599).contains(status));
        if status.is_none() {
            let message = format!("{number} is not a status to answer with");
            report.error(&place.key("status"), code::DIRECT_RESPONSE, message, "use a number from 200 to 599");
        }
        let body = match &written.body {
            Some(body) => resolve_body(body, &place.key("body"), report),
            None => Some(Vec::new()),
        };
        Some(Self { status: status?, body: body?, grpc: None })
    }
}

fn resolve_body(written: &DirectBody, place: &Place, report: &mut Report<'_>) -> Option<Vec<u8>> {
    let body = match (&written.string, &written.bytes) {
        (Some(text), None) => text.clone().into_bytes(),
        (None, Some(text)) => decoded(text, &place.key("bytes"), report)?,
        _ => {
            report.error(place, code::CONFLICT, "a body is a `string` or `bytes`", "write exactly one of the two");
            return None;
        }
    };
    if body.len() > LARGEST_BODY {
        let message = format!("the body has {} bytes, more than {LARGEST_BODY}", body.len());
        report.error(place, code::DIRECT_RESPONSE, message, "let a service answer with it");
        return None;
    }
    if body.len() > LARGE_BODY {
        let message = format!("the body has {} bytes, which every instance of the filter holds in memory", body.len());
        report.warning(place, code::DIRECT_RESPONSE, message, format!("keep it under {LARGE_BODY} bytes"));
    }
    Some(body)
}

fn decoded(text: &str, place: &Place, report: &mut Report<'_>) -> Option<Vec<u8>> {
    match STANDARD.decode(text) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let message = format!("the body is not base64: {error}");
            report.error(place, code::DIRECT_RESPONSE, message, "encode it, or use `string`");
            None
        }
    }
}
