//! Whether a decision stays within what its filter was granted. Here and nowhere else: whoever asks a filter gets what has
//! been through this.

use super::bindings::exports::sluicegate::filter::connection_filter::ConnectionDecision;
use super::bound::{Bound, Bounds};
use super::failure::Failure;
use super::grant::Grants;
use super::types::{
    Answer, Assembly, Attribute, CorrelatedAnswer, DeliveryDecision, EventDecision, FormattedHeader, Forward, Header,
    HeaderEdit, Plan, Publish, RequestDecision, RequestEdit, ResponseDecision, ValuePart,
};
use crate::config::limits;

/// What a filter may decide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed<'a> {
    pub(crate) grants: &'a Grants,
    pub(crate) bounds: &'a Bounds,
}

/// Edits so far, with their bytes.
#[derive(Debug, Default)]
struct Edits {
    count: usize,
    bytes: usize,
}

impl Allowed<'_> {
    pub(crate) fn request(self, decision: &RequestDecision) -> Result<(), Failure> {
        match decision {
            RequestDecision::Next(next) => {
                self.edits(&next.edits, &next.response_edits)?;
                // Where no filter after it decides, the authority says where the request goes.
                next.edits.iter().try_for_each(|edit| match edit {
                    RequestEdit::Authority(authority) => self.grants.check(Bound::Forward, host(authority)),
                    _ => Ok(()),
                })
            }
            RequestDecision::Forward(forward) => self.forward(forward),
            RequestDecision::Gather(plan) => self.plan(plan),
            RequestDecision::Publish(publish) => self.publish(publish),
            RequestDecision::Subscribe(stream) => {
                self.edits(&[], &stream.response_edits)?;
                listened_to_by(&stream.attributes)?;
                // Whoever may not put events into a channel may not show them to clients either.
                self.grants.check(Bound::Publish, &stream.channel)
            }
            RequestDecision::Respond(answer) => self.answer(answer),
            RequestDecision::Assemble(assembly) => self.assembly(assembly),
            RequestDecision::InspectBody(_) => Ok(()),
        }
    }

    pub(crate) fn response(self, decision: &ResponseDecision) -> Result<(), Failure> {
        match decision {
            ResponseDecision::Next(edits) => self.edits(&[], edits),
            ResponseDecision::Respond(answer) => self.answer(answer),
        }
    }

    pub(super) fn event(self, decision: &EventDecision) -> Result<(), Failure> {
        match decision {
            EventDecision::Emit(emission) => {
                at_most(Bound::Publications, emission.events.len(), self.bounds.publications)?;
                emission.channel.as_ref().map_or(Ok(()), |channel| self.grants.check(Bound::Publish, channel))
            }
            EventDecision::Deliver(request) => self.headers(&request.headers),
            EventDecision::Answer(CorrelatedAnswer { answer, .. }) => self.answer(answer),
            EventDecision::Ack | EventDecision::DeadLetter(_) | EventDecision::Retry(_) => Ok(()),
        }
    }

    pub(super) fn delivered(self, decision: &DeliveryDecision) -> Result<(), Failure> {
        match decision {
            DeliveryDecision::Emit(events) => at_most(Bound::Publications, events.len(), self.bounds.publications),
            _ => Ok(()),
        }
    }

    pub(super) fn connection(self, decision: &ConnectionDecision) -> Result<(), Failure> {
        match decision {
            ConnectionDecision::Forward(destination) => self.grants.check(Bound::Forward, &destination.host),
            ConnectionDecision::Next | ConnectionDecision::Refuse => Ok(()),
        }
    }

    fn forward(self, forward: &Forward) -> Result<(), Failure> {
        self.edits(&forward.edits, &forward.response_edits)?;
        at_most(Bound::Mirrors, forward.mirrors.len(), self.bounds.mirrors)?;
        self.grants.check(Bound::Forward, &forward.destination.host)?;
        forward.mirrors.iter().try_for_each(|mirror| self.grants.check(Bound::Forward, &mirror.destination.host))
    }

    fn plan(self, plan: &Plan) -> Result<(), Failure> {
        at_most(Bound::Calls, plan.calls.len(), self.bounds.calls)?;
        self.edits(&[], &plan.response_edits)?;
        plan.calls.iter().try_for_each(|call| self.headers(&call.headers))?;
        if let Some(expected) = &plan.expected {
            self.assembly(&expected.answer)?;
        }
        plan.calls.iter().try_for_each(|call| self.grants.check(Bound::Call, &call.destination.host))
    }

    fn publish(self, publish: &Publish) -> Result<(), Failure> {
        at_most(Bound::Publications, publish.publications.len(), self.bounds.publications)?;
        self.answer(&publish.answer)?;
        if let Some(reply) = &publish.reply {
            self.answer(&reply.pending)?;
            // Without events no exchange is opened, so nothing is kept of a key that a client may have made up.
            if !publish.publications.is_empty() {
                at_most(Bound::ReplyKey, reply.key.len(), limits::REPLY_KEY)?;
            }
        }
        let mut channels = publish.publications.iter().map(|publication| &publication.channel);
        channels.try_for_each(|channel| self.grants.check(Bound::Publish, channel))
    }

    fn assembly(self, assembly: &Assembly) -> Result<(), Failure> {
        at_most(Bound::Parts, assembly.body.len(), limits::ANSWER_PARTS)?;
        self.headers(&assembly.headers)
    }

    fn answer(self, answer: &Answer) -> Result<(), Failure> {
        self.headers(&answer.headers)
    }

    fn headers(self, headers: &[Header]) -> Result<(), Failure> {
        at_most(Bound::Headers, headers.len(), self.bounds.headers)
    }

    fn edits(self, edits: &[RequestEdit], response_edits: &[HeaderEdit]) -> Result<(), Failure> {
        let mut sum = Edits::default();
        for edit in edits {
            sum.add(of_request(edit));
        }
        for edit in response_edits {
            sum.add(of_header(edit));
        }
        at_most(Bound::Edits, sum.count, self.bounds.edits)?;
        at_most(Bound::EditBytes, sum.bytes, self.bounds.edit_bytes)
    }
}

/// What is held for as long as a client listens.
fn listened_to_by(attributes: &[Attribute]) -> Result<(), Failure> {
    at_most(Bound::StreamAttributes, attributes.len(), limits::LISTENER_ATTRIBUTES)?;
    let bytes = attributes.iter().map(|attribute| attribute.name.len() + attribute.value.len()).sum();
    at_most(Bound::StreamAttributeBytes, bytes, limits::LISTENER_ATTRIBUTE_BYTES)
}

fn at_most(bound: Bound, found: usize, most: usize) -> Result<(), Failure> {
    if found > most { Err(Failure::over(bound, found, most)) } else { Ok(()) }
}

impl Edits {
    fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

fn of_request(edit: &RequestEdit) -> usize {
    match edit {
        RequestEdit::Header(edit) => of_header(edit),
        RequestEdit::Path(text) | RequestEdit::Authority(text) => text.len(),
        RequestEdit::Query(text) => text.as_ref().map_or(0, String::len),
        RequestEdit::Attribute(attribute) => attribute.name.len() + attribute.value.len(),
    }
}

fn of_header(edit: &HeaderEdit) -> usize {
    match edit {
        HeaderEdit::Set(header) | HeaderEdit::Append(header) => header.name.len() + header.value.len(),
        HeaderEdit::Remove(name) => name.len(),
        HeaderEdit::SetFormatted(formatted) | HeaderEdit::AppendFormatted(formatted) => of_formatted(formatted),
    }
}

/// What is known of it; the rest is in the message that it is made of, and is counted when it is.
fn of_formatted(FormattedHeader { name, parts }: &FormattedHeader) -> usize {
    let parts = parts.iter().map(|part| match part {
        ValuePart::Literal(bytes) => bytes.len(),
        ValuePart::ResponseHeader(name) => name.len() + limits::FORMATTED_PART,
        ValuePart::UpstreamAddress => limits::FORMATTED_PART,
    });
    name.len() + parts.sum::<usize>()
}

/// The host of an authority, which may have a port; an address of IPv6 stands in brackets.
fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests;
