//! What a guest can reach: the request and the response of its call, and the capabilities it was granted.

use super::bindings::sluicegate::filter::{clock, log, random, types};
use super::time::CallTime;
use crate::config::limits;
use crate::request::RequestHead;
use http::response;
use std::hash::{BuildHasher, RandomState};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use wasmtime::component::Resource;
use wasmtime::{ResourceLimiter, Result};

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
    pub(super) filter: std::sync::Arc<str>,
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
    pub(super) memory: MemoryLimit,
    pub(super) time: CallTime,
}

impl State {
    pub(super) fn new(filter: std::sync::Arc<str>, memory: usize) -> Self {
        Self {
            filter,
            request: Box::default(),
            has_request: false,
            response: None,
            last_words: LastWords::default(),
            started: Instant::now(),
            log_budget: limits::FILTER_LOG,
            memory: MemoryLimit { limit: memory, refused: None, largest: 0 },
            time: CallTime::new(limits::CONFIGURE_DEADLINE),
        }
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

/// Bounds an instance's memories and tables, and remembers what it refused.
#[derive(Debug)]
pub struct MemoryLimit {
    limit: usize,
    pub(super) refused: Option<usize>,
    /// The size of the largest memory that has grown, in bytes.
    pub(super) largest: usize,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let granted = desired <= self.limit;
        if granted {
            self.largest = self.largest.max(desired);
        } else {
            self.refused = Some(desired);
        }
        Ok(granted)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= limits::FILTER_TABLE)
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
    /// One call logs at most [`limits::FILTER_LOG`] bytes; what is over is cut, and said once.
    fn log(&mut self, level: log::Level, message: String) -> Result<()> {
        if self.log_budget == 0 {
            return Ok(());
        }
        let cut = message.floor_char_boundary(self.log_budget.min(message.len()));
        let message = if cut < message.len() { format!("{} [cut]", &message[..cut]) } else { message };
        self.log_budget = self.log_budget.saturating_sub(message.len());
        let filter = &*self.filter;
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
            return Err(
                super::failure::Denied(format!("more than {} random bytes at once", limits::FILTER_RANDOM)).into()
            );
        }
        let mut bytes = vec![0; length];
        getrandom::fill(&mut bytes).map_err(|error| wasmtime::Error::msg(error.to_string()))?;
        Ok(bytes)
    }
}
