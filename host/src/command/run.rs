//! `sluice run`.

use super::composition;
use super::exit::{Failure, Verdict};
use crate::args::Run;
use anyhow::Context;
use sluicegate::config::{AccessLogFormat, Settings, Tracing};
use sluicegate::listener::Inherited;
use sluicegate::proxy::Proxy;
use sluicegate::telemetry::{AccessLog, Telemetry, Tracer, faults, log};

/// Runs the proxy until it is asked to end.
pub(crate) fn run(run: Run) -> Result<Verdict, Failure> {
    // First, while there is one thread.
    let inherited = Inherited::from_environment();
    let ready = run.ready_file.clone();
    let (file, flags) = run.into_flags();
    let settings = Settings::load(file.as_deref(), flags)?;
    serve(settings, inherited, |proxy| ready.map_or(Ok(()), |path| composition::announce(&path, proxy)))?;
    Ok(Verdict::Fine)
}

/// Runs a proxy with these settings until it is asked to end. Calls `listening` once it takes requests.
pub(crate) fn serve(
    settings: Settings,
    inherited: Inherited,
    listening: impl FnOnce(&Proxy) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let levels = log::install(&settings.log, log::Format::detect()).context("the log")?;
    faults::install();
    let access = match settings.access_log {
        AccessLogFormat::Json => match &settings.access_log_file {
            Some(path) => AccessLog::file(path).with_context(|| format!("the access log {}", path.display()))?,
            None => AccessLog::stdout().context("the access log cannot start")?,
        },
        AccessLogFormat::Off => AccessLog::off(),
    };
    let tracer = tracer(&settings.tracing).context("traces cannot be exported")?;
    composition::serve(settings, inherited, (Telemetry::new(access, tracer), levels), listening)
}

/// Where spans begin, if they go anywhere.
fn tracer(settings: &Tracing) -> std::io::Result<Tracer> {
    for reason in &settings.ignored {
        tracing::warn!("{reason}");
    }
    let Some(export) = &settings.export else { return Ok(Tracer::off()) };
    tracing::info!(endpoint = export.shown_endpoint(), "exporting traces");
    Tracer::start(export)
}
