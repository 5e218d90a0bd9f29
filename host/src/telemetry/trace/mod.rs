//! Traces: what a request did and where its time went, as spans for an OpenTelemetry collector.
//!
//! Off, each place where a span would begin costs one branch: nothing is allocated, no clock is read, and the trace
//! headers of requests pass as they came. On, every request has its ids, and those that are sampled have spans, which
//! wait in a bounded [`queue`] until a thread of their own sends them ([`export`]). A collector that is slow or gone
//! costs spans, which are counted, and never a request.
//!
//! - [`context`], [`state`]: W3C Trace Context Level 2, `traceparent` and `tracestate`
//! - [`sampler`]: which requests are kept
//! - [`span`], [`tracer`]: spans and where they begin
//! - [`request`], [`http`], [`filter`], [`messaging`]: what is said of requests, tries, filter calls and events, in
//!   the words of OpenTelemetry's semantic conventions

pub mod context;
mod export;
pub mod filter;
pub mod http;
pub mod messaging;
mod queue;
pub mod request;
pub mod sampler;
pub mod span;
pub mod state;
#[cfg(test)]
mod tests;
pub mod tracer;

pub use context::SpanContext;
pub use queue::Counts;
pub use request::RequestTrace;
pub use span::Span;
pub use tracer::{Parent, Tracer};
