//! A test as the program uses it.

use crate::admin::view::ExplainRequest;
use crate::manifest::Location;
use crate::upstream::registry::Names;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A file of tests.
#[derive(Debug)]
pub struct Suite {
    /// Directories of manifests, or files, as seen from the working directory; empty when the file names none.
    pub manifests: Vec<PathBuf>,
    /// In the order of the file.
    pub cases: Vec<Case>,
}

/// One test.
#[derive(Debug)]
pub struct Case {
    /// As it is called, or the request where it has no name.
    pub name: String,
    /// Where it begins.
    pub location: Location,
    /// The request, and by which listener it comes in.
    pub request: ExplainRequest,
    /// What the upstream answers; none leaves it open.
    pub upstream: Option<Reply>,
    /// What should become of it.
    pub expect: Expectation,
}

/// What should become of a request; what is absent is not looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The filter that settles it.
    pub filter: Option<String>,
    /// The candidate that the filter chooses, or a whole part of its name.
    pub route: Option<String>,
    /// Where it is sent: one of these.
    pub destination: Option<Vec<Target>>,
    /// The calls that it is composed of, in any order.
    pub calls: Option<Vec<Target>>,
    /// The channels that it is published to, in any order.
    pub channels: Option<Vec<String>>,
    /// The authority as the upstream gets it.
    pub authority: Option<String>,
    /// Path and query as the upstream gets them.
    pub path: Option<String>,
    /// Headers as the upstream gets them.
    pub headers: Vec<HeaderExpectation>,
    /// For the whole exchange.
    pub timeout: Option<Duration>,
    /// How often it is tried again at most.
    pub retries: Option<u32>,
    /// The status as the client gets it.
    pub status: Option<StatusCode>,
    /// The `location` as the client gets it.
    pub location: Option<String>,
    /// Headers as the client gets them.
    pub response_headers: Vec<HeaderExpectation>,
    /// The body as the client gets it.
    pub body: Option<String>,
}

/// What a header should be.
#[derive(Debug, PartialEq, Eq)]
pub struct HeaderExpectation {
    /// Its name.
    pub name: HeaderName,
    /// Its values in order; none when it should be absent.
    pub values: Option<Vec<String>>,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A destination: `HOST[:PORT][/SUBSET]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The service's name.
    pub host: String,
    /// Its port; in an expectation, none stands for any.
    pub port: Option<u16>,
    /// Its subset; in an expectation, none stands for any.
    pub subset: Option<String>,
}

impl Target {
    /// Reads `HOST[:PORT][/SUBSET]`.
    ///
    /// # Errors
    /// With what is wrong, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (place, subset) = text.split_once('/').map_or((text, None), |(place, subset)| (place, Some(subset)));
        let (host, port) = place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
        let port = port.map(|port| port.parse::<u16>().map_err(|_| format!("`{port}` is not a port"))).transpose()?;
        if host.is_empty() || subset.is_some_and(str::is_empty) {
            return Err(format!("`{text}` is not a destination"));
        }
        Ok(Self { host: host.to_owned(), port, subset: subset.map(str::to_owned) })
    }

    /// Whether a destination is one that is meant: names may be written short.
    pub fn accepts(&self, found: &Self, names: &Names) -> bool {
        let full = |host: &str| {
            let host = names.expand(host, &names.namespace);
            let domain = &names.cluster_domain;
            [host.clone(), format!("{host}.svc.{domain}"), format!("{host}.{domain}")]
        };
        let [found_host, ..] = full(&found.host);
        full(&self.host).contains(&found_host)
            && (self.port.is_none() || self.port == found.port)
            && (self.subset.is_none() || self.subset == found.subset)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(formatter, ":{port}")?;
        }
        self.subset.as_ref().map_or(Ok(()), |subset| write!(formatter, "/{subset}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::parse(text).unwrap()
    }

    #[test]
    fn a_destination_is_host_port_and_subset() {
        let reviews = target("reviews.shop:9080/v2");
        assert_eq!(
            (reviews.host.as_str(), reviews.port, reviews.subset.as_deref()),
            ("reviews.shop", Some(9080), Some("v2"))
        );
        assert_eq!(reviews.to_string(), "reviews.shop:9080/v2");
        for wrong in ["", ":80", "shop:x", "shop:70000", "shop/"] {
            assert!(Target::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn short_names_mean_the_services_that_manifests_mean_by_them() {
        let names = Names::default();
        let found = target("stock.default.svc.cluster.local:80/v1");
        for meant in [
            "stock",
            "stock:80",
            "stock/v1",
            "stock.default",
            "stock.default.svc",
            "stock.default.svc.cluster.local:80/v1",
        ] {
            assert!(target(meant).accepts(&found, &names), "{meant}");
        }
        for other in ["stocks", "stock:81", "stock/v2", "stock.shop", "default"] {
            assert!(!target(other).accepts(&found, &names), "{other}");
        }
        assert!(target("stock").accepts(&target("stock"), &names));
    }
}
