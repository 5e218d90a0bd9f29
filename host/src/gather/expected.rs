//! Answers that a filter knows before its calls are made.

use super::fetch::{Fetched, Response, ResponseBody};
use super::plan::{Call, Expected, has_no_content};
use crate::decision;
use crate::wasm::types::{self, BodyPart};
use http::HeaderName;

impl Expected {
    /// Understands what a filter expects of a plan with these calls.
    ///
    /// # Errors
    /// When the answer cannot be given, whatever the calls give.
    pub(super) fn check(written: types::Expectation, calls: &[Call]) -> Result<Box<Self>, String> {
        let types::Expectation { answer: types::Assembly { status, headers, body }, unless_headers } = written;
        let head = decision::head(status, headers).map_err(|failure| failure.message)?;
        let spliced = |name: &String| calls.iter().any(|call| call.name == *name && call.splices());
        for (index, part) in body.iter().enumerate() {
            let BodyPart::BodyOf(name) = part else { continue };
            let again = body.iter().take(index).any(|before| before == part);
            if again || !spliced(name) {
                return Err(format!("it expects an answer with the body of {name:?}, which it does not hold"));
            }
        }
        let unless = unless_headers
            .iter()
            .map(|name| HeaderName::try_from(name.as_str()).map_err(|_| format!("{name:?} is not a header name")));
        Ok(Box::new(Self { head, body, unless: unless.collect::<Result<_, _>>()? }))
    }

    /// Whether this is what one of the calls was expected to give.
    pub(super) fn holds(&self, call: &Call, fetched: &Fetched) -> bool {
        let Ok(Response { head, body }) = &fetched.result else { return false };
        // What is not accepted has been read, whatever the call says.
        let kept = !call.splices() || matches!(body, ResponseBody::Held(_));
        kept && call.accepts(head.status)
            && !has_no_content(head.status)
            && !self.unless.iter().any(|name| head.headers.contains_key(name))
    }
}
