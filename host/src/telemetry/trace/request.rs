//! The span of a request that came in.

use super::context::{self, Incoming, SpanContext};
use super::http;
use super::span::Span;
use super::tracer::{Parent, Tracing};
use crate::telemetry::AccessRecord;
use ::http::HeaderMap;
use std::sync::Arc;

/// A request's place in its trace, and its span. Empty when traces are off.
#[derive(Debug, Default)]
pub struct RequestTrace {
    context: Option<SpanContext>,
    span: Span,
    /// Made once, as several parts of the request's way begin spans.
    parent: Parent,
}

impl RequestTrace {
    pub(super) fn begin(tracing: &Arc<Tracing>, headers: &mut HeaderMap) -> Self {
        let (context, state, span) = tracing.serve(Incoming::read(headers));
        context::write(headers, context, state.as_ref());
        let parent = span.parent();
        Self { context: Some(context), span, parent }
    }

    /// Where the request is, kept or not; none when traces are off.
    pub fn context(&self) -> Option<SpanContext> {
        self.context
    }

    /// What spans of the request begin from.
    pub fn parent(&self) -> Parent {
        self.parent.clone()
    }

    /// Says what became of the request, and ends its span.
    pub fn end(&mut self, record: &AccessRecord<'_>) {
        let mut span = std::mem::take(&mut self.span);
        span.describe(|span| http::served(span, record));
    }
}
