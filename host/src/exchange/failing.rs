//! Whose fault it is that a request fails, and what its client is answered.

use super::run::Run;
use crate::body::{BodyError, ProxyBody};
use crate::error::RequestError;
use crate::upstream::forward::of_body;
use crate::{grpc, respond};
use http::Response;

impl Run {
    /// A failed body is the client's fault, and the gate knows best which one.
    pub(super) fn blame(&self, error: &BodyError) -> RequestError {
        self.blamed(of_body(error))
    }

    /// The same of what was found while the request was sent on.
    pub(super) fn blamed(&self, error: RequestError) -> RequestError {
        let violation = self.connection.gate.as_ref().and_then(|gate| gate.violation());
        match violation {
            Some(violation) if error == RequestError::ClientGone => violation.error.clone(),
            _ => error,
        }
    }

    /// Notes the error and answers the client as its protocol has it.
    pub(super) fn failed(&mut self, error: RequestError) -> Response<ProxyBody> {
        let response = if self.call.is_some() { grpc::error(&error) } else { respond::error(&error) };
        let _entered = self.trace.enter();
        tracing::debug!(id = %self.head.id, %error, "a request failed");
        if error.is_of_decision()
            && let Some(metrics) = self.snapshot.chain.metrics(&self.course, self.head.id)
        {
            metrics.erred();
        }
        if let Some(shed) = error.shed() {
            self.exchange.overload.refused(shed);
        }
        self.outcome.error = Some(error);
        response
    }
}
