//! What is kept of a request until it is over, and the access record that is made of it.

use super::Exchange;
use super::run::Run;
use crate::body::{BodyEnd, Ending, Progress, ProxyBody};
use crate::connection::ConnectionInfo;
use crate::error::RequestError;
use crate::grpc::{self, Call};
use crate::request::{RequestHead, RequestId};
use crate::respond;
use crate::telemetry::AccessRecord;
use crate::upstream::Tries;
use crate::upstream::registry::Cluster;
use http::header::USER_AGENT;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Response, StatusCode};
use std::time::{Duration, Instant, SystemTime};

/// What filters may change of a request and the record wants as it came.
pub(super) struct Received {
    /// Empty when an HTTP/1.0 client sent none.
    pub(super) host: HeaderValue,
    pub(super) target: PathAndQuery,
    pub(super) user_agent: Option<HeaderValue>,
    /// How much of its body has come.
    pub(super) body: Progress,
    pub(super) started: Instant,
}

/// What became of it.
#[derive(Default)]
pub(super) struct Outcome {
    /// None as long as nothing can be sent to the client.
    pub(super) status: Option<StatusCode>,
    pub(super) first_byte: Option<Duration>,
    /// None as long as the response is not over.
    pub(super) end: Option<BodyEnd>,
    pub(super) upstream: Option<Cluster>,
    pub(super) tries: Tries,
    pub(super) error: Option<RequestError>,
}

impl Exchange {
    /// Answers a request that is not understood, and records it.
    pub(super) fn record_refusal(&self, connection: &ConnectionInfo, error: &RequestError) -> Response<ProxyBody> {
        let head = RequestHead { id: RequestId::random(), ..RequestHead::default() };
        let response = respond::error(error);
        let record = refused(connection, &head, &response, error);
        self.telemetry.finish(&record);
        response
    }

    /// Answers a request that there is no room for, and records it. `host` is the authority that the client sent.
    pub(super) fn record_shed(
        &self,
        connection: &ConnectionInfo,
        head: &RequestHead,
        host: &HeaderValue,
        error: &RequestError,
    ) -> Response<ProxyBody> {
        let is_call = Call::of(&head.method, &head.headers).is_some();
        let response = if is_call { grpc::error(error) } else { respond::error(error) };
        let response = if head.method == Method::HEAD { respond::head_only(response) } else { response };
        self.telemetry.finish(&AccessRecord {
            authority: host.to_str().unwrap_or_default(),
            path: head.path_and_query.path(),
            time: head.received,
            user_agent: head.headers.get(USER_AGENT).map(HeaderValue::as_bytes),
            priority: error.shed().map(|shed| shed.priority),
            ..refused(connection, head, &response, error)
        });
        response
    }
}

fn refused<'a>(
    connection: &'a ConnectionInfo,
    head: &'a RequestHead,
    response: &Response<ProxyBody>,
    error: &'a RequestError,
) -> AccessRecord<'a> {
    AccessRecord {
        id: head.id,
        trace: None,
        time: SystemTime::now(),
        peer: connection.peer,
        method: &head.method,
        scheme: connection.scheme.as_str(),
        authority: "",
        path: "",
        protocol: head.version,
        status: Some(response.status().as_u16()),
        request_bytes: 0,
        response_bytes: 0,
        duration: Duration::ZERO,
        time_to_first_byte: None,
        priority: None,
        route: None,
        filter: None,
        upstream: None,
        endpoint: None,
        attempts: 0,
        error: Some(error),
        user_agent: None,
        aborted: false,
        calls: &[],
    }
}

impl Outcome {
    /// A panic has ended the request: its client is answered 500, unless an answer is on its way.
    fn fail(&mut self) {
        let error = RequestError::Fault;
        self.status.get_or_insert(error.status());
        self.error = Some(error);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(request = %self.head.id, "the proxy's own code failed on a request; only that request ends");
            self.outcome.fail();
        }
        let Self { head, received, priority, outcome, trace, .. } = self;
        let route = head.attribute("route");
        let end = outcome.end.unwrap_or(BodyEnd { bytes: 0, how: Ending::Abandoned });
        let record = AccessRecord {
            id: head.id,
            trace: trace.context(),
            time: head.received,
            peer: head.peer,
            method: &head.method,
            scheme: head.scheme.as_str(),
            authority: received.host.to_str().unwrap_or_default(),
            path: received.target.path(),
            protocol: head.version,
            status: outcome.status.map(|status| status.as_u16()),
            request_bytes: received.body.bytes(),
            response_bytes: end.bytes,
            duration: received.started.elapsed(),
            time_to_first_byte: outcome.first_byte,
            priority: self.snapshot.overload.rules.tell_apart().then_some(*priority),
            route: route.as_deref(),
            filter: self.snapshot.chain.decided_by(&self.course).map(|name| &**name),
            upstream: outcome.upstream.as_ref().map(Cluster::name),
            endpoint: outcome.tries.endpoint,
            attempts: outcome.tries.count,
            error: outcome.error.as_ref(),
            user_agent: received.user_agent.as_ref().map(HeaderValue::as_bytes),
            aborted: !end.is_complete(),
            calls: self.composition.as_ref().map_or(&[], |composition| composition.calls()),
        };
        self.exchange.telemetry.finish(&record);
        trace.end(&record);
    }
}
