//! States as metrics have them.

use super::limit::Limit;
use super::state::States;
use crate::telemetry::metrics::{ClusterFigures, EndpointFigures, UpstreamFigures};

impl UpstreamFigures for States {
    fn endpoints(&self) -> Vec<EndpointFigures> {
        let all = States::endpoints(self).into_iter().map(|(key, address, state)| EndpointFigures {
            upstream: key.service.to_string(),
            port: key.port,
            endpoint: address.to_string(),
            active: state.active(),
            is_in: state.out().is_none(),
            ejections: state.ejections(),
        });
        all.collect()
    }

    fn clusters(&self) -> Vec<ClusterFigures> {
        let all = States::clusters(self).into_iter().map(|(key, state)| ClusterFigures {
            upstream: key.service.to_string(),
            port: key.port,
            subset: key.subset.map_or_else(String::new, |subset| subset.to_string()),
            requests: state.requests(),
            pending: state.pending(),
            retries: state.retries(),
            connections: state.connections(),
            adaptive: state.adaptive().map(|figures| figures.limit),
            overflows: Limit::ALL.iter().map(|(limit, name)| (*name, state.overflows(*limit))).collect(),
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{AccessLog, Metrics};
    use crate::upstream::registry::{Endpoint, Names, Protocol, Registry, ServicePort};
    use crate::upstream::state::Health;
    use crate::upstream::tests::harness::port;
    use std::sync::Arc;

    #[test]
    fn endpoints_and_limits_are_written_as_metrics() {
        let (states, metrics) = (Arc::new(States::default()), Metrics::new(&AccessLog::off()));
        let figures = Arc::clone(&states) as Arc<dyn UpstreamFigures>;
        metrics.show_upstreams(Arc::downgrade(&figures));
        let mut registry = Registry::with_states(Names::default(), states);
        let endpoints = vec![Endpoint::new(port(1)), Endpoint::new(port(2))];
        registry.add(
            "shop".into(),
            vec![ServicePort { number: Some(80), name: None, protocol: Protocol::Http1, endpoints }],
        );
        let cluster = registry.find("shop", None).unwrap();
        let _active = cluster.members()[0].state.enter();
        cluster.members()[1].state.set_health(Health::Unhealthy);
        cluster.state().overflowed(Limit::Pending);
        let text = metrics.encode().unwrap();
        let endpoint = |number| format!(r#"{{upstream="shop",port="80",endpoint="127.0.0.1:{number}"}}"#);
        for line in [
            format!("sluicegate_upstream_endpoint_active_requests{} 1", endpoint(1)),
            format!("sluicegate_upstream_endpoint_in{} 1", endpoint(1)),
            format!("sluicegate_upstream_endpoint_in{} 0", endpoint(2)),
            format!("sluicegate_upstream_endpoint_ejections_total{} 0", endpoint(2)),
            r#"sluicegate_upstream_active_requests{upstream="shop",port="80",subset=""} 0"#.into(),
            r#"sluicegate_upstream_overflows_total{upstream="shop",port="80",subset="",limit="pending"} 1"#.into(),
        ] {
            assert!(text.contains(&format!("{line}\n")), "no {line} in\n{text}");
        }
    }
}
