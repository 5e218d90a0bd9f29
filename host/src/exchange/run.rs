//! One request on its way: the chain is asked and its steps are carried out until there is a response, which goes back
//! through the chain.

use super::Exchange;
use super::composing::Composition;
use super::record::{Outcome, Received};
use crate::body::ProxyBody;
use crate::chain::{Course, Step};
use crate::connection::ConnectionInfo;
use crate::error::RequestError;
use crate::grpc::{self, Call};
use crate::priority::Priority;
use crate::request::RequestHead;
use crate::respond;
use crate::sanitize::Upgrading;
use crate::snapshot::Snapshot;
use crate::telemetry::trace::RequestTrace;
use bytes::Bytes;
use http::{Method, Response, Version};
use std::sync::Arc;

/// One request on its way. It writes its access record when it is dropped, which is when its response is over or when
/// the client has left before there was one.
pub(super) struct Run {
    pub(super) exchange: Arc<Exchange>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) connection: Arc<ConnectionInfo>,
    /// In a box since every filter's store borrows it for a moment.
    pub(super) head: Box<RequestHead>,
    /// As the client sent it, for the record and for `x-forwarded-host`.
    pub(super) received: Received,
    pub(super) priority: Priority,
    pub(super) body: ProxyBody,
    pub(super) upgrade: Option<Upgrading>,
    /// When it is a gRPC call.
    pub(super) call: Option<Call>,
    pub(super) course: Course,
    /// What it is composed of, once a filter has it composed.
    pub(super) composition: Option<Box<Composition>>,
    pub(super) outcome: Outcome,
    pub(super) trace: RequestTrace,
}

impl Run {
    pub(super) async fn answer(mut self: Box<Self>) -> Response<ProxyBody> {
        let response = match self.decided().await {
            Ok(response) => response,
            Err(error) => self.failed(error),
        };
        let Self { snapshot, head, course, trace, .. } = &mut *self;
        let entered = trace.enter();
        let responded = snapshot.chain.respond(head, response, course);
        drop(entered);
        let mut response = match responded {
            Ok(response) => response,
            Err(error) => self.failed(error),
        };
        // To a client of HTTP/2 that asks for WebSocket, any 2xx means that it is spoken (RFC 8441, section 5).
        if self.upgrade.is_some() && self.head.version == Version::HTTP_2 && response.status().is_success() {
            let endpoint = self.course.upstream.map_or_else(|| "a filter".to_owned(), |endpoint| endpoint.to_string());
            let reason = "it answered a request for WebSocket as any other".to_owned();
            response = self.failed(RequestError::BadResponse { endpoint, reason });
        }
        if self.head.method == Method::HEAD {
            response = respond::head_only(response);
        }
        self.outcome.status = Some(response.status());
        self.outcome.first_byte = Some(self.received.started.elapsed());
        response.body_mut().on_end(move |end| self.outcome.end = Some(end));
        response
    }

    /// Asks the chain and carries its steps out until there is a response.
    async fn decided(&mut self) -> Result<Response<ProxyBody>, RequestError> {
        let mut step = self.decide()?;
        loop {
            step = match step {
                Step::Respond(response) => {
                    self.wait().await?;
                    return Ok(if self.call.is_some() { grpc::refusal(response) } else { response });
                }
                Step::Forward(decided) => {
                    self.wait().await?;
                    return self.forward(decided).await;
                }
                Step::End => return self.pass_through().await,
                Step::Publish(publishing) => return self.published(publishing).await,
                Step::Subscribe(stream) => return self.listen(&stream),
                Step::InspectBody(max) => {
                    let bytes = self.collected(max).await?;
                    self.head.body = Some(bytes.clone());
                    self.body = ProxyBody::full(bytes);
                    self.decide()?
                }
                Step::Gather(plan) => Box::pin(self.gather(plan)).await?,
            };
        }
    }

    fn decide(&mut self) -> Result<Step, RequestError> {
        let _entered = self.trace.enter();
        self.snapshot.chain.decide(&mut self.head, &mut self.course)
    }

    /// Waits as long as the decision says; a client that leaves ends it.
    async fn wait(&mut self) -> Result<(), RequestError> {
        let Some(delay) = self.course.take_delay() else { return Ok(()) };
        let body = std::mem::replace(&mut self.body, ProxyBody::empty());
        // In a box, as few requests wait and each would carry the timer.
        self.body = Box::pin(body.begin_after(delay)).await.map_err(|error| self.blame(&error))?;
        Ok(())
    }

    /// The request's body, of at most this many bytes.
    pub(super) async fn collected(&mut self, most: u64) -> Result<Bytes, RequestError> {
        let body = std::mem::replace(&mut self.body, ProxyBody::empty());
        let collected = Box::pin(body.collect_up_to(most)).await;
        collected.map_err(|error| self.blame(&error))
    }
}
