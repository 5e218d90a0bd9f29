//! What the admin endpoint shows of a running proxy.

mod endpoints;
mod overload;
mod rollout;

use crate::admin::endpoints::EndpointStatus;
use crate::admin::events::{ChannelFiguresStatus, SubscriptionFiguresStatus};
use crate::admin::overload::OverloadStatus;
use crate::admin::reload::ReloadStatus;
use crate::admin::rollout::{FilterActed, FilterAction, FilterHistory, FilterTraps};
use crate::admin::view::{
    AdminView, ChannelStatus, ConfigStatus, DocumentStatus, ExplainAnswer, ExplainRequest, FilterState, FilterStatus,
    GrantStatus, ListenerStatus, PortStatus, Readiness, ServiceStatus,
};
use crate::chain::Link;
use crate::config::limits;
use crate::drain::Drain;
use crate::event::{ChannelStats, Channels, SubscriptionStats};
use crate::exchange::Exchange;
use crate::explain;
use crate::gateway;
use crate::manifest::{self, Document};
use crate::reload::{Orders, Reloads, Status, rfc3339};
use crate::snapshot::Snapshot;
use crate::telemetry::tap::Look;
use crate::wasm::{Bound, Grants, OnFailure};
use arc_swap::ArcSwap;
use clap::ValueEnum;
use std::sync::Arc;

/// Reads the current snapshot and the status of reloads; never on the data path.
pub struct View {
    /// Holds the snapshot.
    pub exchange: Arc<Exchange>,
    /// What reloads have led to.
    pub status: Arc<ArcSwap<Status>>,
    /// For what operators ask.
    pub orders: Orders,
    /// For reloads that they ask for.
    pub reloads: Reloads,
    /// Says when it ends.
    pub drain: Drain,
}

impl AdminView for View {
    fn readiness(&self) -> Readiness {
        Readiness { snapshot: true, draining: self.drain.is_draining() }
    }

    fn filters(&self) -> Vec<FilterStatus> {
        let (snapshot, status) = (self.exchange.snapshot.load_full(), self.status.load_full());
        let active =
            snapshot.chain.links().iter().filter(|link| !link.early).map(|link| active(link, &snapshot, &status));
        let serving = |path: &std::path::Path| snapshot.chain.links().iter().any(|link| link.path == path);
        let refused = status.refused.iter().filter(|(path, _)| !serving(path)).map(|(path, failure)| FilterStatus {
            name: crate::reload::stem(path),
            version: String::new(),
            digest: String::new(),
            origin: path.display().to_string(),
            claims: Vec::new(),
            hooks: Vec::new(),
            reads: Vec::new(),
            capabilities: Vec::new(),
            grants: GrantStatus::default(),
            priority: 0,
            failure: String::new(),
            state: FilterState::Refused,
            since: rfc3339(failure.at),
            last_refusal: Some(failure.view()),
            quarantine: None,
            rollout: None,
        });
        active.chain(refused).collect()
    }

    fn traps(&self, filter: Option<&str>) -> Vec<FilterTraps> {
        rollout::traps(&self.status.load_full(), filter)
    }

    fn act(&self, action: FilterAction, filter: &str) -> Result<FilterActed, String> {
        let done = match action {
            FilterAction::Enable => self.enable(filter)?,
            FilterAction::Promote | FilterAction::Rollback | FilterAction::Pin | FilterAction::Unpin => {
                self.orders.give(action, filter)?
            }
        };
        Ok(FilterActed { filter: filter.to_owned(), done })
    }

    fn history(&self, filter: Option<&str>) -> Vec<FilterHistory> {
        rollout::history(&self.status.load_full(), filter)
    }

    fn reload(&self) -> Result<ReloadStatus, String> {
        let reloaded = self.reloads.wait(limits::RELOAD_ANSWER).map_err(|reason| reason.to_string())?;
        Ok(reloaded.view())
    }

    fn config(&self) -> ConfigStatus {
        let (snapshot, status) = (self.exchange.snapshot.load_full(), self.status.load_full());
        let mut services: Vec<ServiceStatus> = snapshot.registry.services().map(service_status).collect();
        services.sort_by(|one, other| one.name.cmp(&other.name));
        let channel = |stats: ChannelStats| ChannelStatus {
            name: stats.channel,
            subscriptions: stats.subscriptions.into_iter().map(|subscription| subscription.subscription).collect(),
        };
        ConfigStatus {
            generation: snapshot.generation,
            documents: snapshot.documents.iter().map(|document| document_status(document, &snapshot)).collect(),
            services,
            channels: self.exchange.channels.stats().into_iter().map(channel).collect(),
            listeners: status.listeners.iter().map(listener_status).collect(),
            last_reload_success: status.last_success.map(rfc3339),
            last_reload_failure: status.last_failure.as_ref().map(crate::reload::Failure::view),
        }
    }

    fn tap(&self, after: Option<u64>) -> Look {
        self.exchange.telemetry.tap.look(after)
    }

    fn endpoints(&self) -> Vec<EndpointStatus> {
        endpoints::all(&self.exchange.snapshot.load_full().registry)
    }

    fn overload(&self) -> OverloadStatus {
        overload::status(&self.exchange)
    }

    fn events(&self) -> Vec<ChannelFiguresStatus> {
        self.exchange.channels.stats().into_iter().map(channel_figures).collect()
    }

    fn channels(&self) -> Arc<Channels> {
        Arc::clone(&self.exchange.channels)
    }

    fn explain(&self, request: ExplainRequest) -> Result<ExplainAnswer, String> {
        explain::explain(&self.exchange.snapshot.load_full(), request)
    }
}

impl View {
    /// Ends the quarantine of a filter in all its versions that decide.
    fn enable(&self, filter: &str) -> Result<String, String> {
        let snapshot = self.exchange.snapshot.load_full();
        let mut guards = snapshot.chain.guards(filter).peekable();
        if guards.peek().is_none() {
            return Err(format!("there is no filter `{filter}` in force"));
        }
        let released = guards.filter(|guard| guard.release()).count() > 0;
        let done = if released { "it is called again" } else { "it was not in quarantine" };
        tracing::info!(filter, action = "enable", "an operator asked for it: {done}");
        Ok(done.to_owned())
    }
}

fn channel_figures(stats: ChannelStats) -> ChannelFiguresStatus {
    let subscription = |stats: SubscriptionStats| SubscriptionFiguresStatus {
        name: stats.subscription,
        delivered: stats.delivered,
        retried: stats.retried,
        redelivered: stats.redelivered,
        dead_lettered: stats.dead_lettered,
        kept: stats.kept,
        filtered: stats.filtered,
        dropped: stats.dropped,
        queued: stats.queued,
        in_flight: stats.in_flight,
        oldest_milliseconds: stats.oldest.map(|oldest| u64::try_from(oldest.as_millis()).unwrap_or(u64::MAX)),
    };
    let store = stats.store.to_possible_value().map(|value| value.get_name().to_owned());
    ChannelFiguresStatus {
        name: stats.channel,
        store: store.unwrap_or_default(),
        received: stats.received,
        refused: stats.refused,
        unsubscribed: stats.unsubscribed,
        lost: stats.lost,
        listeners: stats.listeners,
        dead_letters: stats.dead_letters,
        evicted: stats.evicted,
        subscriptions: stats.subscriptions.into_iter().map(subscription).collect(),
    }
}

fn active(link: &Link, snapshot: &Snapshot, status: &Status) -> FilterStatus {
    let code = &link.filter.code;
    let refusal = status.refused.get(&link.path);
    let quarantine = rollout::quarantine(&link.filter.guard);
    FilterStatus {
        name: link.filter.name.to_string(),
        version: code.manifest.version.clone(),
        digest: code.hash.to_string(),
        origin: link.path.display().to_string(),
        claims: code.manifest.kinds.iter().map(|kind| format!("{}/{}", kind.group, kind.kind)).collect(),
        hooks: code.hooks.names().into_iter().map(str::to_owned).collect(),
        reads: code.manifest.reads.clone(),
        capabilities: code.manifest.capabilities.clone(),
        grants: grants(&link.filter.settings.grants),
        priority: link.priority,
        failure: match link.filter.settings.failure {
            OnFailure::Closed => "closed".into(),
            OnFailure::Open => "open".into(),
        },
        state: match (&quarantine, refusal) {
            (Some(_), _) => FilterState::Quarantined,
            (None, Some(_)) => FilterState::Outdated,
            (None, None) => FilterState::Active,
        },
        since: rfc3339(status.since.get(&link.path).copied().unwrap_or(snapshot.built)),
        last_refusal: refusal.map(crate::reload::Failure::view),
        quarantine,
        rollout: status.stages.get(&*link.filter.name).map(rollout::stage),
    }
}

fn grants(grants: &Grants) -> GrantStatus {
    GrantStatus {
        forward: grants.names(Bound::Forward),
        call: grants.names(Bound::Call),
        publish: grants.names(Bound::Publish),
    }
}

fn service_status(service: &crate::upstream::registry::Service) -> ServiceStatus {
    let port = |port: &crate::upstream::registry::ServicePort| PortStatus {
        number: port.number,
        name: port.name.clone(),
        endpoints: port
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.readiness != crate::upstream::registry::Readiness::NotReady)
            .map(|endpoint| endpoint.address)
            .collect(),
    };
    ServiceStatus { name: service.name.clone(), ports: service.ports.iter().map(port).collect() }
}

fn listener_status(open: &crate::listener::Open) -> ListenerStatus {
    ListenerStatus {
        name: open.served.name.as_str().to_owned(),
        port: open.served.port.unwrap_or_else(|| open.address.port()),
        address: open.address,
        tls: open.served.tls.is_some(),
    }
}

fn document_status(document: &Document, snapshot: &Snapshot) -> DocumentStatus {
    let claims = |link: &&Link| link.filter.code.manifest.kinds.iter().any(|kind| document.is(&kind.group, &kind.kind));
    let filter = snapshot.chain.links().iter().find(claims).map(|link| link.filter.name.to_string());
    let own = manifest::endpoints::claims(document)
        || gateway::claims(document)
        || crate::overload::document::KIND.is_of(document)
        || document.is("sluicegate.dev", "Filter");
    DocumentStatus {
        api_version: document.api_version.clone(),
        kind: document.kind.clone(),
        namespace: document.namespace.clone(),
        name: document.name.clone(),
        origin: document.origin(),
        claimed_by: filter.or_else(|| own.then(|| "host".to_owned())),
    }
}
