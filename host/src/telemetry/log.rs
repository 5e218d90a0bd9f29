//! The proxy's own log: to standard error, for people on a terminal and as JSON otherwise.
//!
//! Access records are not part of it; they go to standard output.

use super::trace;
use std::io::IsTerminal;
use std::sync::Arc;
use tracing::Event;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// For machines: one JSON object a line.
    Json,
}

impl Format {
    /// For people on a terminal, for machines otherwise.
    pub fn detect() -> Self {
        if std::io::stderr().is_terminal() { Self::Human } else { Self::Json }
    }
}

/// Why log levels could not be set.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// They cannot be read.
    #[error("`{levels}` does not name log levels: {reason}; write them like `info,sluicegate::chain=debug`")]
    Levels {
        /// As given.
        levels: String,
        /// What is wrong with them.
        reason: String,
    },
    /// Another log has been installed before, or this one is gone.
    #[error("the log cannot be changed: {0}")]
    Installed(String),
}

/// Changes the levels of a running log. Cheap to clone.
#[derive(Clone)]
pub struct LogLevels(Arc<reload::Handle<EnvFilter, Registry>>);

impl LogLevels {
    /// Logs at these levels from now on, such as `info,sluicegate::chain=debug`.
    ///
    /// # Errors
    /// When they cannot be read; then nothing changes.
    pub fn set(&self, levels: &str) -> Result<(), LogError> {
        self.0.reload(parse(levels)?).map_err(|error| LogError::Installed(error.to_string()))
    }

    /// The levels in force.
    pub fn current(&self) -> String {
        self.0.with_current(ToString::to_string).unwrap_or_default()
    }
}

impl std::fmt::Debug for LogLevels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("LogLevels").field(&self.current()).finish()
    }
}

/// Installs the process's log.
///
/// # Errors
/// When the levels cannot be read, or a log has been installed before.
pub fn install(levels: &str, format: Format) -> Result<LogLevels, LogError> {
    let (subscriber, handle) = subscriber(levels, format, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|error| LogError::Installed(error.to_string()))?;
    Ok(handle)
}

/// A log that is not the process's: tests change its levels without touching one another.
#[cfg(test)]
pub(crate) fn detached(
    levels: &str,
    format: Format,
) -> Result<(Box<dyn tracing::Subscriber + Send + Sync>, LogLevels), LogError> {
    let (subscriber, handle) = subscriber(levels, format, std::io::sink)?;
    Ok((Box::new(subscriber), handle))
}

pub(super) fn subscriber<W>(
    levels: &str,
    format: Format,
    output: W,
) -> Result<(impl tracing::Subscriber + Send + Sync + use<W>, LogLevels), LogError>
where
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(parse(levels)?);
    let layer = fmt::layer().with_writer(output);
    let lines = match format {
        Format::Human => layer.with_ansi(std::env::var_os("NO_COLOR").is_none()).boxed(),
        Format::Json => layer.json().flatten_event(true).with_current_span(false).map_event_format(WithTrace).boxed(),
    };
    Ok((Registry::default().with(filter).with(lines), LogLevels(Arc::new(handle))))
}

/// A line of JSON that names the trace of the request that is worked on, if there is one.
struct WithTrace<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithTrace<F>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> std::fmt::Result {
        let Some(place) = trace::current() else { return self.0.format_event(context, out, event) };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let Some(object) = line.trim_end().strip_suffix('}') else { return out.write_str(&line) };
        out.write_str(object)?;
        place.write(|name, digits| object_field(&mut out, name, digits));
        out.write_str("}\n")
    }
}

/// Writing a line fails only with the writer, which the end of the line will notice.
fn object_field(out: &mut Writer<'_>, name: &str, digits: &str) {
    let _ = write!(out, ",\"{name}\":\"{digits}\"");
}

fn parse(levels: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(levels)
        .map_err(|error| LogError::Levels { levels: levels.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Tracer;
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    pub(in crate::telemetry) struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            std::io::Write::write(&mut *self.0.lock().unwrap(), bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        pub(in crate::telemetry) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn what_is_logged_of_a_request_names_its_trace() {
        let lines = Lines::default();
        let output = lines.clone();
        let (subscriber, _levels) = subscriber("info", Format::Json, move || output.clone()).unwrap();
        let mut headers = http::HeaderMap::new();
        let request = Tracer::collecting(false).request(&mut headers);
        tracing::subscriber::with_default(subscriber, || {
            let entered = request.enter();
            tracing::info!(filter = "router", "within");
            drop(entered);
            tracing::info!("without");
        });
        let lines: Vec<serde_json::Value> =
            lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected = headers["traceparent"].to_str().unwrap();
        let field = |name: &str| lines[0][name].as_str().unwrap().to_owned();
        assert_eq!(format!("00-{}-{}-{}", field("trace_id"), field("span_id"), field("trace_flags")), expected);
        assert_eq!((&lines[0]["filter"], &lines[1]["trace_id"]), (&"router".into(), &serde_json::Value::Null));
    }

    #[test]
    fn levels_change_while_it_runs() {
        let lines = Lines::default();
        let output = lines.clone();
        let (subscriber, levels) = subscriber("warn", Format::Json, move || output.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("before");
            levels.set("warn,sluicegate::telemetry=debug").unwrap();
            tracing::debug!(filter = "router", "after");
            assert!(levels.set("chatty=shout").is_err());
            tracing::debug!("still");
        });
        let text = lines.text();
        assert!(!text.contains("before") && text.contains("still"), "{text}");
        let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((line["message"].as_str(), line["filter"].as_str()), (Some("after"), Some("router")));
    }
}
