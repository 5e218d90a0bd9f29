//! The tries of a request: each is counted, traced and held for or against its endpoint.

use super::attempt::{Answered, Failure, attempt};
use super::clock::{Blame, Clock};
use super::cluster::Cluster;
use super::forward::{Forwarded, Upgrade};
use super::limit::Counted;
use super::outlier;
use super::record::Verdict;
use super::state::Active;
use super::target::Target;
use super::watch::{Upload, Watch};
use crate::body::ProxyBody;
use crate::error::RequestError;
use crate::telemetry::metrics::UpstreamResult;
use crate::telemetry::trace::{Parent, Span, http as spans};
use http::Request;
use std::net::SocketAddr;

/// Which tries have been made so far. It is kept by the caller, who may want to know of tries that nobody answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tries {
    /// Where the last one went.
    pub endpoint: Option<SocketAddr>,
    /// How many there were, the first included.
    pub count: u32,
}

/// The tries of a request that is being sent, and what their spans begin from.
pub(super) struct Trying<'a> {
    pub(super) tries: &'a mut Tries,
    pub(super) trace: &'a Parent,
}

impl Trying<'_> {
    fn begin(&mut self, target: Target<'_>, request: &mut Request<ProxyBody>) -> Span {
        self.tries.endpoint = Some(target.address());
        self.tries.count = self.tries.count.saturating_add(1);
        let (service, endpoint) = (target.cluster.name(), target.address());
        let tls = target.cluster.wire().is_some_and(|wire| wire.tls.is_some());
        spans::begin_try(self.trace, request, spans::Way { service, endpoint, tls, count: self.tries.count })
    }
}

/// One try, over or with its response on the way.
pub(super) struct Try<'a> {
    target: Target<'a>,
    pub(super) result: Result<Answered, Failure>,
    /// What is counted until the response has ended: the endpoint's activity, the request and the retry.
    active: Option<Active>,
    upload: Upload,
    pub(super) admitted: Option<Counted>,
    pub(super) retry: Option<Counted>,
    pub(super) span: Span,
}

impl<'a> Try<'a> {
    /// Sends the request there.
    pub(super) async fn at(
        target: Target<'a>,
        mut request: Request<ProxyBody>,
        clock: Clock,
        trying: &mut Trying<'_>,
    ) -> Self {
        let mut span = trying.begin(target, &mut request);
        let active = target.cluster.is_tracked().then(|| target.member.state.enter());
        let upload = active.as_ref().map(|_| Upload::of(&mut request)).unwrap_or_default();
        let mut counted = CountedTry { cluster: target.cluster, result: UpstreamResult::Cancelled };
        let result = attempt(target, request, clock).await;
        counted.result = match &result {
            Ok(answered) if answered.response.status().is_server_error() => UpstreamResult::ServerError,
            Ok(_) => UpstreamResult::Success,
            Err(failure) => failure.result(),
        };
        drop(counted);
        spans::end_try(&mut span, result.as_ref().map(Answered::status).map_err(|failure| &failure.error));
        let failed = match &result {
            Ok(answered) => Verdict::of(answered.response.status()),
            Err(failure) if failure.is_upstreams() => Verdict::LocalFailure,
            Err(_) => Verdict::Success,
        };
        // Success is only known at the end of the response.
        if failed != Verdict::Success {
            outlier::observe(target.cluster, target.member, failed);
        }
        Self { target, result, active, upload, admitted: None, retry: None, span }
    }

    /// Whether how long it took says something of how busy the service is: errors may come at once, and so does the end
    /// of a client's patience.
    pub(super) fn tells_latency(&self) -> bool {
        match &self.result {
            Ok(answered) => !answered.status().is_server_error(),
            Err(failure) => failure.blame == Blame::Endpoint && matches!(failure.error, RequestError::Deadline { .. }),
        }
    }

    /// The response, followed to its end where that is wanted.
    pub(super) fn finish(self, attempts: u32) -> Result<Forwarded, RequestError> {
        let Answered { mut response, upgrade, stream, address: endpoint } = self.result?;
        let verdict = Verdict::of(response.status());
        let counted = self.active.map(|active| (active, self.admitted, self.retry));
        let watch = counted.map(|counted| Watch::new(self.target, verdict, self.upload, counted));
        let upgrade = match (upgrade, watch) {
            (Some(connection), watch) => {
                watch.as_ref().inspect(|watch| watch.ended());
                Some(Upgrade { connection, watch, stream })
            }
            (None, Some(watch)) => {
                response = response.map(|body| watch.follow(body));
                None
            }
            (None, None) => None,
        };
        Ok(Forwarded { response, upgrade, endpoint, attempts })
    }
}

/// Counts a try when it is dropped: as given up, unless its end has come.
struct CountedTry<'a> {
    cluster: &'a Cluster,
    result: UpstreamResult,
}

impl Drop for CountedTry<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.cluster.metrics() {
            metrics.request(self.result);
        }
    }
}
