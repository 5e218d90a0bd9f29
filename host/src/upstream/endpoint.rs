//! One place that serves a port of a service.

use super::alternatives::Alternatives;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// One place that serves a port, as manifests or flags give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where to connect. Tells it from others of its service.
    pub address: SocketAddr,
    /// Where else it may be reached; only endpoints that have a name have such addresses.
    pub alternatives: Option<Arc<Alternatives>>,
    /// Its share against that of others; at least 1.
    pub weight: u32,
    /// What subsets select by.
    pub labels: Arc<Labels>,
    /// What its manifest says of it.
    pub readiness: Readiness,
}

/// Whether an endpoint takes requests, as its manifest says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    #[default]
    Ready,
    /// It ends but still serves: used only when none is ready (as Kubernetes does for terminating endpoints).
    Terminating,
    /// It does not.
    NotReady,
}

impl Endpoint {
    /// One that is ready, of weight 1 and without labels.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, alternatives: None, weight: 1, labels: Arc::default(), readiness: Readiness::Ready }
    }

    /// Whether it has all of these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        labels.iter().all(|(name, value)| self.labels.get(name) == Some(value))
    }
}

/// Those of the endpoints that take requests: the ready ones, or else the ones that end.
pub(super) fn serving(endpoints: &[Endpoint]) -> impl Iterator<Item = &Endpoint> {
    let any_ready = endpoints.iter().any(|endpoint| endpoint.readiness == Readiness::Ready);
    let wanted = if any_ready { Readiness::Ready } else { Readiness::Terminating };
    endpoints.iter().filter(move |endpoint| endpoint.readiness == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::harness::port;

    fn endpoint(number: u16, readiness: Readiness) -> Endpoint {
        Endpoint { readiness, ..Endpoint::new(port(number)) }
    }

    fn served(endpoints: &[Endpoint]) -> Vec<u16> {
        serving(endpoints).map(|endpoint| endpoint.address.port()).collect()
    }

    #[test]
    fn an_endpoint_that_ends_serves_only_when_none_is_ready() {
        let ending = endpoint(2, Readiness::Terminating);
        let out = endpoint(3, Readiness::NotReady);
        assert_eq!(served(&[endpoint(1, Readiness::Ready), ending.clone(), out.clone()]), [1]);
        assert_eq!(served(&[ending, out.clone()]), [2]);
        assert_eq!(served(&[out]), [0; 0]);
    }

    #[test]
    fn a_subset_matches_when_all_of_its_labels_do() {
        let labels = |pairs: &[(&str, &str)]| -> Labels {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let one = Endpoint { labels: Arc::new(labels(&[("version", "v2"), ("zone", "a")])), ..Endpoint::new(port(1)) };
        assert!(one.matches(&labels(&[("version", "v2")])) && one.matches(&labels(&[])));
        assert!(!one.matches(&labels(&[("version", "v1")])) && !one.matches(&labels(&[("app", "shop")])));
    }
}
