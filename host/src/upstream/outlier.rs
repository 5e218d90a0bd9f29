//! Leaves endpoints out for their failures, and lets them back.
//!
//! What is counted, and for how long an endpoint goes, is the business of its [`Record`](super::record::Record). There
//! is no timer: whoever looks at an endpoint compares times.

use super::cluster::Cluster;
use super::member::Member;
use super::policy::OutlierDetection;
use super::record::Verdict;
use super::state::{self, EndpointState};
use std::sync::PoisonError;

/// Takes note of how an exchange with an endpoint ended.
pub(super) fn observe(cluster: &Cluster, member: &Member, verdict: Verdict) {
    let Some(policy) = &cluster.policy().outlier else { return };
    let Some(cause) = member.state.record.count(policy, verdict) else { return };
    let _one_at_a_time = cluster.state().ejecting.lock().unwrap_or_else(PoisonError::into_inner);
    let now = state::now();
    if is_ejected(&member.state, now) || !may_eject(cluster, policy, now) {
        return;
    }
    member.state.set_reason(&format!("too many {cause} in a row"));
    let until = member.state.record.eject(policy, now);
    member.state.returns(until);
    tracing::warn!(
        service = cluster.name(),
        endpoint = %member.endpoint.address,
        milliseconds = until.saturating_sub(now),
        "an endpoint is left out: too many {cause} in a row"
    );
}

fn is_ejected(state: &EndpointState, now: u64) -> bool {
    state.record.ejected_until().is_some_and(|until| until > now)
}

/// Whether one more endpoint may go. One always may.
fn may_eject(cluster: &Cluster, policy: &OutlierDetection, now: u64) -> bool {
    let members = cluster.members();
    let out = members.iter().filter(|member| is_ejected(&member.state, now)).count();
    let most = members.len().saturating_mul(usize::try_from(policy.max_ejection_percent).unwrap_or(usize::MAX));
    out == 0 || out.saturating_add(1).saturating_mul(100) <= most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::policy::Policy;
    use crate::upstream::tests::harness::{cluster_with, port};
    use Verdict::{GatewayError, LocalFailure, ServerError, Success};

    fn cluster(count: u16, outlier: OutlierDetection) -> Cluster {
        cluster_with((1..=count).map(port), Policy { outlier: Some(outlier), ..Policy::default() })
    }

    fn out(cluster: &Cluster) -> usize {
        cluster.members().iter().filter(|member| member.state.out().is_some()).count()
    }

    fn tell(cluster: &Cluster, index: usize, verdicts: impl IntoIterator<Item = Verdict>) {
        verdicts.into_iter().for_each(|verdict| observe(cluster, &cluster.members()[index], verdict));
    }

    #[test]
    fn five_server_errors_in_a_row_put_an_endpoint_out() {
        let cluster = cluster(3, OutlierDetection::default());
        tell(&cluster, 0, [ServerError, GatewayError, LocalFailure, ServerError, Success]);
        tell(&cluster, 0, [ServerError; 4]);
        assert_eq!(out(&cluster), 0, "never five in a row");
        tell(&cluster, 0, [ServerError]);
        assert_eq!(out(&cluster), 1);
        assert_eq!(cluster.members()[0].state.ejections(), 1);
    }

    #[test]
    fn gateway_errors_are_counted_when_asked_for() {
        let policy = OutlierDetection { server_errors: None, gateway_errors: Some(2), ..OutlierDetection::default() };
        let cluster = cluster(3, policy);
        tell(&cluster, 0, [ServerError; 9]);
        tell(&cluster, 0, [GatewayError, ServerError, LocalFailure]);
        assert_eq!(out(&cluster), 0);
        tell(&cluster, 0, [GatewayError]);
        assert_eq!(out(&cluster), 1);
    }

    #[test]
    fn failures_of_the_connection_can_be_counted_apart() {
        let policy = OutlierDetection { split_local: true, local_failures: Some(2), ..OutlierDetection::default() };
        let cluster = cluster(3, policy);
        tell(&cluster, 0, [LocalFailure, ServerError, LocalFailure, GatewayError]);
        assert_eq!(out(&cluster), 0, "a response shows that the connection works");
        tell(&cluster, 0, [LocalFailure, LocalFailure]);
        assert_eq!(out(&cluster), 1);
    }

    #[test]
    fn no_more_than_the_given_share_goes_but_one_always_may() {
        for (percent, expected) in [(10, 1), (50, 2), (100, 4)] {
            let cluster = cluster(4, OutlierDetection { max_ejection_percent: percent, ..OutlierDetection::default() });
            (0..4).for_each(|index| tell(&cluster, index, [ServerError; 5]));
            assert_eq!(out(&cluster), expected, "{percent} %");
        }
    }
}
