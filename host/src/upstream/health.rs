//! Asks endpoints whether they are well, as `HealthCheck` documents say.
//!
//! One task does it for the whole process, off the workers. What it finds stands in the endpoints' states, beside their
//! ejections; whoever picks an endpoint looks at both.

mod probe;
#[cfg(test)]
mod tests;

use super::alternatives::Alternatives;
use super::cluster::Cluster;
use super::connect::Setup;
use super::member::Member;
use super::policy::HealthCheck;
use super::state::{ClusterKey, EndpointState, Health};
use super::wire::Wire;
use crate::config::limits;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use probe::Doubt;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// The clusters that are in force.
pub trait Checked: Send + 'static {
    /// Changes with every change of the clusters.
    fn generation(&self) -> u64;
    /// All clusters; those without checks are passed over.
    fn clusters(&self) -> Vec<Cluster>;
}

type Key = (ClusterKey, SocketAddr);

/// An endpoint that is asked.
struct Patient {
    check: Arc<HealthCheck>,
    wire: Option<Wire>,
    state: Arc<EndpointState>,
    alternatives: Option<Arc<Alternatives>>,
    due: Instant,
    asked: bool,
    good: u32,
    bad: u32,
}

/// Asks for as long as it is polled.
pub async fn run(checked: impl Checked) {
    let mut generation = None;
    let mut patients: HashMap<Key, Patient> = HashMap::new();
    let mut running = FuturesUnordered::new();
    loop {
        if generation != Some(checked.generation()) {
            generation = Some(checked.generation());
            admit(&mut patients, &checked.clusters());
        }
        let now = Instant::now();
        for (key, patient) in patients.iter_mut().filter(|(_, patient)| !patient.asked && patient.due <= now) {
            if running.len() >= limits::HEALTH_PROBES {
                break;
            }
            patient.asked = true;
            running.push(ask(
                key.clone(),
                Arc::clone(&patient.check),
                patient.wire.clone(),
                patient.alternatives.clone(),
            ));
        }
        let due = patients.values().filter(|patient| !patient.asked).map(|patient| patient.due).min();
        // One that is due but has to wait for others is looked at when one of them is done.
        let look = now + limits::HEALTH_LOOK;
        let wake = due.filter(|due| *due > now).map_or(look, |due| due.min(look));
        tokio::select! {
            Some((key, check, answer)) = running.next() => {
                if let Some(patient) = patients.get_mut(&key).filter(|patient| Arc::ptr_eq(&patient.check, &check)) {
                    patient.judge(&key, answer);
                }
            }
            () = sleep_until(wake) => {}
        }
    }
}

async fn ask(
    key: Key,
    check: Arc<HealthCheck>,
    wire: Option<Wire>,
    alternatives: Option<Arc<Alternatives>>,
) -> (Key, Arc<HealthCheck>, Result<(), Doubt>) {
    let setup = Setup { alternatives, tls: wire.as_ref().and_then(|wire| wire.tls.clone()), ..Setup::default() };
    let answer = probe::ask(key.1, &key.0.service, &check, wire.as_ref(), setup).await;
    (key, check, answer)
}

/// Takes up new endpoints and lets go of those that are gone. Who stays and has the same check keeps its count, and the
/// answer that is on its way.
fn admit(patients: &mut HashMap<Key, Patient>, clusters: &[Cluster]) {
    let mut before = std::mem::take(patients);
    for cluster in clusters.iter().filter(|cluster| cluster.key().subset.is_none()) {
        let Some(check) = cluster.checks().first() else { continue };
        for member in cluster.members() {
            let key = (cluster.key().clone(), member.endpoint.address);
            let known = before.remove(&key).filter(|known| Arc::ptr_eq(&known.state, &member.state));
            let (wire, alternatives) = (cluster.wire().cloned(), member.endpoint.alternatives.clone());
            let patient = match known {
                Some(known) if known.check == *check => known.kept(wire, alternatives),
                _ => Patient::new(check, wire, member),
            };
            patients.insert(key, patient);
        }
    }
    for gone in before.into_values() {
        gone.state.set_health(Health::Unchecked);
    }
}

impl Patient {
    fn new(check: &Arc<HealthCheck>, wire: Option<Wire>, member: &Member) -> Self {
        let (check, state, alternatives) =
            (Arc::clone(check), Arc::clone(&member.state), member.endpoint.alternatives.clone());
        Self { check, wire, state, alternatives, due: Instant::now(), asked: false, good: 0, bad: 0 }
    }

    /// The same, after a reload.
    fn kept(self, wire: Option<Wire>, alternatives: Option<Arc<Alternatives>>) -> Self {
        if self.wire == wire {
            return Self { alternatives, ..self };
        }
        // What is on its way answers another question. It is told by its check, so this one gets a copy.
        let check = Arc::new(HealthCheck::clone(&self.check));
        Self { check, wire, alternatives, asked: false, ..self }
    }

    fn judge(&mut self, key: &Key, answer: Result<(), Doubt>) {
        self.asked = false;
        // A tenth of spread, so that endpoints are not all asked at the same time.
        self.due = Instant::now() + self.check.interval.mul_f64(0.95 + 0.1 * fastrand::f64());
        let before = self.state.health();
        match answer {
            Ok(()) => {
                (self.good, self.bad) = (self.good.saturating_add(1), 0);
                let well = before == Health::Unchecked || self.good >= self.check.healthy_threshold;
                if well && before != Health::Healthy {
                    self.state.set_health(Health::Healthy);
                    tracing::info!(service = &*key.0.service, endpoint = %key.1, "an endpoint is well");
                }
            }
            Err(Doubt::NotAsked(reason)) => {
                tracing::debug!(service = &*key.0.service, endpoint = %key.1, "an endpoint is not asked: {reason}");
            }
            Err(Doubt::Unwell(reason)) => {
                (self.good, self.bad) = (0, self.bad.saturating_add(1));
                if self.bad >= self.check.unhealthy_threshold && before != Health::Unhealthy {
                    self.state.set_reason(&reason);
                    self.state.set_health(Health::Unhealthy);
                    tracing::warn!(service = &*key.0.service, endpoint = %key.1, "an endpoint is not well: {reason}");
                }
            }
        }
    }
}
