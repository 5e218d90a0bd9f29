//! Answers that a filter knows before its calls are made.

use super::fetch::{Fetched, Response, ResponseBody};
use super::plan::{Call, Expected, Part, has_no_content};
use crate::wasm::types::{self, BodyPart, BodyUse, BodyValue};
use crate::{decision, json};
use bytes::Bytes;
use http::HeaderName;
use std::fmt;

impl Expected {
    /// Understands what a filter expects of a plan with these calls.
    ///
    /// # Errors
    /// When the answer cannot be given, whatever the calls give.
    pub(super) fn check(written: types::Expectation, calls: &[Call]) -> Result<Box<Self>, String> {
        let types::Expectation { answer: types::Assembly { status, headers, body }, unless_headers } = written;
        let head = decision::head(status, headers).map_err(|failure| failure.message)?;
        let (mut parts, mut values) = (Vec::with_capacity(body.len()), Vec::new());
        for part in body {
            let part = Part::from(part);
            let giver = part.giver(calls);
            let is_given = giver.is_some() || matches!(part, Part::Bytes(_));
            if !is_given || (matches!(part, Part::BodyOf(_)) && parts.contains(&part)) {
                return Err(format!("it expects an answer with {part}, which it does not hold"));
            }
            values.extend(giver.filter(|_| matches!(part, Part::ValueOf(_))));
            parts.push(part);
        }
        let unless = unless_headers
            .iter()
            .map(|name| HeaderName::try_from(name.as_str()).map_err(|_| format!("{name:?} is not a header name")));
        Ok(Box::new(Self { head, body: parts, values, unless: unless.collect::<Result<_, _>>()? }))
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

    /// Puts the values in that the answer takes from bodies which are here: whether all are there. `of` gives the body of the
    /// call at a place of the plan.
    pub(super) fn fill<'b>(&mut self, of: impl Fn(usize) -> Option<&'b Bytes>) -> bool {
        let mut looked_into: Vec<(usize, &Bytes, json::Values<'_>)> = Vec::new();
        let mut calls = self.values.iter().copied();
        self.body.iter_mut().all(|part| {
            let Part::ValueOf(BodyValue { path, .. }) = part else { return true };
            let Some(call) = calls.next() else { return false };
            let place = looked_into.iter().position(|(known, ..)| *known == call).or_else(|| {
                let body = of(call)?;
                looked_into.push((call, body, json::Values::new(body)));
                Some(looked_into.len() - 1)
            });
            let found = place.and_then(|place| looked_into.get_mut(place)).and_then(|(_, body, values)| {
                let value = values.value(path)?;
                Some(body.slice_ref(value))
            });
            found.map(|value| *part = Part::Bytes(value)).is_some()
        })
    }
}

impl Part {
    /// The call that has what is wanted, by its place in the plan; none for bytes.
    fn giver(&self, calls: &[Call]) -> Option<usize> {
        match self {
            Self::Bytes(_) => None,
            Self::BodyOf(name) => calls.iter().position(|call| call.name == *name && call.splices()),
            Self::ValueOf(value) => {
                calls.iter().position(|call| call.name == value.call && call.body_use == BodyUse::ReadJson)
            }
        }
    }
}

impl From<BodyPart> for Part {
    fn from(part: BodyPart) -> Self {
        match part {
            BodyPart::Bytes(bytes) => Self::Bytes(bytes.into()),
            BodyPart::BodyOf(call) => Self::BodyOf(call),
            BodyPart::ValueOf(value) => Self::ValueOf(value),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::BodyOf(call) => write!(f, "the body of {call:?}"),
            Self::ValueOf(BodyValue { call, path }) => write!(f, "the value {:?} of {call:?}", path.join(".")),
        }
    }
}
