//! `sluice run`.

use super::composition;
use super::exit::{Failure, Verdict};
use crate::args::Run;
use anyhow::Context;
use sluicegate::config::{AccessLogFormat, Settings};
use sluicegate::proxy::Proxy;
use sluicegate::telemetry::{AccessLog, Metrics, Telemetry, log};

/// Runs the proxy until it is asked to end.
pub(crate) fn run(run: Run) -> Result<Verdict, Failure> {
    let ready = run.ready_file.clone();
    let (file, flags) = run.into_flags();
    let settings = Settings::load(file.as_deref(), flags)?;
    serve(settings, |proxy| ready.map_or(Ok(()), |path| composition::announce(&path, proxy)))?;
    Ok(Verdict::Fine)
}

/// Runs a proxy with these settings until it is asked to end. Calls `listening` once it takes requests.
pub(crate) fn serve(settings: Settings, listening: impl FnOnce(&Proxy) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let levels = log::install(&settings.log, log::Format::detect()).context("the log")?;
    let access = match settings.access_log {
        AccessLogFormat::Json => AccessLog::stdout().context("the access log cannot start")?,
        AccessLogFormat::Off => AccessLog::off(),
    };
    let telemetry = Telemetry { metrics: Metrics::new(&access), access };
    composition::serve(settings, telemetry, levels, listening)
}
