//! Requests that are sent on to a service, as their client sent them but for what the chain and HTTP ask for.

use super::record::Outcome;
use super::run::Run;
use crate::body::ProxyBody;
use crate::chain::Forward;
use crate::error::RequestError;
use crate::mirror::{Mirror, Mirroring};
use crate::request::split_authority;
use crate::sanitize::{self, Upgrading};
use crate::upstream::registry::Cluster;
use crate::upstream::splice::splice;
use crate::upstream::{ForwardPolicy, Forwarded, forward_noting};
use crate::wasm::types::RetryPolicy;
use crate::{grpc, websocket};
use http::header::SEC_WEBSOCKET_KEY;
use http::{Response, StatusCode, Version};
use std::time::Duration;

impl Run {
    /// No filter settled it: the authority may still name a service.
    pub(super) async fn pass_through(&mut self) -> Result<Response<ProxyBody>, RequestError> {
        let (host, port) = split_authority(&self.head.authority);
        match self.snapshot.registry.find(host, port) {
            Some(cluster) => self.send(cluster, &self.policy(None, None), Vec::new()).await,
            None => Err(RequestError::NoRoute { authority: self.head.authority.clone() }),
        }
    }

    /// To where a filter wants it.
    pub(super) async fn forward(&mut self, decided: Forward) -> Result<Response<ProxyBody>, RequestError> {
        let Forward { destination, timeout, retries, mirrors } = decided;
        let cluster = self.snapshot.registry.resolve(&destination).map_err(|error| {
            if self.head.blames_routes() { RequestError::BadRoute { reason: error.to_string() } } else { error }
        })?;
        self.send(cluster, &self.policy(timeout.map(Duration::from_millis), retries), mirrors).await
    }

    /// How to send the request, with what its route says.
    fn policy(&self, timeout: Option<Duration>, retries: Option<RetryPolicy>) -> ForwardPolicy {
        let hurried = self.call.is_some_and(|call| call.hurries(timeout));
        let timeout = self.call.map_or(timeout, |call| call.limit(timeout));
        let (conversation, source) = (self.call.is_some(), Some(self.head.peer.ip()));
        let load = self.snapshot.overload.load(self.priority);
        ForwardPolicy { timeout, hurried, retries, conversation, source, load, trace: self.trace.parent() }
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
            && let Some(Upgrading { connection, held, place }) = self.upgrade.take()
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
                drop((held, place));
            });
            return Ok(response);
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let reason = "it switched protocols unasked".to_owned();
            return Err(RequestError::BadResponse { endpoint: endpoint.to_string(), reason });
        }
        // What goes on is in the version that is spoken here (RFC 9110, section 2.5).
        let version = std::mem::replace(response.version_mut(), Version::HTTP_11);
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
}
