//! What a configuration would do, without serving anything.

use super::StartError;
use crate::admin::view;
use crate::config::Settings;
use crate::manifest::Diagnostics;
use crate::reload::Loader;
use crate::snapshot::Snapshot;
use crate::telemetry::{AccessLog, Telemetry, Tracer};
use crate::wasm::Runtime;
use crate::{dns, explain as explanation, worker};
use std::sync::Arc;

/// Everything that is wrong with the manifests and filters of the settings, without serving anything.
pub fn check(settings: &Settings) -> Result<Diagnostics, StartError> {
    Ok(load_once(settings)?.1)
}

/// What would become of a request, without serving anything.
pub fn explain(settings: &Settings, request: view::ExplainRequest) -> Result<view::ExplainAnswer, ExplainError> {
    let snapshot = rehearse(settings)?;
    explanation::explain(&snapshot, request).map_err(ExplainError::Request)
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
    let runtime = Runtime::new(Runtime::default_cache()).map_err(StartError::Runtime)?;
    let runtime = Arc::new(runtime.with_memory(settings.filter_memory));
    let telemetry = Telemetry::new(AccessLog::off(), Tracer::off());
    let settings = Arc::new(Settings { workers: 1, ..settings.clone() });
    let names = dns::Names::start(settings.dns, telemetry.metrics.dns().clone())?;
    let mut loader = Loader::new(runtime, telemetry, Arc::clone(&settings), names, None);
    let (only, diagnostics) = loader.load(&Loader::scan(&settings));
    Ok((only.map(|loaded| loaded.snapshot), diagnostics))
}
