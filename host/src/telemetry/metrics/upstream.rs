//! How tries to reach services end.

use super::Section;
use super::family::Live;
use super::histogram::Counter;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamResult {
    /// A response below 500.
    Success,
    /// A response of 500 or above.
    ServerError,
    /// No endpoint is known, or all are out.
    NoEndpoint,
    /// No connection.
    ConnectFailure,
    /// The connection ended before the response.
    Reset,
    /// The response came too late.
    Deadline,
    /// The response is not HTTP.
    Invalid,
    /// The proxy gave it up: the client left, or another call of the plan failed.
    Cancelled,
    /// A limit of the service's policy was met.
    Overflow,
}

impl UpstreamResult {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Success, "success"),
        (Self::ServerError, "server_error"),
        (Self::NoEndpoint, "no_endpoint"),
        (Self::ConnectFailure, "connect_failure"),
        (Self::Reset, "reset"),
        (Self::Deadline, "deadline"),
        (Self::Invalid, "invalid"),
        (Self::Cancelled, "cancelled"),
        (Self::Overflow, "overflow"),
    ];
}

/// The labels of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UpstreamKey {
    pub(super) name: String,
}

/// The counters of one service.
#[derive(Debug, Default)]
pub struct UpstreamMetrics {
    results: [Counter; UpstreamResult::ALL.len()],
    retries: Counter,
}

impl UpstreamMetrics {
    /// Counts a try. Lock-free.
    pub fn request(&self, result: UpstreamResult) {
        if let Some(count) = self.results.get(result as usize) {
            count.add();
        }
    }

    /// Counts a try that follows a failed one.
    pub fn retry(&self) {
        self.retries.add();
    }
}

/// Writes all services.
pub(super) fn encode(
    upstreams: &Live<UpstreamKey, UpstreamMetrics>,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), fmt::Error> {
    let all = upstreams.all();
    let mut section = Section::counter(encoder, "sluicegate_upstream_requests", "Tries to reach services.")?;
    for (key, metrics) in &all {
        for (counter, (_, result)) in metrics.results.iter().zip(UpstreamResult::ALL) {
            section.series(&[("upstream", &*key.name), ("result", result)], &counter.total())?;
        }
    }
    let mut section = Section::counter(encoder, "sluicegate_upstream_retries", "Tries that follow a failed one.")?;
    for (key, metrics) in &all {
        section.series(&[("upstream", &*key.name)], &metrics.retries.total())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_at_the_index_of_their_meaning() {
        assert!(UpstreamResult::ALL.iter().enumerate().all(|(index, (result, _))| *result as usize == index));
    }
}
