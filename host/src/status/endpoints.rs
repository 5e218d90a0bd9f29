//! Endpoints as operators see them.

use crate::admin::endpoints::{EndpointCondition, EndpointStatus};
use crate::upstream::registry::{Cluster, Endpoint, Readiness, Registry, Service, ServicePort};
use crate::upstream::state::{self, EndpointState, Health, Out};

/// All endpoints of all services, in order.
pub(super) fn all(registry: &Registry) -> Vec<EndpointStatus> {
    let ports = registry.services().flat_map(Service::ways);
    let mut all: Vec<EndpointStatus> = ports
        .flat_map(|(port, all, subsets)| {
            let subsets: Vec<&Cluster> = subsets.collect();
            port.endpoints.iter().map(move |endpoint| status(port, endpoint, all, &subsets))
        })
        .collect();
    all.sort_by(|one, other| (&one.service, one.port, one.address).cmp(&(&other.service, other.port, other.address)));
    all
}

fn status(port: &ServicePort, endpoint: &Endpoint, all: &Cluster, subsets: &[&Cluster]) -> EndpointStatus {
    let place = |cluster: &Cluster| {
        let mut members = cluster.members().iter();
        members.find(|member| member.endpoint.address == endpoint.address).map(|member| member.state.clone())
    };
    let state = place(all);
    let (condition, reason, returns_in) = condition(endpoint, state.as_deref());
    let mut names: Vec<String> = subsets
        .iter()
        .filter(|cluster| place(cluster).is_some())
        .filter_map(|cluster| cluster.key().subset.as_deref().map(str::to_owned))
        .collect();
    names.sort();
    EndpointStatus {
        service: all.name().to_owned(),
        port: port.number,
        address: endpoint.address,
        alternatives: endpoint.alternatives.iter().flat_map(|others| others.addresses()).copied().collect(),
        weight: endpoint.weight,
        labels: endpoint.labels.as_ref().clone(),
        subsets: names,
        state: condition,
        reason,
        returns_in,
        active: state.as_ref().filter(|_| all.is_tracked()).map(|state| state.active()),
        ejections: state.map_or(0, |state| state.ejections()),
    }
}

/// Its state, why it is out, and for how many more milliseconds it is.
fn condition(endpoint: &Endpoint, state: Option<&EndpointState>) -> (EndpointCondition, Option<String>, Option<u64>) {
    let manifest = |condition, reason: &str| (condition, Some(reason.to_owned()), None);
    match (endpoint.readiness, state) {
        (Readiness::NotReady, _) | (Readiness::Ready, None) => {
            manifest(EndpointCondition::NotReady, "its manifest says that it is not ready")
        }
        (Readiness::Terminating, None) => manifest(EndpointCondition::Terminating, "its manifest says that it ends"),
        (_, Some(state)) => match (state.out(), state.health()) {
            (Some(Out::Unhealthy), _) => (EndpointCondition::Unhealthy, Some(state.reason()), None),
            (Some(Out::Ejected(until)), _) => {
                let left = until.saturating_sub(state::now());
                (EndpointCondition::Ejected, Some(state.reason()), Some(left))
            }
            (None, Health::Unchecked) => (EndpointCondition::InUse, None, None),
            (None, _) => (EndpointCondition::Healthy, None, None),
        },
    }
}
