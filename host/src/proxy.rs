//! The composition root: builds the parts in order, and owns what runs.

mod rehearsal;
mod succession;
mod watching;

pub use rehearsal::{ExplainError, check, explain, rehearse};

use crate::admin::{AdminServer, AdminSocket, AdminView};
use crate::allocator;
use crate::config::{AdminAddress, Settings, limits};
use crate::connection::Timeouts;
use crate::deliver::{EventChain, Upstreams};
use crate::drain::{Drain, Drained};
use crate::event::{Channels, Stores};
use crate::exchange::Exchange;
use crate::listener::{Inherited, Listeners};
use crate::manifest::Diagnostics;
use crate::reload::{self, Loaded, Loader, Reloads};
use crate::status::View;
use crate::take_over::TakeOverError;
use crate::telemetry::log::LogLevels;
use crate::telemetry::metrics::EventFigures;
use crate::telemetry::{AccessLog, Telemetry, Tracer};
use crate::upstream::cluster::Cluster;
use crate::upstream::health;
use crate::wasm::Runtime;
use crate::worker::{self, Workers};
use crate::{admission::ConnectionLimits, dns, overload};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use succession::Place;
use tokio_util::sync::CancellationToken;

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
    /// A process is there that does not hand over.
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
    /// The place to wait for the next process cannot be had.
    #[error("the socket {} for the next process cannot be had: {reason}", path.display())]
    TakeOverSocket {
        /// The path.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
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
    access: AccessLog,
    reload: reload::Reload,
    drain_time: Duration,
    at_once: CancellationToken,
    inherited: Inherited,
    place: Place,
}

/// Ends a proxy at once whose [`Proxy::drain`] waits.
#[derive(Debug, Clone)]
pub struct End {
    drain: Drain,
    at_once: CancellationToken,
}

impl End {
    /// Aborts what is in flight.
    pub fn now(&self) {
        self.at_once.cancel();
        self.drain.abort();
    }
}

impl Proxy {
    /// Starts everything; what it says of manifests and filters goes to the log. Listening sockets that are inherited are used.
    /// A process whose place it takes serves until [`Proxy::serves`].
    pub fn start(
        settings: Settings,
        telemetry: Telemetry,
        levels: LogLevels,
        inherited: Inherited,
    ) -> Result<Self, StartError> {
        let place = Place::find(&settings, &inherited)?;
        worker::reserve(settings.workers);
        let settings = Arc::new(settings);
        let runtime = Runtime::new(Runtime::default_cache()).map_err(StartError::Runtime)?;
        let runtime = Arc::new(runtime.with_memory(settings.filter_memory));
        let (watch, trees) = watching::watch(&settings)?;
        let drain = Drain::default();
        let listeners = Listeners::new(settings.workers, drain.clone(), inherited.clone());
        let names = dns::Names::start(settings.dns, telemetry.metrics.dns().clone())?;
        let mut loader = Loader::new(runtime, telemetry.clone(), Arc::clone(&settings), names, Some(listeners));
        let sources = watching::sources(&settings, &trees);
        let (first, diagnostics) = loader.load(&sources);
        reload::log(&diagnostics);
        let Some(Loaded { snapshot, channels: specs, listeners }) = first.filter(|_| !diagnostics.has_errors()) else {
            return Err(StartError::Refused(Box::new(diagnostics)));
        };
        let socket = AdminSocket::bind(&settings.admin, &inherited)?;
        place.prepared()?;
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
        let workers = Workers::start(&worker_settings(&settings), &exchange, &drain, &inherited)?;
        let doors = workers.doors();
        doors.apply(listeners);
        let reload = reload::spawn((loader, sources), Arc::clone(&settings), (Arc::clone(&exchange), doors), watch)?;
        let (tracer, access) = (telemetry.tracer.clone(), telemetry.access.clone());
        let (status, orders, reloads) = (Arc::clone(&reload.status), reload.orders.clone(), reload.reloads.clone());
        let view: Arc<dyn AdminView> = Arc::new(View { exchange, status, orders, reloads, drain });
        let admin = AdminServer::start(socket, settings.admin_allow_remote, view, telemetry.metrics, levels)?;
        let (drain_time, at_once) = (settings.drain, CancellationToken::new());
        // What the first load took is not needed any more.
        allocator::give_back();
        Ok(Self { workers, channels, admin, tracer, access, reload, drain_time, at_once, inherited, place })
    }

    /// Where it takes requests.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.workers.addresses
    }

    /// Where its admin endpoint is.
    pub fn admin(&self) -> &AdminAddress {
        self.admin.address()
    }

    /// Ends everything at once when asked to while [`Proxy::drain`] waits.
    pub fn end(&self) -> End {
        End { drain: self.workers.drain_handle(), at_once: self.at_once.clone() }
    }

    /// Reads the directories anew, and opens the file of the access log anew; the log says what came of it.
    pub fn reload(&self) {
        if let Err(reason) = self.reopen_log().ask() {
            tracing::error!("nothing is reloaded: {reason}");
        }
    }

    /// Opens the file of the access log anew, and gives a way to ask for the rest of a reload.
    pub fn reopen_log(&self) -> Reloads {
        self.access.reopen();
        self.reload.reloads.clone()
    }

    /// Takes nothing new in, lets requests and events in flight finish within the settings' time, and ends.
    pub async fn drain(self) -> Drained {
        if self.place.is_of_another() {
            // The process that is there serves on, and with what only one can have, however long it takes to end here.
            self.channels.release(limits::RELEASE_DELIVERIES).await;
        }
        // Whoever comes now finds nobody to take over from, and listens itself.
        drop(self.place);
        let began = Instant::now();
        let drained = self.workers.drain(self.drain_time).await;
        let left_time = self.drain_time.saturating_sub(began.elapsed()).max(limits::LAST_EVENTS);
        let left = tokio::select! {
            biased;
            () = self.at_once.cancelled() => self.channels.drain(Duration::ZERO).await,
            left = self.channels.drain(left_time) => left,
        };
        if left.queued + left.in_flight > 0 {
            tracing::warn!(queued = left.queued, in_flight = left.in_flight, "events were dropped at the end");
        }
        let within = match drained {
            Drained::Completed => limits::TRACES_CLOSE,
            Drained::Aborted(_) => limits::TRACES_CLOSE_AT_ONCE,
        };
        self.tracer.close(within).await;
        self.access.close();
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

fn worker_settings(settings: &Settings) -> worker::Settings {
    worker::Settings {
        listen: settings.listen.clone(),
        workers: settings.workers,
        timeouts: Timeouts {
            last_request: limits::LAST_REQUEST.min(settings.drain / limits::LAST_REQUEST_SHARE),
            ..Timeouts::default()
        },
        connections: ConnectionLimits { total: settings.connections, per_address: settings.connections_per_client },
        drain: settings.drain,
    }
}
