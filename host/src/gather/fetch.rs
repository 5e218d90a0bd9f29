//! One call: its head, the way to the service, and as much of the response as its use asks for.

use super::budget::Budget;
use super::cache::{self, Cached};
use super::held::Held;
use super::outcome::{of_body, of_error};
use super::plan::Call;
use crate::body::ProxyBody;
use crate::json;
use crate::telemetry::call::Origin;
use crate::telemetry::trace::Parent;
use crate::upstream::adaptive::Load;
use crate::upstream::registry::Registry;
use crate::upstream::{ForwardPolicy, Tries, forward_noting};
use crate::wasm::types::{BodyUse, CallError, RetryPolicy};
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, response};
use http_body::Body;
use http_body_util::BodyExt;
use std::net::IpAddr;
use tokio::time::{Instant, timeout_at};

/// What the calls of a request have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common<'a> {
    /// The services.
    pub(super) registry: &'a Registry,
    /// Headers that every call gets unless it sets them itself.
    pub(super) inherited: &'a HeaderMap,
    /// The client, for policies that tie clients to endpoints.
    pub(super) source: Option<IpAddr>,
    /// How it is held against the adaptive limit of a service.
    pub(super) load: Load,
    /// Where responses are kept, if they are.
    pub(super) cached: Option<Cached<'a>>,
    /// What the calls may hold in memory.
    pub(super) budget: &'a Budget,
}

/// What is sent, taken out of the call.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) head: Parts,
    pub(super) body: Option<Bytes>,
    pub(super) retries: Option<RetryPolicy>,
    /// The span of the call.
    pub(super) trace: Parent,
}

/// What a call gave, and the tries that it took.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) result: Result<Response, CallError>,
    pub(super) tries: Tries,
    pub(super) origin: Origin,
}

/// A response, whatever its status.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) head: response::Parts,
    pub(super) body: ResponseBody,
}

/// The body of a response: here, or left where it comes from.
#[derive(Debug)]
pub(super) enum ResponseBody {
    Whole(Bytes),
    Held(Box<Held>),
}

impl Sending {
    /// Leaves the call without what is sent.
    pub(super) fn take(call: &mut Call) -> Self {
        let (empty, ()) = http::Request::new(()).into_parts();
        let head = std::mem::replace(&mut call.head, empty);
        Self { head, body: call.body.take(), retries: call.retries.take(), trace: Parent::default() }
    }

    /// The headers that the call sets itself.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The head as it is sent: the one place where a call's own headers meet those that it inherits.
    pub(super) fn complete(mut self, inherited: &HeaderMap) -> Self {
        for name in inherited.keys() {
            if !self.head.headers.contains_key(name) {
                for value in inherited.get_all(name) {
                    self.head.headers.append(name.clone(), value.clone());
                }
            }
        }
        self
    }
}

impl Fetched {
    /// A call that was not tried, or whose tries nobody knows of.
    pub(super) fn failed(error: CallError) -> Self {
        Self { result: Err(error), tries: Tries::default(), origin: Origin::Service }
    }

    /// The same for another call, unless the body streams.
    pub(super) fn share(&self) -> Self {
        let result = match &self.result {
            Ok(Response { head, body: ResponseBody::Whole(body) }) => {
                Ok(Response { head: head.clone(), body: ResponseBody::Whole(body.clone()) })
            }
            // Calls whose bodies stream are not shared.
            Ok(_) => Err(CallError::Cancelled),
            Err(error) => Err(error.clone()),
        };
        Self { result, tries: self.tries, origin: self.origin }
    }

    /// The same, unless its body is more than the plan may still hold.
    pub(super) fn within(self, budget: &Budget) -> Self {
        let fits = |response: &Response| response.whole().is_none_or(|body| budget.take(body.len()));
        let result =
            self.result.and_then(|response| if fits(&response) { Ok(response) } else { Err(CallError::TooLarge) });
        Self { result, ..self }
    }
}

/// Makes a call. Dropping the future ends its exchange with the service.
pub(super) async fn fetch(common: Common<'_>, call: &Call, sending: Sending, deadline: Instant) -> Fetched {
    if let Some((policy, cached)) = call.cache.zip(common.cached).filter(|_| cache::is_plain(sending.headers())) {
        // In a box, as calls without a policy need not carry the room for it.
        return Box::pin(cache::fetch(common, cached, call, policy, sending, deadline)).await;
    }
    let mut tries = Tries::default();
    let result = try_fetch(common, call, sending, deadline, &mut tries).await;
    Fetched { result, tries, origin: Origin::Service }
}

async fn try_fetch(
    common: Common<'_>,
    call: &Call,
    sending: Sending,
    deadline: Instant,
    tries: &mut Tries,
) -> Result<Response, CallError> {
    let cluster = common.registry.resolve(&call.destination).map_err(|error| of_error(&error))?;
    let Sending { head, body, retries, trace } = sending.complete(common.inherited);
    let changed = common.cached.filter(|_| !head.method.is_safe()).map(|cached| cached.forget_after(&cluster, &head));
    let body = body.map_or_else(ProxyBody::empty, ProxyBody::full);
    let timeout = Some(deadline.saturating_duration_since(Instant::now()));
    let Common { source, load, budget, .. } = common;
    let policy = ForwardPolicy { timeout, retries, load, source, trace, ..ForwardPolicy::default() };
    let forwarded = forward_noting(&cluster, head, body, &policy, tries).await.map_err(|error| of_error(&error))?;
    let (head, body) = forwarded.response.into_parts();
    if let Some(forget) = changed.filter(|_| !head.status.is_client_error() && !head.status.is_server_error()) {
        forget();
    }
    let body = match call.body_use {
        _ if !call.accepts(head.status) => ResponseBody::Whole(refused(body, call, budget, deadline).await),
        BodyUse::Read | BodyUse::ReadJson => {
            let body = within(deadline, whole(body, call.most(), budget)).await?;
            if call.has_to_be_json(head.status) {
                json::check(&body).map_err(|_| CallError::NotJson)?;
            }
            ResponseBody::Whole(body)
        }
        BodyUse::Splice | BodyUse::SpliceJson => {
            let json = call.has_to_be_json(head.status);
            ResponseBody::Held(Held::begin(body, json, call.max_body, deadline).await?)
        }
    };
    Ok(Response { head, body })
}

/// The body of a response whose status is not accepted: what is too large, late or broken is left out, as the status
/// says what counts.
async fn refused(body: ProxyBody, call: &Call, budget: &Budget, deadline: Instant) -> Bytes {
    within(deadline, whole(body, call.refused_most(), budget)).await.unwrap_or_default()
}

pub(super) async fn within<T>(
    deadline: Instant,
    reading: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    timeout_at(deadline, reading).await.unwrap_or(Err(CallError::Deadline))
}

/// All of a body that is at most this large and within the budget. One frame is not copied. Trailers are dropped.
pub(super) async fn whole(mut body: ProxyBody, most: u64, budget: &Budget) -> Result<Bytes, CallError> {
    let announced = body.size_hint().lower();
    let mut taken = budget.taken();
    if announced > most || !taken.grow_to(announced) {
        return Err(CallError::TooLarge);
    }
    let announced = usize::try_from(announced).unwrap_or(0);
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    let mut size = 0u64;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| of_body(&error))?.into_data() else { continue };
        size = size.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if size > most || !taken.grow_to(size) {
            return Err(CallError::TooLarge);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.reserve(announced.max(first.len() + data.len()));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    taken.keep();
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}
