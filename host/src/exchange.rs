//! The life of one request: sanitise, ask the chain, carry its decision out, run the answer back, record it.

mod composing;
mod publishing;
mod record;

use crate::body::{BodyError, ProxyBody};
use crate::chain::{Course, Forward, Passage, Passing, Step};
use crate::config::limits;
use crate::connection::{ConnectionInfo, Flood, Handler};
use crate::error::RequestError;
use crate::event::Channels;
use crate::gather::Cache;
use crate::grpc::{self, Call};
use crate::mirror::{Mirror, Mirroring};
use crate::overload::Overload;
use crate::priority::Priority;
use crate::request::{RequestHead, split_authority};
use crate::sanitize::{self, Sanitized, Upgrading};
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use crate::telemetry::metrics::HandshakeResult;
use crate::telemetry::trace::RequestTrace;
use crate::upstream::forward::of_body;
use crate::upstream::registry::{Cluster, Endpoint};
use crate::upstream::splice::splice;
use crate::upstream::{ForwardPolicy, Forwarded, forward_noting, tunnel};
use crate::wasm::types::{RetryPolicy, StreamFormat, SubscriptionStream};
use crate::{respond, stream, websocket};
use arc_swap::ArcSwap;
use bytes::Bytes;
use composing::Composition;
use http::header::{SEC_WEBSOCKET_KEY, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use record::{Outcome, Received};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Serves requests with whatever snapshot is current.
pub struct Exchange {
    /// Replaced on reload.
    pub snapshot: ArcSwap<Snapshot>,
    /// Outlive every snapshot.
    pub channels: Arc<Channels>,
    /// Where every request ends.
    pub telemetry: Telemetry,
    /// The largest request body in bytes; none leaves it to routes.
    pub request_body: Option<u64>,
    /// Responses to calls of plans; outlives every snapshot.
    pub responses: Cache,
    /// What is in flight, and what there is no room for.
    pub overload: Overload,
}

/// One request on its way. It writes its access record when it is dropped, which is when its response is over or when
/// the client has left before there was one.
struct Run {
    exchange: Arc<Exchange>,
    snapshot: Arc<Snapshot>,
    connection: Arc<ConnectionInfo>,
    /// In a box since every filter's store borrows it for a moment.
    head: Box<RequestHead>,
    /// As the client sent it, for the record and for `x-forwarded-host`.
    received: Received,
    priority: Priority,
    body: ProxyBody,
    upgrade: Option<Upgrading>,
    /// When it is a gRPC call.
    call: Option<Call>,
    course: Course,
    /// What it is composed of, once a filter has it composed.
    composition: Option<Box<Composition>>,
    outcome: Outcome,
    trace: RequestTrace,
}

impl Exchange {
    /// Serves with this snapshot until another replaces it.
    pub fn new(snapshot: Snapshot, channels: Arc<Channels>, telemetry: Telemetry, request_body: Option<u64>) -> Self {
        let snapshot = ArcSwap::from_pointee(snapshot);
        let responses = Cache::new(limits::RESPONSE_CACHE, telemetry.metrics.gather().clone());
        let overload = Overload::new(telemetry.metrics.overload().clone());
        Self { snapshot, channels, telemetry, request_body, responses, overload }
    }

    /// The same with so many bytes for responses to calls of plans.
    #[must_use]
    pub fn with_response_cache(mut self, bytes: u64) -> Self {
        self.responses = Cache::new(bytes, self.telemetry.metrics.gather().clone());
        self
    }

    /// How many requests are being served.
    pub fn in_flight(&self) -> usize {
        self.overload.in_flight()
    }
}

impl Handler for Exchange {
    async fn handle(
        self: Arc<Self>,
        connection: Arc<ConnectionInfo>,
        request: Request<Incoming>,
    ) -> Response<ProxyBody> {
        let exchange = Arc::clone(&self);
        let (parts, incoming) = request.into_parts();
        let version = parts.version;
        let Sanitized { mut head, host, upgrade } = match sanitize::request(parts, &connection) {
            Ok(sanitized) => sanitized,
            Err(error @ RequestError::BadRequest(_)) if version == Version::HTTP_2 => {
                return respond::malformed(self.refuse(&connection, &error));
            }
            Err(error) => return self.refuse(&connection, &error),
        };
        let snapshot = self.snapshot.load_full();
        let priority = snapshot.overload.rules.of(&head);
        let client = (connection.peer.ip(), &connection.client);
        let _admitted = match exchange.overload.admit(&snapshot.overload, priority, client) {
            Ok(admitted) => admitted,
            Err(shed) => return self.record_shed(&connection, &head, &host, &shed.into()),
        };
        let _active = self.telemetry.metrics.request_started();
        let trace = self.telemetry.tracer.request(&mut head.headers);
        let received = Received {
            host,
            target: head.path_and_query.clone(),
            user_agent: head.headers.get(USER_AGENT).cloned(),
            started: Instant::now(),
        };
        let call = Call::of(&head.method, &head.headers);
        let body = match call {
            Some(_) => connection.call_body(incoming, self.request_body),
            None => connection.body(incoming, self.request_body),
        };
        let (course, outcome) = (Course::below(trace.parent()), Outcome::default());
        let exchange = self;
        let run = Run {
            exchange,
            snapshot,
            connection,
            head,
            received,
            priority,
            body,
            upgrade,
            call,
            course,
            composition: None,
            outcome,
            trace,
        };
        Box::new(run).answer().await
    }

    /// The request has left its record as it was dropped.
    fn broken(&self, _connection: &ConnectionInfo) -> Response<ProxyBody> {
        respond::error(&RequestError::Fault)
    }

    fn refuse(&self, connection: &ConnectionInfo, error: &RequestError) -> Response<ProxyBody> {
        self.record_refusal(connection, error)
    }

    fn endpoints(&self, passing: &Passing<'_>) -> Vec<Endpoint> {
        let snapshot = self.snapshot.load_full();
        let found = match snapshot.chain.pass(passing) {
            Ok(Passage::ByName) => return tunnel::endpoints(&snapshot.registry, passing.name, passing.port),
            Ok(Passage::To(destination)) => snapshot.registry.resolve(&destination),
            Ok(Passage::Refused) => return Vec::new(),
            Err(error) => Err(error),
        };
        match found {
            Ok(cluster) => tunnel::endpoints_of(&cluster),
            Err(error) => {
                tracing::debug!(name = passing.name, %error, "a connection is not passed on");
                Vec::new()
            }
        }
    }

    fn handshaken(&self, result: HandshakeResult) {
        self.telemetry.metrics.tls().handshake(result);
    }

    fn flooded(&self, connection: &ConnectionInfo, flood: Flood) {
        tracing::info!(peer = %connection.peer, frames = flood.name(), "a connection was ended because of a flood of frames");
        self.telemetry.metrics.floods().ended(flood.name());
    }

    fn starved(&self) {
        self.telemetry.metrics.overload().accept_failed();
    }
}

impl Run {
    async fn answer(mut self: Box<Self>) -> Response<ProxyBody> {
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

    /// The request's body, of at most this many bytes.
    async fn collected(&mut self, most: u64) -> Result<Bytes, RequestError> {
        let body = std::mem::replace(&mut self.body, ProxyBody::empty());
        let collected = Box::pin(body.collect_up_to(most)).await;
        collected.map_err(|error| self.blame(&error))
    }

    /// Lets the client listen to a channel.
    fn listen(&mut self, wanted: &SubscriptionStream) -> Result<Response<ProxyBody>, RequestError> {
        let drain = self.connection.drain.clone();
        let listener = stream::open(&self.exchange.channels, wanted)?;
        if wanted.format == StreamFormat::ServerSent {
            return Ok(stream::server_sent(listener, drain.signal()));
        }
        let response = websocket::accepted(&self.head.headers, self.head.version, stream::PROTOCOL)?;
        let upgrading = self.upgrade.take();
        let Upgrading { connection, held } =
            upgrading.ok_or(RequestError::BadRequest("it does not ask for WebSocket as HTTP has it"))?;
        let ending = drain.signal();
        drain.spawn(async move {
            stream::serve_websocket(connection, listener, ending).await;
            drop(held);
        });
        Ok(response)
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

    /// No filter settled it: the authority may still name a service.
    async fn pass_through(&mut self) -> Result<Response<ProxyBody>, RequestError> {
        let (host, port) = split_authority(&self.head.authority);
        match self.snapshot.registry.find(host, port) {
            Some(cluster) => self.send(cluster, &self.policy(None, None), Vec::new()).await,
            None => Err(RequestError::NoRoute { authority: self.head.authority.clone() }),
        }
    }

    async fn forward(&mut self, decided: Forward) -> Result<Response<ProxyBody>, RequestError> {
        let Forward { destination, timeout, retries, mirrors } = decided;
        let cluster = self.snapshot.registry.resolve(&destination).map_err(|error| {
            if self.head.blames_routes() { RequestError::BadRoute { reason: error.to_string() } } else { error }
        })?;
        self.send(cluster, &self.policy(timeout.map(Duration::from_millis), retries), mirrors).await
    }

    /// How to send the request, with what its route says.
    fn policy(&self, timeout: Option<Duration>, retries: Option<RetryPolicy>) -> ForwardPolicy {
        let timeout = self.call.map_or(timeout, |call| call.limit(timeout));
        let (conversation, source) = (self.call.is_some(), Some(self.head.peer.ip()));
        let load = self.snapshot.overload.load(self.priority);
        ForwardPolicy { timeout, retries, conversation, source, load, trace: self.trace.parent() }
    }

    async fn send(
        &mut self,
        cluster: Cluster,
        policy: &ForwardPolicy,
        mirrors: Vec<Mirror>,
    ) -> Result<Response<ProxyBody>, RequestError> {
        let parts = self.upstream_head();
        let key = self.upgrade.as_ref().and_then(|_| parts.headers.get(SEC_WEBSOCKET_KEY).cloned());
        let mut body = std::mem::replace(&mut self.body, ProxyBody::empty());
        if !mirrors.is_empty() && self.upgrade.is_none() {
            body = self.mirrored(mirrors, &parts, body);
        }
        let Outcome { upstream, tries, .. } = &mut self.outcome;
        let cluster = upstream.insert(cluster);
        let forwarded = forward_noting(cluster, parts, body, policy, tries).await;
        let Forwarded { mut response, upgrade, endpoint, .. } = forwarded.map_err(|error| self.blamed(error))?;
        self.course.upstream = Some(endpoint);
        if let Some(upstream) = upgrade
            && let Some(Upgrading { connection, held }) = self.upgrade.take()
        {
            if self.head.version == Version::HTTP_2 {
                let Some(answer) = websocket::answer_in_http2(response, key.as_ref()) else {
                    let reason = "it did not accept the WebSocket's key".to_owned();
                    return Err(RequestError::BadResponse { endpoint: endpoint.to_string(), reason });
                };
                response = answer;
            }
            let drain = self.connection.drain.clone();
            drain.spawn(async move {
                splice(connection, upstream).await;
                drop(held);
            });
            return Ok(response);
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let reason = "it switched protocols unasked".to_owned();
            return Err(RequestError::BadResponse { endpoint: endpoint.to_string(), reason });
        }
        let version = response.version();
        sanitize::response(response.headers_mut(), version);
        let limit = policy.timeout.filter(|_| policy.conversation);
        Ok(match limit.and_then(|limit| self.received.started.checked_add(limit).map(Into::into)) {
            Some(deadline) => response.map(|body| grpc::until(deadline, body)),
            None => response,
        })
    }

    /// Sends the copies on their way; what is left to send is the body that comes back.
    fn mirrored(&self, mirrors: Vec<Mirror>, parts: &http::request::Parts, body: ProxyBody) -> ProxyBody {
        let metrics = self.exchange.telemetry.metrics.mirrors();
        Mirroring {
            registry: &self.snapshot.registry,
            drain: &self.connection.drain,
            metrics,
            trace: &self.trace.parent(),
        }
        .send(mirrors, parts, body)
    }

    /// The request's head as the upstream gets it. The headers move: later phases see the request without them only
    /// when no response filter wants them.
    fn upstream_head(&mut self) -> http::request::Parts {
        let mut headers = if self.snapshot.chain.reads_requests_late() {
            self.head.headers.clone()
        } else {
            std::mem::take(&mut self.head.headers)
        };
        sanitize::outgoing(&self.head, &self.received.host, &self.connection, &mut headers);
        let mut parts = sanitize::upstream_parts(&self.head, &self.received.host, headers);
        if self.upgrade.is_some() {
            websocket::ask(&mut parts.headers, self.head.version);
        }
        parts
    }

    /// A failed body is the client's fault, and the gate knows best which one.
    fn blame(&self, error: &BodyError) -> RequestError {
        self.blamed(of_body(error))
    }

    fn blamed(&self, error: RequestError) -> RequestError {
        let violation = self.connection.gate.as_ref().and_then(|gate| gate.violation());
        match violation {
            Some(violation) if error == RequestError::ClientGone => violation.error.clone(),
            _ => error,
        }
    }

    /// What the filter that settled the request asked for cannot be done.
    fn blame_filter(&self, reason: String) -> RequestError {
        let filter = self.snapshot.chain.decided_by(&self.course).map(ToString::to_string).unwrap_or_default();
        RequestError::Filter { filter, reason, answer: None }
    }

    fn failed(&mut self, error: RequestError) -> Response<ProxyBody> {
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
