//! What a guest can reach: the request and the response of its call, and the capabilities it was granted.

use super::bindings::sluicegate::filter::{clock, log, random, types};
use super::bound::{Bound, Bounds};
use super::failure::{Denied, Known};
use super::filter::Filter;
use super::holding::Access;
use super::meter::{Alive, Meter};
use super::room::Room;
use super::time::CallTime;
use crate::config::limits;
use crate::request::RequestHead;
use http::response;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use wasmtime::Result;
use wasmtime::component::Resource;

/// The request and the response of a call need no table: there is one of each.
pub(super) const CURRENT: u32 = 0;

/// The request of the call that runs.
#[derive(Debug)]
pub struct CurrentRequest;

/// The response of the call that runs.
#[derive(Debug)]
pub struct CurrentResponse;

/// What a store holds: one call's request and response while it runs, and the instance's limits.
#[derive(Debug)]
pub struct State {
    /// The filter's name, for its log lines.
    pub(super) filter: Arc<str>,
    /// Swapped in for a call and out again after it; a placeholder between calls.
    pub(super) request: Box<RequestHead>,
    /// Whether `request` is more than the placeholder.
    pub(super) has_request: bool,
    /// Moved in for a call and out again after it.
    pub(super) response: Option<response::Parts>,
    /// The end of what the guest wrote to its standard streams.
    pub(super) last_words: LastWords,
    /// When the instance began, for its monotonic clock.
    pub(super) started: Instant,
    /// Bytes that this call may still log.
    pub(super) log_budget: usize,
    pub(super) room: Room,
    pub(super) time: CallTime,
    /// To what the filter has with the host.
    pub(super) access: Access,
    pub(super) bounds: Arc<Bounds>,
    pub(super) meter: Arc<Meter>,
    /// Says that there is one instance more for as long as there is its store.
    _alive: Alive,
}

impl State {
    pub(super) fn new(filter: &Filter) -> Self {
        let (bounds, meter) = (Arc::clone(&filter.settings.bounds), Arc::clone(&filter.meter));
        Self {
            filter: Arc::clone(&filter.name),
            request: Box::default(),
            has_request: false,
            response: None,
            last_words: LastWords::default(),
            started: Instant::now(),
            log_budget: limits::FILTER_LOG,
            room: Room::new(
                (filter.settings.memory, bounds.table_elements),
                Arc::clone(&meter),
                Arc::clone(&filter.code.memory),
            ),
            time: CallTime::new(limits::CONFIGURE_DEADLINE),
            access: Access::to(Arc::clone(&filter.holding)),
            bounds,
            _alive: meter.alive(),
            meter,
        }
    }

    /// What a failure of the call is understood by.
    pub(super) fn known<'a>(&self, last_words: &'a str) -> Known<'a> {
        let Room { memory_refused, table_refused, crowded, .. } = self.room;
        Known { memory: memory_refused, table: table_refused, crowded, last_words }
    }

    fn request(&self) -> Result<&RequestHead> {
        if self.has_request { Ok(&self.request) } else { Err(wasmtime::Error::msg("there is no request in this call")) }
    }

    fn response(&self) -> Result<&response::Parts> {
        self.response.as_ref().ok_or_else(|| wasmtime::Error::msg("there is no response in this call"))
    }
}

/// The end of what a guest wrote, bounded.
#[derive(Debug, Default)]
pub struct LastWords(Vec<u8>);

impl LastWords {
    pub(super) fn extend(&mut self, bytes: impl Iterator<Item = u8>) {
        self.0.extend(bytes);
        let over = self.0.len().saturating_sub(limits::FILTER_LAST_WORDS);
        self.0.drain(..over);
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// 64 bits for the seeds of guests' hash maps: keyed by the operating system, never the same twice.
pub(super) fn random_u64() -> u64 {
    RandomState::new().hash_one(fastrand::u64(..))
}

fn list(headers: &http::HeaderMap) -> Vec<types::Header> {
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| types::Header {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_vec(),
    };
    headers.iter().map(header).collect()
}

/// The headers as the lines of a message, without room to spare.
fn field_lines(headers: &http::HeaderMap) -> Vec<u8> {
    let size = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 3).sum();
    let mut lines = Vec::with_capacity(size);
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines
}

fn values(headers: &http::HeaderMap, name: &str) -> Vec<Vec<u8>> {
    headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect()
}

impl types::Host for State {}

impl types::HostRequest for State {
    fn method(&mut self, _: Resource<CurrentRequest>) -> Result<String> {
        Ok(self.request()?.method.as_str().to_owned())
    }

    fn scheme(&mut self, _: Resource<CurrentRequest>) -> Result<String> {
        Ok(self.request()?.scheme.as_str().to_owned())
    }

    fn authority(&mut self, _: Resource<CurrentRequest>) -> Result<String> {
        Ok(self.request()?.authority.clone())
    }

    fn path(&mut self, _: Resource<CurrentRequest>) -> Result<String> {
        Ok(self.request()?.path_and_query.path().to_owned())
    }

    fn query(&mut self, _: Resource<CurrentRequest>) -> Result<Option<String>> {
        Ok(self.request()?.path_and_query.query().map(str::to_owned))
    }

    fn header(&mut self, _: Resource<CurrentRequest>, name: String) -> Result<Option<Vec<u8>>> {
        Ok(self.request()?.headers.get(name.as_str()).map(|value| value.as_bytes().to_vec()))
    }

    fn header_values(&mut self, _: Resource<CurrentRequest>, name: String) -> Result<Vec<Vec<u8>>> {
        Ok(values(&self.request()?.headers, &name))
    }

    fn headers(&mut self, _: Resource<CurrentRequest>) -> Result<Vec<types::Header>> {
        Ok(list(&self.request()?.headers))
    }

    fn field_lines(&mut self, _: Resource<CurrentRequest>) -> Result<Vec<u8>> {
        Ok(field_lines(&self.request()?.headers))
    }

    fn attribute(&mut self, _: Resource<CurrentRequest>, name: String) -> Result<Option<String>> {
        Ok(self.request()?.attribute(&name).map(std::borrow::Cow::into_owned))
    }

    fn body(&mut self, _: Resource<CurrentRequest>) -> Result<Option<Vec<u8>>> {
        Ok(self.request()?.body.as_ref().map(|body| body.to_vec()))
    }

    fn drop(&mut self, _: Resource<CurrentRequest>) -> Result<()> {
        Ok(())
    }
}

impl types::HostResponse for State {
    fn status(&mut self, _: Resource<CurrentResponse>) -> Result<u16> {
        Ok(self.response()?.status.as_u16())
    }

    fn header(&mut self, _: Resource<CurrentResponse>, name: String) -> Result<Option<Vec<u8>>> {
        Ok(self.response()?.headers.get(name.as_str()).map(|value| value.as_bytes().to_vec()))
    }

    fn header_values(&mut self, _: Resource<CurrentResponse>, name: String) -> Result<Vec<Vec<u8>>> {
        Ok(values(&self.response()?.headers, &name))
    }

    fn headers(&mut self, _: Resource<CurrentResponse>) -> Result<Vec<types::Header>> {
        Ok(list(&self.response()?.headers))
    }

    fn drop(&mut self, _: Resource<CurrentResponse>) -> Result<()> {
        Ok(())
    }
}

impl log::Host for State {
    /// What a call logs beyond [`limits::FILTER_LOG`] bytes is cut, and what all instances log in a second beyond their
    /// bounds is left out; the next line says how much. A line that nobody would see counts nothing.
    fn log(&mut self, level: log::Level, message: String) -> Result<()> {
        let filter = &*self.filter;
        if !enabled(level) {
            return Ok(());
        }
        if self.log_budget == 0 {
            self.meter.refusals.count(Bound::LogCall);
            return Ok(());
        }
        let cut = message.floor_char_boundary(self.log_budget.min(message.len()));
        let message = if cut < message.len() { format!("{} [cut]", &message[..cut]) } else { message };
        self.log_budget = self.log_budget.saturating_sub(message.len());
        if !self.meter.may_log(filter, message.len(), &self.bounds) {
            return Ok(());
        }
        match level {
            log::Level::Trace => tracing::trace!(target: "sluicegate::filter", filter, "{message}"),
            log::Level::Debug => tracing::debug!(target: "sluicegate::filter", filter, "{message}"),
            log::Level::Info => tracing::info!(target: "sluicegate::filter", filter, "{message}"),
            log::Level::Warn => tracing::warn!(target: "sluicegate::filter", filter, "{message}"),
            log::Level::Error => tracing::error!(target: "sluicegate::filter", filter, "{message}"),
        }
        Ok(())
    }
}

fn enabled(level: log::Level) -> bool {
    match level {
        log::Level::Trace => tracing::enabled!(target: "sluicegate::filter", tracing::Level::TRACE),
        log::Level::Debug => tracing::enabled!(target: "sluicegate::filter", tracing::Level::DEBUG),
        log::Level::Info => tracing::enabled!(target: "sluicegate::filter", tracing::Level::INFO),
        log::Level::Warn => tracing::enabled!(target: "sluicegate::filter", tracing::Level::WARN),
        log::Level::Error => tracing::enabled!(target: "sluicegate::filter", tracing::Level::ERROR),
    }
}

impl clock::Host for State {
    fn now(&mut self) -> Result<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl random::Host for State {
    fn bytes(&mut self, length: u32) -> Result<Vec<u8>> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > limits::FILTER_RANDOM {
            let what = format!("more than {} random bytes at once", limits::FILTER_RANDOM);
            return Err(Denied { what, bound: Bound::Random }.into());
        }
        let mut bytes = vec![0; length];
        getrandom::fill(&mut bytes).map_err(|error| wasmtime::Error::msg(error.to_string()))?;
        Ok(bytes)
    }
}
