//! What commands need of the composition root. Every call of it from the command line stands here.

use sluicegate::admin::view::{ExplainAnswer, ExplainRequest};
use sluicegate::config::Settings;
use sluicegate::manifest::Diagnostics;
use sluicegate::telemetry::Telemetry;
use sluicegate::telemetry::log::LogLevels;

/// Serves requests until it is asked to end.
pub(crate) fn serve(_settings: Settings, _telemetry: Telemetry, _levels: LogLevels) -> anyhow::Result<()> {
    anyhow::bail!("this build has no proxy to run")
}

/// Everything that is wrong with manifests and filters.
pub(crate) fn check(_settings: &Settings) -> anyhow::Result<Diagnostics> {
    anyhow::bail!("this build has no proxy to check with")
}

/// What would become of a request.
pub(crate) fn explain(_settings: &Settings, _request: ExplainRequest) -> anyhow::Result<ExplainAnswer> {
    anyhow::bail!("this build has no proxy to explain with")
}
