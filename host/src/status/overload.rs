//! Overload as operators see it.

use crate::admin::overload::{AdaptiveStatus, MemoryStatus, OverloadStatus, PriorityStatus, ShedStatus};
use crate::exchange::Exchange;
use crate::overload::{Overload, Policy, memory};
use crate::priority::Priority;
use crate::upstream::limit::Limit;
use crate::upstream::registry::{Cluster, Registry};

pub(super) fn status(exchange: &Exchange) -> OverloadStatus {
    let (snapshot, overload) = (exchange.snapshot.load_full(), &exchange.overload);
    let metrics = exchange.telemetry.metrics.overload();
    let shed = metrics.counts().into_iter().filter(|(_, _, requests)| *requests > 0);
    let shed = shed.map(|(reason, priority, requests)| ShedStatus {
        reason: reason.to_owned(),
        priority: priority.to_owned(),
        requests,
    });
    OverloadStatus {
        in_flight: overload.in_flight(),
        priorities: Priority::ALL.map(|priority| status_of(priority, &snapshot.overload, overload)).to_vec(),
        memory: MemoryStatus {
            used: overload.memory.used(),
            limit: overload.memory.limit(),
            from: snapshot.overload.memory.from,
        },
        clients: overload.clients.len(),
        services: if snapshot.overload.services.is_some() { services(&snapshot.registry) } else { Vec::new() },
        shed: shed.collect(),
        accept_failures: metrics.accept_failures(),
    }
}

fn status_of(priority: Priority, policy: &Policy, overload: &Overload) -> PriorityStatus {
    let refused = memory::refused(overload.memory.pressure(), priority, policy.rules.tell_apart());
    PriorityStatus {
        priority: priority.name().to_owned(),
        requests: policy.room(priority),
        refused_for_memory: refused * 100 / memory::ALL,
    }
}

fn services(registry: &Registry) -> Vec<AdaptiveStatus> {
    let mut all: Vec<AdaptiveStatus> = registry.clusters().filter_map(of_service).collect();
    all.sort_by(|one, other| (&one.service, one.port, &one.subset).cmp(&(&other.service, other.port, &other.subset)));
    all
}

fn of_service(cluster: &Cluster) -> Option<AdaptiveStatus> {
    let (figures, key) = (cluster.state().adaptive()?, cluster.key());
    Some(AdaptiveStatus {
        service: key.service.to_string(),
        port: key.port,
        subset: key.subset.as_deref().map(str::to_owned),
        limit: figures.limit,
        waiting: figures.in_flight,
        baseline_ms: figures.baseline.as_secs_f64() * 1e3,
        latency_ms: figures.latency.as_secs_f64() * 1e3,
        refused: cluster.state().overflows(Limit::Adaptive),
    })
}
