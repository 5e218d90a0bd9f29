//! The composition root: builds the parts in order, and owns what runs.

use crate::admin::{AdminServer, AdminView, view};
use crate::config::{AdminAddress, Settings, Watch as WatchSetting, limits};
use crate::connection::Timeouts;
use crate::deliver::{EventChain, Upstreams};
use crate::drain::{Drain, Drained};
use crate::event::{Channels, Stores};
use crate::exchange::Exchange;
use crate::listener::Listeners;
use crate::manifest::{self, Diagnostics};
use crate::reload::{self, Loaded, Loader, Sources};
use crate::snapshot::Snapshot;
use crate::status::View;
use crate::telemetry::log::LogLevels;
use crate::telemetry::metrics::EventFigures;
use crate::telemetry::{AccessLog, Telemetry, Tracer};
use crate::upstream::cluster::Cluster;
use crate::upstream::health;
use crate::wasm::Runtime;
use crate::watch::{Mode, Target, Trees, Watch};
use crate::worker::{self, Workers};
use crate::{admission::ConnectionLimits, dns, explain, overload};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Manifests or filters are refused, and nothing is in force that could be kept.
    #[error("{}", .0.summary())]
    Refused(Box<Diagnostics>),
    /// The filter runtime does not start.
    #[error("the filter runtime does not start: {0:#}")]
    Runtime(wasmtime::Error),
    /// Listeners or worker threads are not to be had.
    #[error(transparent)]
    Workers(#[from] worker::StartError),
    /// The admin endpoint is not to be had.
    #[error(transparent)]
    Admin(#[from] crate::admin::AdminError),
    /// Where events are to be kept cannot be used.
    #[error("events cannot be kept: {0}")]
    Events(std::io::Error),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running proxy.
pub struct Proxy {
    workers: Workers,
    channels: Arc<Channels>,
    admin: AdminServer,
    tracer: Tracer,
    _reload: reload::Reload,
    drain_time: Duration,
}

impl Proxy {
    /// Starts everything; what it says of manifests and filters goes to the log.
    pub fn start(settings: Settings, telemetry: Telemetry, levels: LogLevels) -> Result<Self, StartError> {
        worker::reserve(settings.workers);
        let settings = Arc::new(settings);
        let runtime = Arc::new(Runtime::new(Runtime::default_cache()).map_err(StartError::Runtime)?);
        let (watch, trees) = watch(&settings)?;
        let drain = Drain::default();
        let listeners = Listeners::new(settings.workers, drain.clone());
        let names = dns::Names::start(settings.dns, telemetry.metrics.dns().clone())?;
        let mut loader = Loader::new(runtime, telemetry.clone(), Arc::clone(&settings), names, Some(listeners));
        let (first, diagnostics) = loader.load(&sources(&settings, &trees));
        reload::log(&diagnostics);
        let Some(Loaded { snapshot, channels: specs, listeners }) = first.filter(|_| !diagnostics.has_errors()) else {
            return Err(StartError::Refused(Box::new(diagnostics)));
        };
        let (channels, dispatcher) = Channels::new(Stores::start(&settings.events).map_err(StartError::Events)?);
        let events: Arc<dyn EventFigures> = Arc::<Channels>::clone(&channels);
        telemetry.metrics.show_events(Arc::downgrade(&events));
        channels.apply(specs);
        let exchange = Exchange::new(snapshot, Arc::clone(&channels), telemetry.clone(), settings.request_body)
            .with_response_cache(settings.response_cache);
        let exchange = Arc::new(exchange);
        let transport = Upstreams(Arc::clone(&exchange));
        dispatcher.spawn(Arc::new(EventChain(Arc::clone(&exchange))), move || transport)?;
        let (drain_begins, checked) = (drain.signal(), CheckedServices(Arc::clone(&exchange)));
        drain.spawn(async move {
            tokio::select! {
                () = drain_begins => {}
                () = health::run(checked) => {}
            }
        });
        let (drain_begins, watched) = (drain.signal(), Arc::clone(&exchange));
        drain.spawn(async move {
            let policy = || Arc::clone(&watched.snapshot.load().overload);
            tokio::select! {
                () = drain_begins => {}
                () = overload::watch(&watched.overload, policy) => {}
            }
        });
        let workers = Workers::start(&worker_settings(&settings), &exchange, &drain)?;
        let doors = workers.doors();
        doors.apply(listeners);
        let reload = reload::spawn(loader, Arc::clone(&settings), (Arc::clone(&exchange), doors), watch)?;
        let tracer = telemetry.tracer.clone();
        let view: Arc<dyn AdminView> =
            Arc::new(View { exchange, status: Arc::clone(&reload.status), orders: reload.orders.clone(), drain });
        let admin = AdminServer::start(&settings.admin, settings.admin_allow_remote, view, telemetry.metrics, levels)?;
        Ok(Self { workers, channels, admin, tracer, _reload: reload, drain_time: settings.drain })
    }

    /// Where it takes requests.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.workers.addresses
    }

    /// Where its admin endpoint is.
    pub fn admin(&self) -> &AdminAddress {
        self.admin.address()
    }

    /// Ends everything at once when called while [`Proxy::drain`] waits.
    pub fn drain_handle(&self) -> Drain {
        self.workers.drain_handle()
    }

    /// Takes nothing new in, lets requests and events in flight finish within the settings' time, and ends.
    pub async fn drain(self) -> Drained {
        let drained = self.workers.drain(self.drain_time).await;
        let left = self.channels.drain(self.drain_time).await;
        if left.queued + left.in_flight > 0 {
            tracing::warn!(queued = left.queued, in_flight = left.in_flight, "events were dropped at the end");
        }
        let within = match drained {
            Drained::Completed => limits::TRACES_CLOSE,
            Drained::Aborted(_) => limits::TRACES_CLOSE_AT_ONCE,
        };
        self.tracer.close(within).await;
        drained
    }
}

/// The clusters of the current snapshot, for those who ask endpoints for their health.
struct CheckedServices(Arc<Exchange>);

impl health::Checked for CheckedServices {
    fn generation(&self) -> u64 {
        self.0.snapshot.load().generation
    }

    fn clusters(&self) -> Vec<Cluster> {
        self.0.snapshot.load().registry.clusters().cloned().collect()
    }
}

/// Everything that is wrong with the manifests and filters of the settings, without serving anything.
pub fn check(settings: &Settings) -> Result<Diagnostics, StartError> {
    Ok(load_once(settings)?.1)
}

/// What would become of a request, without serving anything.
pub fn explain(settings: &Settings, request: view::ExplainRequest) -> Result<view::ExplainAnswer, ExplainError> {
    let (snapshot, diagnostics) = load_once(settings)?;
    let snapshot = snapshot.ok_or_else(|| StartError::Refused(Box::new(diagnostics)))?;
    explain::explain(&snapshot, request).map_err(ExplainError::Request)
}

/// The configuration of the settings, to be asked what it would do, without serving anything.
pub fn rehearse(settings: &Settings) -> Result<Snapshot, StartError> {
    let (snapshot, diagnostics) = load_once(settings)?;
    snapshot.filter(|_| !diagnostics.has_errors()).ok_or_else(|| StartError::Refused(Box::new(diagnostics)))
}

/// Why a request is not explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The configuration does not load.
    #[error(transparent)]
    Load(#[from] StartError),
    /// The request is no request.
    #[error("{0}")]
    Request(String),
}

fn load_once(settings: &Settings) -> Result<(Option<Snapshot>, Diagnostics), StartError> {
    // One worker and the thread that asks.
    worker::reserve(1);
    let runtime = Arc::new(Runtime::new(Runtime::default_cache()).map_err(StartError::Runtime)?);
    let telemetry = Telemetry::new(AccessLog::off(), Tracer::off());
    let settings = Arc::new(Settings { workers: 1, ..settings.clone() });
    let names = dns::Names::start(settings.dns, telemetry.metrics.dns().clone())?;
    let mut loader = Loader::new(runtime, telemetry, Arc::clone(&settings), names, None);
    let (only, diagnostics) = loader.load(&Loader::scan(&settings));
    Ok((only.map(|loaded| loaded.snapshot), diagnostics))
}

fn worker_settings(settings: &Settings) -> worker::Settings {
    worker::Settings {
        listen: settings.listen.clone(),
        workers: settings.workers,
        timeouts: Timeouts::default(),
        connections: ConnectionLimits { total: settings.connections, per_address: settings.connections_per_client },
        drain: settings.drain,
    }
}

/// Splits what is watched into what it is: manifests first, then filters.
fn sources(settings: &Settings, trees: &Trees) -> Sources {
    let manifests = settings.manifests.len().min(trees.len());
    let (manifests, filters) = trees.split_at(manifests);
    Sources { manifests: manifests.to_vec(), filters: filters.to_vec() }
}

/// Begins to watch; the function it gives waits for a change for at most so long.
#[allow(clippy::type_complexity, reason = "named once, here")]
fn watch(settings: &Arc<Settings>) -> std::io::Result<(Box<dyn FnMut(Duration) -> Option<Sources> + Send>, Trees)> {
    let mode = match settings.watch {
        WatchSetting::Auto => Mode::Auto,
        WatchSetting::Native => Mode::Native,
        WatchSetting::Poll => Mode::Poll,
        WatchSetting::Off => {
            let Sources { mut manifests, filters } = Loader::scan(settings);
            manifests.extend(filters);
            let wait = |patience| {
                #[allow(clippy::disallowed_methods, reason = "the reload thread has nothing else to do")]
                std::thread::sleep(patience);
                None
            };
            return Ok((Box::new(wait), manifests.into()));
        }
    };
    let manifests =
        settings.manifests.iter().map(|path| Target { path: path.clone(), extensions: manifest::EXTENSIONS });
    let filters = settings.stock_filters.iter().chain(&settings.filters);
    let filters = filters.map(|path| Target { path: path.clone(), extensions: reload::FILTER_FILES });
    let (mut watch, trees) = Watch::start(manifests.chain(filters).collect(), mode)?;
    let settings = Arc::clone(settings);
    Ok((Box::new(move |patience| watch.wait(patience).map(|trees| sources(&settings, &trees))), trees))
}
