//! Where spans begin.

use super::context::{Incoming, SpanContext};
use super::export::Exporting;
use super::queue::{Counts, Queue};
use super::request::RequestTrace;
use super::sampler::Sampler;
use super::span::{Kind, Span, SpanData};
use crate::config::TraceExport;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

/// Begins spans, or does nothing when traces are off. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    tracing: Arc<Tracing>,
    exporting: Exporting,
}

/// What every span needs.
#[derive(Debug)]
pub(super) struct Tracing {
    pub(super) sampler: Sampler,
    pub(super) queue: Queue,
    /// Whether calls of filters that let the chain go on have spans too.
    pub(super) every_filter: bool,
}

impl Tracer {
    /// No traces: the headers of requests pass as they are.
    pub fn off() -> Self {
        Self(None)
    }

    /// Sends spans where the settings say, from a thread of its own.
    ///
    /// # Errors
    /// When the system gives no thread, or TLS to the collector cannot be set up.
    pub fn start(settings: &TraceExport) -> std::io::Result<Self> {
        let sampler = Sampler { ratio: settings.ratio, follows_parents: settings.follow_parents };
        let tracing = Tracing { sampler, queue: Queue::default(), every_filter: settings.every_filter };
        let tracing = Arc::new(tracing);
        let exporting = Exporting::start(settings, Arc::clone(&tracing))?;
        Ok(Self(Some(Arc::new(Shared { tracing, exporting }))))
    }

    /// Traces that are kept for a test to look at.
    #[cfg(test)]
    pub(crate) fn collecting(every_filter: bool) -> Self {
        let sampler = Sampler { ratio: crate::config::Ratio::ONE, follows_parents: true };
        let tracing = Arc::new(Tracing { sampler, queue: Queue::default(), every_filter });
        Self(Some(Arc::new(Shared { tracing, exporting: Exporting::nowhere() })))
    }

    /// The spans that have ended, for a test that has [`Tracer::collecting`].
    #[cfg(test)]
    pub(crate) fn collected(&self) -> Vec<Box<SpanData>> {
        self.0.as_ref().map(|shared| shared.tracing.queue.take()).unwrap_or_default()
    }

    /// The span of a request with these headers, which say from then on that they come from it.
    pub fn request(&self, headers: &mut HeaderMap) -> RequestTrace {
        match &self.0 {
            None => RequestTrace::default(),
            Some(shared) => RequestTrace::begin(&shared.tracing, headers),
        }
    }

    /// A span that begins a trace, caused by something else that has its own.
    pub(super) fn linked(&self, cause: Option<SpanContext>, kind: Kind, describe: impl FnOnce(&mut SpanData)) -> Span {
        let Some(Shared { tracing, .. }) = self.0.as_deref() else { return Span::default() };
        let sampler = tracing.sampler;
        let context = match cause {
            Some(cause) => SpanContext::root(|_| sampler.keeps(cause)),
            None => sampler.place(None),
        };
        if !context.is_sampled() {
            return Span::default();
        }
        Span::begin(tracing, context, kind, |span| {
            cause.into_iter().for_each(|cause| span.link(cause));
            describe(span);
        })
    }

    /// Whether there are traces.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// How many spans there were and what became of them; none when traces are off.
    pub fn counts(&self) -> Option<Arc<Counts>> {
        self.0.as_ref().map(|shared| shared.tracing.queue.counts())
    }

    /// Sends what waits, for at most so long, and ends. Spans that end later are dropped.
    pub async fn close(&self, within: Duration) {
        if let Some(shared) = &self.0 {
            shared.exporting.close(within).await;
        }
    }
}

/// What spans begin from: a span that is kept, or nothing. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Parent(Option<Arc<Lineage>>);

#[derive(Debug)]
pub(super) struct Lineage {
    pub(super) tracing: Arc<Tracing>,
    pub(super) context: SpanContext,
    pub(super) state: Option<HeaderValue>,
}

impl Parent {
    pub(super) fn of(lineage: Option<Arc<Lineage>>) -> Self {
        Self(lineage)
    }

    /// Where it is, if there is one.
    pub fn context(&self) -> Option<SpanContext> {
        self.0.as_ref().map(|lineage| lineage.context)
    }

    /// What tracing systems before wrote down.
    pub(super) fn state(&self) -> Option<&HeaderValue> {
        self.0.as_ref().and_then(|lineage| lineage.state.as_ref())
    }

    /// Whether every call of a filter has a span.
    pub(super) fn is_about_every_filter(&self) -> bool {
        self.0.as_ref().is_some_and(|lineage| lineage.tracing.every_filter)
    }

    /// A span below this one that begins now. `describe` is called only when there is one.
    pub fn span(&self, kind: Kind, describe: impl FnOnce(&mut SpanData)) -> Span {
        let Some(lineage) = &self.0 else { return Span::default() };
        Span::begin(&lineage.tracing, lineage.context.child(), kind, |span| {
            span.parent = Some((lineage.context.span(), false));
            span.state.clone_from(&lineage.state);
            describe(span);
        })
    }

    /// A span below this one that took so long and ends now.
    pub fn past(&self, kind: Kind, took: Duration, describe: impl FnOnce(&mut SpanData)) {
        if self.0.is_some() {
            drop(self.span(kind, |span| {
                span.ended_after(took);
                describe(span);
            }));
        }
    }
}

impl Tracing {
    /// The place of a request, and its span if it is kept.
    pub(super) fn serve(self: &Arc<Self>, incoming: Option<Incoming>) -> (SpanContext, Option<HeaderValue>, Span) {
        let parent = incoming.as_ref().map(|incoming| incoming.context);
        let state = incoming.and_then(|incoming| incoming.state);
        let context = self.sampler.place(parent);
        if !context.is_sampled() {
            return (context, state, Span::default());
        }
        let span = Span::begin(self, context, Kind::Server, |span| {
            span.parent = parent.map(|parent| (parent.span(), true));
            span.state.clone_from(&state);
        });
        (context, state, span)
    }
}
