//! Endpoints and limits of services, read when they are asked for: whoever keeps them gives them, and nothing is counted
//! twice.

use super::Section;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;

/// Where the figures come from.
pub trait UpstreamFigures: fmt::Debug + Send + Sync {
    /// All endpoints that are in use.
    fn endpoints(&self) -> Vec<EndpointFigures>;
    /// All services, by port and subset, that are in use.
    fn clusters(&self) -> Vec<ClusterFigures>;
}

/// The figures of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointFigures {
    /// The service's full name.
    pub upstream: String,
    /// Its port; none takes any.
    pub port: Option<u16>,
    /// Where it listens.
    pub endpoint: String,
    /// Requests that it works on.
    pub active: u32,
    /// Whether it takes requests: neither ejected nor unwell.
    pub is_in: bool,
    /// How often it was ejected.
    pub ejections: u64,
}

/// The figures of one port of a service, or of one of its subsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFigures {
    /// The service's full name.
    pub upstream: String,
    /// Its port; none takes any.
    pub port: Option<u16>,
    /// The subset; empty for all endpoints.
    pub subset: String,
    /// Requests whose response has not ended.
    pub requests: u32,
    /// Requests that wait for a connection.
    pub pending: u32,
    /// Retries under way.
    pub retries: u32,
    /// Open connections, where a policy rules them.
    pub connections: u32,
    /// How many may wait for a response, where that follows latency.
    pub adaptive: Option<u32>,
    /// What was refused, by the limit's name.
    pub overflows: Vec<(&'static str, u64)>,
}

/// Writes all of them.
pub(super) fn encode(figures: &dyn UpstreamFigures, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    endpoints(&figures.endpoints(), encoder)?;
    clusters(&figures.clusters(), encoder)
}

fn endpoints(all: &[EndpointFigures], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    type Value = fn(&EndpointFigures) -> u64;
    let gauges: [(&str, &str, Value); 2] = [
        ("sluicegate_upstream_endpoint_active_requests", "Requests that an endpoint works on.", |one| {
            one.active.into()
        }),
        ("sluicegate_upstream_endpoint_in", "1 when an endpoint takes requests, 0 when it is out.", |one| {
            one.is_in.into()
        }),
    ];
    for (name, help, value) in gauges {
        let mut section = Section::gauge(encoder, name, help)?;
        for one in all {
            section.series(&one.labels(), &amount(value(one)))?;
        }
    }
    let name = "sluicegate_upstream_endpoint_ejections";
    let mut section = Section::counter(encoder, name, "How often an endpoint was left out for its failures.")?;
    for one in all {
        section.series(&one.labels(), &super::histogram::Count(one.ejections))?;
    }
    Ok(())
}

fn clusters(all: &[ClusterFigures], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    type Value = fn(&ClusterFigures) -> u32;
    let gauges: [(&str, &str, Value); 4] = [
        ("sluicegate_upstream_active_requests", "Requests whose response has not ended.", |one| one.requests),
        ("sluicegate_upstream_pending_requests", "Requests that wait for a connection.", |one| one.pending),
        ("sluicegate_upstream_active_retries", "Retries under way.", |one| one.retries),
        ("sluicegate_upstream_connections", "Open connections, where a policy rules them.", |one| one.connections),
    ];
    for (name, help, value) in gauges {
        let mut section = Section::gauge(encoder, name, help)?;
        for one in all {
            section.series(&one.labels(), &amount(value(one).into()))?;
        }
    }
    let help = "How many requests may wait for a response, as the adaptive limit has it.";
    let mut section = Section::gauge(encoder, "sluicegate_upstream_adaptive_limit", help)?;
    for one in all {
        if let Some(limit) = one.adaptive {
            section.series(&one.labels(), &amount(limit.into()))?;
        }
    }
    let name = "sluicegate_upstream_overflows";
    let mut section = Section::counter(encoder, name, "What was refused as a limit of a policy was met.")?;
    for one in all {
        for (limit, count) in &one.overflows {
            let [upstream, port, subset] = one.labels();
            let labels = [upstream, port, subset, ("limit", (*limit).to_owned())];
            section.series(&labels, &super::histogram::Count(*count))?;
        }
    }
    Ok(())
}

fn amount(value: u64) -> super::histogram::Amount {
    super::histogram::Amount(i64::try_from(value).unwrap_or(i64::MAX))
}

fn port(port: Option<u16>) -> String {
    port.map_or_else(String::new, |port| port.to_string())
}

impl EndpointFigures {
    fn labels(&self) -> [(&'static str, String); 3] {
        [("upstream", self.upstream.clone()), ("port", port(self.port)), ("endpoint", self.endpoint.clone())]
    }
}

impl ClusterFigures {
    fn labels(&self) -> [(&'static str, String); 3] {
        [("upstream", self.upstream.clone()), ("port", port(self.port)), ("subset", self.subset.clone())]
    }
}
