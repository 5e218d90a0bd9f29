//! Decisions on requests and responses, as data and with builders that read like sentences.

pub use crate::bindings::imports::sluicegate::filter::types::{
    Answer, Attribute, Continuation, Destination, FormattedHeader, Forward, Header, HeaderEdit, Mirror,
    RequestDecision, RequestEdit, ResponseDecision, RetryCondition, RetryPolicy, ValuePart,
};

/// Goes on to the next filter.
pub fn next() -> Continuation {
    Continuation { edits: Vec::new(), response_edits: Vec::new() }
}

/// Answers the request here.
pub fn respond(status: u16) -> Answer {
    Answer { status, headers: Vec::new(), body: Vec::new(), delay: None }
}

/// Sends the request to a service.
pub fn forward(destination: impl Into<Destination>) -> Forward {
    Forward {
        destination: destination.into(),
        edits: Vec::new(),
        response_edits: Vec::new(),
        timeout: None,
        retries: None,
        delay: None,
        mirrors: Vec::new(),
    }
}

/// Asks for the whole body, up to `max` bytes; the hook is then called again with [`Request::body`](crate::Request::body).
pub fn inspect_body(max: u64) -> RequestDecision {
    RequestDecision::InspectBody(max)
}

/// Replaces every value of a header.
pub fn set_header(name: impl Into<String>, value: impl Into<Vec<u8>>) -> HeaderEdit {
    HeaderEdit::Set(Header { name: name.into(), value: value.into() })
}

/// Adds one more value of a header.
pub fn append_header(name: impl Into<String>, value: impl Into<Vec<u8>>) -> HeaderEdit {
    HeaderEdit::Append(Header { name: name.into(), value: value.into() })
}

/// Removes every value of a header.
pub fn remove_header(name: impl Into<String>) -> HeaderEdit {
    HeaderEdit::Remove(name.into())
}

/// Replaces every value of a response's header by one that is put together once the response is there.
pub fn set_formatted(name: impl Into<String>, parts: Vec<ValuePart>) -> HeaderEdit {
    HeaderEdit::SetFormatted(FormattedHeader { name: name.into(), parts })
}

/// Adds one more value of a response's header, put together once the response is there.
pub fn append_formatted(name: impl Into<String>, parts: Vec<ValuePart>) -> HeaderEdit {
    HeaderEdit::AppendFormatted(FormattedHeader { name: name.into(), parts })
}

/// Edits of the request that are not headers.
pub mod edit {
    use super::{Attribute, RequestEdit};

    /// The new path, without query.
    pub fn path(path: impl Into<String>) -> RequestEdit {
        RequestEdit::Path(path.into())
    }

    /// The new query, or none.
    pub fn query(query: Option<String>) -> RequestEdit {
        RequestEdit::Query(query)
    }

    /// The new authority.
    pub fn authority(authority: impl Into<String>) -> RequestEdit {
        RequestEdit::Authority(authority.into())
    }

    /// A named value for later filters and for the access record.
    pub fn attribute(name: impl Into<String>, value: impl Into<String>) -> RequestEdit {
        RequestEdit::Attribute(Attribute { name: name.into(), value: value.into() })
    }
}

impl Continuation {
    /// Edits the request before the next filter sees it.
    #[must_use]
    pub fn with(mut self, edit: impl Into<RequestEdit>) -> Self {
        self.edits.push(edit.into());
        self
    }

    /// Edits the response that comes back in the end.
    #[must_use]
    pub fn with_response(mut self, edit: HeaderEdit) -> Self {
        self.response_edits.push(edit);
        self
    }
}

impl Forward {
    /// Edits the request before it is sent.
    #[must_use]
    pub fn with(mut self, edit: impl Into<RequestEdit>) -> Self {
        self.edits.push(edit.into());
        self
    }

    /// Edits the response that comes back.
    #[must_use]
    pub fn with_response(mut self, edit: HeaderEdit) -> Self {
        self.response_edits.push(edit);
        self
    }

    /// Limits the whole exchange, all tries included, in milliseconds.
    #[must_use]
    pub fn timeout(mut self, milliseconds: u64) -> Self {
        self.timeout = Some(milliseconds);
        self
    }

    /// Tries again under these conditions.
    #[must_use]
    pub fn retries(mut self, policy: RetryPolicy) -> Self {
        self.retries = Some(policy);
        self
    }

    /// Waits before the request is sent, in milliseconds; the host waits five minutes at most.
    #[must_use]
    pub fn delay(mut self, milliseconds: u64) -> Self {
        self.delay = Some(milliseconds);
        self
    }

    /// Sends a copy to another service, whose response is dropped.
    #[must_use]
    pub fn mirror(mut self, mirror: impl Into<Mirror>) -> Self {
        self.mirrors.push(mirror.into());
        self
    }
}

impl RetryPolicy {
    /// Tries again this many times after the first try, under no condition yet.
    pub fn new(attempts: u32) -> Self {
        Self { attempts, conditions: Vec::new(), per_try_timeout: None, backoff: 25, ignore_previous_hosts: true }
    }

    /// One more condition that makes a try worth repeating.
    #[must_use]
    pub fn on(mut self, condition: RetryCondition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Limits each try, in milliseconds.
    #[must_use]
    pub fn per_try_timeout(mut self, milliseconds: u64) -> Self {
        self.per_try_timeout = Some(milliseconds);
        self
    }

    /// Base of the jittered exponential backoff, in milliseconds; 25 when it is not said.
    #[must_use]
    pub fn backoff(mut self, milliseconds: u64) -> Self {
        self.backoff = milliseconds;
        self
    }
}

impl Mirror {
    /// Sends the copy with this authority, not with the request's own.
    #[must_use]
    pub fn authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }
}

impl<T: Into<Destination>> From<T> for Mirror {
    fn from(destination: T) -> Self {
        Self { destination: destination.into(), authority: None }
    }
}

impl Answer {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(Header { name: name.into(), value: value.into() });
        self
    }

    /// Waits before the answer is given, in milliseconds; the host waits five minutes at most. Only for an answer to a
    /// request: one that replaces a response, or follows a publication, cannot wait.
    #[must_use]
    pub fn delay(mut self, milliseconds: u64) -> Self {
        self.delay = Some(milliseconds);
        self
    }

    /// Sets the body, without a content type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// A plain text body.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.header("content-type", "text/plain; charset=utf-8").body(text.into())
    }

    /// A JSON body. A value that does not serialise, such as a map with keys that are not strings, becomes `null`.
    #[must_use]
    pub fn json(self, value: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
        self.header("content-type", "application/json").body(body)
    }
}

impl Destination {
    /// A service on its only or default port.
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), port: None, subset: None }
    }

    /// The same service on this port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Only the endpoints of this subset.
    #[must_use]
    pub fn subset(mut self, subset: impl Into<String>) -> Self {
        self.subset = Some(subset.into());
        self
    }
}

impl From<&str> for Destination {
    fn from(host: &str) -> Self {
        Self::new(host)
    }
}

impl From<HeaderEdit> for RequestEdit {
    fn from(edit: HeaderEdit) -> Self {
        Self::Header(edit)
    }
}

impl From<Continuation> for RequestDecision {
    fn from(continuation: Continuation) -> Self {
        Self::Next(continuation)
    }
}

impl From<Forward> for RequestDecision {
    fn from(forward: Forward) -> Self {
        Self::Forward(forward)
    }
}

impl From<Answer> for RequestDecision {
    fn from(answer: Answer) -> Self {
        Self::Respond(answer)
    }
}

impl From<Continuation> for ResponseDecision {
    /// Only the response's edits count: the request has been sent.
    fn from(continuation: Continuation) -> Self {
        Self::Next(continuation.response_edits)
    }
}

impl From<Answer> for ResponseDecision {
    fn from(answer: Answer) -> Self {
        Self::Respond(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_says_how_long_it_waits_and_who_gets_a_copy() {
        let mirror = Mirror::from(Destination::new("audit").port(8080)).authority("shop-shadow");
        let decision = forward("stock").delay(20).mirror("replay").mirror(mirror);
        assert_eq!(decision.delay, Some(20));
        let mirrors: Vec<_> = decision
            .mirrors
            .iter()
            .map(|mirror| (mirror.destination.host.as_str(), mirror.destination.port, mirror.authority.as_deref()))
            .collect();
        assert_eq!(mirrors, [("replay", None, None), ("audit", Some(8080), Some("shop-shadow"))]);
        assert_eq!(respond(503).delay(5).delay, Some(5));
    }

    #[test]
    fn a_formatted_header_is_an_edit_of_the_response() {
        let parts = || vec![ValuePart::Literal(b"by ".to_vec()), ValuePart::UpstreamAddress];
        let decision = forward("stock").with_response(set_formatted("x-by", parts()));
        let expected = HeaderEdit::SetFormatted(FormattedHeader { name: "x-by".into(), parts: parts() });
        assert_eq!(decision.response_edits, [expected]);
    }
}
