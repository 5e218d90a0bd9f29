//! Follows an exchange to the end of its response: until then its endpoint is busy, and only then did it do well.

use super::cluster::Cluster;
use super::limit::Counted;
use super::record::Verdict;
use super::state::Active;
use super::target::Target;
use super::{multiplex, outlier};
use crate::body::{BodyError, Ending, ProxyBody};
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

/// How the body of a request ended that streams, once it has. None is of a body that was there from the start.
#[derive(Debug, Default)]
pub(super) struct Upload(Option<Arc<OnceLock<Ending>>>);

impl Upload {
    /// Follows the body of a request that is to be sent.
    pub(super) fn of(request: &mut Request<ProxyBody>) -> Self {
        if request.body().is_known() {
            return Self(None);
        }
        let ended = Arc::new(OnceLock::new());
        let told = Arc::clone(&ended);
        request.body_mut().on_end(move |end| {
            // It ends once.
            let _ = told.set(end.how);
        });
        Self(Some(ended))
    }

    /// Whether a response may have failed for what the client sent, or for what it has yet to send.
    fn excuses(&self, error: &BodyError) -> bool {
        self.0.as_ref().is_some_and(|ended| match ended.get() {
            Some(how) => *how == Ending::Failed,
            None => matches!(error, BodyError::Timeout),
        })
    }
}

/// What is counted while an exchange lasts.
#[derive(Debug)]
pub(super) struct Watch {
    cluster: Cluster,
    /// Which of the cluster's endpoints.
    member: usize,
    verdict: Verdict,
    upload: Upload,
    _counted: Guards,
}

/// The endpoint's activity, the request and the retry.
type Guards = (Active, Option<Counted>, Option<Counted>);

impl Watch {
    /// Follows an exchange that has a response's head, of which the verdict speaks.
    pub(super) fn new(target: Target<'_>, verdict: Verdict, upload: Upload, counted: Guards) -> Self {
        Self { cluster: target.cluster.clone(), member: target.place(), verdict, upload, _counted: counted }
    }

    /// The body, followed to its end.
    pub(super) fn follow(self, body: ProxyBody) -> ProxyBody {
        if body.is_end_stream() {
            self.ended();
            return body;
        }
        ProxyBody::stream(Watched { body, watch: Some(self) })
    }

    /// All of the response has come.
    pub(super) fn ended(&self) {
        if self.verdict == Verdict::Success {
            self.observe(Verdict::Success);
        }
    }

    fn observe(&self, verdict: Verdict) {
        if let Some(member) = self.cluster.members().get(self.member) {
            outlier::observe(&self.cluster, member, verdict);
        }
    }
}

struct Watched {
    body: ProxyBody,
    watch: Option<Watch>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) if frame.is_data() && !self.body.is_end_stream() => {}
            // Nobody asks for what comes after trailers.
            Some(Ok(_)) | None => {
                if let Some(watch) = self.watch.take() {
                    watch.ended();
                }
            }
            Some(Err(error)) => {
                let unread = matches!(error, BodyError::Http(error) if multiplex::is_unread(error));
                if let Some(watch) = self.watch.take().filter(|watch| !unread && !watch.upload.excuses(error)) {
                    watch.observe(Verdict::LocalFailure);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    /// Who has all of a body need not ask for its end.
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take().filter(|_| self.body.is_spent()) {
            watch.ended();
        }
    }
}
