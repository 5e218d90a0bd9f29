//! The life of one request: sanitise, ask the chain, carry its decision out, run the answer back, record it.

mod composing;
mod failing;
mod forwarding;
mod listening;
mod publishing;
mod record;
mod run;

use crate::body::ProxyBody;
use crate::chain::{Course, Passage, Passing};
use crate::config::limits;
use crate::connection::{ConnectionInfo, Flood, Handler};
use crate::error::RequestError;
use crate::event::Channels;
use crate::gather::Cache;
use crate::grpc::Call;
use crate::overload::Overload;
use crate::respond;
use crate::sanitize::{self, Sanitized};
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use crate::telemetry::metrics::HandshakeResult;
use crate::upstream::registry::Endpoint;
use crate::upstream::tunnel;
use arc_swap::ArcSwap;
use http::header::USER_AGENT;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;
use record::{Outcome, Received};
use run::Run;
use std::sync::Arc;
use std::time::Instant;

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
        let (version, is_head) = (parts.version, parts.method == Method::HEAD);
        let Sanitized { mut head, host, upgrade } = match sanitize::request(parts, &connection) {
            Ok(sanitized) => sanitized,
            Err(error) => {
                let refusal = self.refuse(&connection, &error);
                let refusal = if is_head { respond::head_only(refusal) } else { refusal };
                let is_malformed = version == Version::HTTP_2 && matches!(error, RequestError::BadRequest(_));
                return if is_malformed { respond::malformed(refusal) } else { refusal };
            }
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
        let call = Call::of(&head.method, &head.headers);
        let mut body = match call {
            Some(_) => connection.call_body(incoming, self.request_body),
            None => connection.body(incoming, self.request_body),
        };
        let received = Received {
            host,
            target: head.path_and_query.clone(),
            user_agent: head.headers.get(USER_AGENT).cloned(),
            body: body.progress(),
            started: Instant::now(),
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
