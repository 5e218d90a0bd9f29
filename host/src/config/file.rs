//! `sluicegate.yaml` as it is written.
//!
//! Every value is kept as text with its position and is understood by [`super::resolve`], so that all wrong values
//! are reported at once. What stands here is the shape alone.

use super::problem::{Origin, Problems, did_you_mean};
use serde::Deserialize;
use serde_saphyr::{Error, Spanned};
use std::collections::BTreeMap;
use std::path::Path;

/// So many entries of a wrong shape are reported: whoever has more has another kind of file.
const WRONG_SHAPES: usize = 20;

/// A value as written, with its position.
pub type Text = Spanned<String>;

/// The file. Every entry is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// Addresses that take requests.
    pub listen: Option<Vec<Text>>,
    /// Addresses that take requests over TLS.
    pub listen_tls: Option<Vec<Text>>,
    /// The certificate for them, with its chain: a PEM file.
    pub tls_certificate: Option<Text>,
    /// The key of the certificate: a PEM file.
    pub tls_key: Option<Text>,
    /// Where the ports of Gateway documents are listened on, each `PORT=PORT` or `PORT=ADDR:PORT`.
    pub gateway_ports: Option<Vec<Text>>,
    /// The admin endpoint.
    pub admin: Option<Admin>,
    /// Directories of manifests.
    pub manifests: Option<Vec<Text>>,
    /// The directory of filters.
    pub filters: Option<Text>,
    /// The directory of the filters that come with the proxy.
    pub stock_filters: Option<Text>,
    /// Public keys that filters are signed by: PEM files.
    pub filter_keys: Option<Vec<Text>>,
    /// Whether a filter that none of them has signed is refused.
    pub require_signature: Option<Text>,
    /// Static endpoints, each `NAME[:PORT]=ADDR:PORT`.
    pub upstreams: Option<Vec<Text>>,
    /// The namespace of names that give none.
    pub namespace: Option<Text>,
    /// What full service names end in.
    pub cluster_domain: Option<Text>,
    /// Threads that serve requests.
    pub workers: Option<Text>,
    /// `json` or `off`.
    pub access_log: Option<Text>,
    /// The file that they are appended to instead of standard output.
    pub access_log_file: Option<Text>,
    /// Log levels, by module: `info,sluicegate::chain=debug`.
    pub log: Option<Text>,
    /// The name server to ask instead of the system's.
    pub dns: Option<Text>,
    /// `auto`, `native`, `poll` or `off`.
    pub watch: Option<Text>,
    /// The Unix socket by which a new process takes the place of the running one.
    pub take_over: Option<Text>,
    /// Where events are kept.
    pub events: Option<Events>,
    /// Where traces go.
    pub tracing: Option<Tracing>,
    /// Limits that operators change.
    pub limits: Option<Limits>,
}

/// The admin endpoint.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Admin {
    /// `ADDR:PORT` or `unix:PATH`.
    pub address: Option<Text>,
    /// Whether an address that other machines reach is meant: the endpoint asks for no password.
    pub allow_remote: Option<Text>,
}

/// Where events are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Events {
    /// The store of channels that ask for none in particular: `memory`, `file`, `nats`, `redis`, `amqp`, `mqtt` or `kafka`.
    pub store: Option<Text>,
    /// The directory of channels in files.
    pub directory: Option<Text>,
    /// What the events of one channel may take in files or on a server.
    pub size: Option<Text>,
    /// For how long events are kept there that nobody takes.
    pub age: Option<Text>,
    /// For how long events stay on NATS and Redis that everybody has taken, to be read back.
    pub history: Option<Text>,
    /// NATS servers.
    pub nats: Option<Nats>,
    /// A Redis server: `redis://ADDR:PORT`.
    pub redis: Option<Server>,
    /// A RabbitMQ broker: `amqp://ADDR:PORT`.
    pub amqp: Option<Server>,
    /// An MQTT broker: `mqtt://ADDR:PORT`.
    pub mqtt: Option<Server>,
    /// Kafka brokers.
    pub kafka: Option<Kafka>,
}

/// One server.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Server {
    /// Where it is.
    pub server: Option<Text>,
    /// With TLS, the authorities to trust instead of the system's: a PEM file.
    pub ca: Option<Text>,
    /// With TLS, the certificate to show: a PEM file.
    pub certificate: Option<Text>,
    /// Its key: a PEM file.
    pub key: Option<Text>,
}

/// Kafka brokers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kafka {
    /// Each `ADDR:PORT`, of one cluster.
    pub servers: Option<Vec<Text>>,
    /// On how many of them each event is, in topics that are made.
    pub replicas: Option<Text>,
    /// How many partitions topics have that are made.
    pub partitions: Option<Text>,
}

/// NATS servers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Nats {
    /// Each `nats://ADDR:PORT`, of one cluster.
    pub servers: Option<Vec<Text>>,
    /// On how many of them each event is.
    pub replicas: Option<Text>,
    /// With TLS, the authorities to trust instead of the system's: a PEM file.
    pub ca: Option<Text>,
    /// With TLS, the certificate to show: a PEM file.
    pub certificate: Option<Text>,
    /// Its key: a PEM file.
    pub key: Option<Text>,
}

/// Where traces go, and which.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tracing {
    /// The collector, which speaks OTLP over HTTP; without a path of its own, spans go to `/v1/traces` there.
    pub endpoint: Option<Text>,
    /// The share of new traces that are kept, from 0 to 1.
    pub ratio: Option<Text>,
    /// Sent with every export.
    pub headers: Option<BTreeMap<String, Text>>,
    /// For one export.
    pub timeout: Option<Text>,
    /// What this service is called.
    pub service_name: Option<Text>,
    /// What else is said of it.
    pub resource_attributes: Option<BTreeMap<String, Text>>,
    /// Whether traces that others began are kept when they say so.
    pub follow_parents: Option<Text>,
    /// Whether every call of a filter has a span.
    pub every_filter: Option<Text>,
}

/// Limits that operators change; all others are constants in [`super::limits`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// For requests in flight when the proxy ends.
    pub drain: Option<Text>,
    /// Connections in total.
    pub connections: Option<Text>,
    /// Connections of one client: an address, of IPv6 the first 64 bits.
    pub connections_per_client: Option<Text>,
    /// The largest request body.
    pub request_body: Option<Text>,
    /// For responses to calls of plans that are kept.
    pub response_cache: Option<Text>,
    /// For the memories of all instances of all filters.
    pub filter_memory: Option<Text>,
}

impl File {
    /// Reads the file. An entry of a wrong shape is noted and left out, so that the rest can still be judged.
    pub fn parse(text: &str, file: &Path, problems: &mut Problems) -> Self {
        let mut text = text.to_owned();
        for _ in 0..WRONG_SHAPES {
            let error = match serde_saphyr::from_str::<Option<Self>>(&text) {
                Ok(parsed) => return parsed.unwrap_or_default(),
                Err(error) => error,
            };
            let error = error.without_snippet();
            let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
            let (message, help) = describe(error);
            problems.add(Origin::File { file: file.to_owned(), line, column }, message, help);
            match leave_out(&text, line).filter(|_| is_shape(error)) {
                Some(rest) => text = rest,
                None => break,
            }
        }
        Self::default()
    }
}

/// Whether the file is good YAML but for one entry.
fn is_shape(error: &Error) -> bool {
    matches!(
        error,
        Error::SerdeUnknownField { .. }
            | Error::SerdeInvalidType { .. }
            | Error::SerdeInvalidValue { .. }
            | Error::Unexpected { .. }
            | Error::NullIntoString { .. }
    )
}

/// What was found and what was expected, and what to do.
fn describe(error: &Error) -> (String, Option<String>) {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), Some(did_you_mean(field, expected)))
        }
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            (format!("found {unexpected}, expected {expected}"), None)
        }
        Error::NullIntoString { .. } => {
            ("an empty value".into(), Some("write a value, or remove the key to have its default".into()))
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key `{key}` is there twice"), Some("keep one of them".into()))
        }
        Error::Unexpected { expected, .. } => (format!("expected {expected}"), None),
        other => {
            let text = other.to_string();
            (text.lines().next().unwrap_or("not valid YAML").to_owned(), None)
        }
    }
}

/// The text with an entry blanked: its line and the more indented ones below it. Lines keep their numbers.
fn leave_out(text: &str, line: u64) -> Option<String> {
    let first = usize::try_from(line).ok()?.checked_sub(1)?;
    let lines: Vec<&str> = text.lines().collect();
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let outer = indentation(lines.get(first).filter(|line| !line.trim().is_empty())?);
    let inner = |line: &&&str| line.trim().is_empty() || indentation(line) > outer;
    let after = first + 1 + lines.iter().skip(first + 1).take_while(inner).count();
    let blanked = |(number, line): (usize, &&str)| if (first..after).contains(&number) { "" } else { *line }.to_owned();
    Some(lines.iter().enumerate().map(blanked).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (File, Vec<String>) {
        let mut problems = Problems::default();
        let file = File::parse(text, Path::new("sluicegate.yaml"), &mut problems);
        (file, problems.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keeps_positions_of_values() {
        let (file, problems) = parse("workers: 4\nlimits:\n  drain: 10s\n");
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(file.workers.unwrap().value, "4");
        let drain = file.limits.unwrap().drain.unwrap();
        assert_eq!((drain.value.as_str(), drain.referenced.line(), drain.referenced.column()), ("10s", 3, 10));
    }

    #[test]
    fn takes_an_empty_file_as_all_defaults() {
        assert!(parse("").1.is_empty());
        assert!(parse("# nothing yet\n").1.is_empty());
    }

    #[test]
    fn proposes_the_key_that_was_meant() {
        let (_, problems) = parse("listen: ['127.0.0.1:1']\nmanifest: [a]\n");
        assert_eq!(problems, ["sluicegate.yaml:2:1: error: unknown key `manifest`\n  help: did you mean `manifests`?"]);
    }

    #[test]
    fn reports_every_wrong_shape_and_keeps_the_rest() {
        let (file, problems) = parse("wrokers: 4\nlimits:\n  drian: 10s\n  connections: 5\nlisten: here\nlog: debug\n");
        assert_eq!(problems.len(), 3, "{problems:#?}");
        assert!(problems[0].starts_with("sluicegate.yaml:1:1:") && problems[0].contains("`workers`"));
        assert!(problems[1].starts_with("sluicegate.yaml:3:3:") && problems[1].contains("`drain`"));
        assert!(problems[2].starts_with("sluicegate.yaml:5:"), "{problems:#?}");
        assert_eq!(file.log.unwrap().value, "debug");
        assert_eq!(file.limits.unwrap().connections.unwrap().value, "5");
    }

    #[test]
    fn names_the_line_of_a_syntax_error() {
        let (_, problems) = parse("listen: [\"127.0.0.1:1\"\nlog: info\n");
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].starts_with("sluicegate.yaml:"), "{problems:#?}");
    }

    #[test]
    fn refuses_a_key_that_is_there_twice() {
        let (_, problems) = parse("log: info\nlog: debug\n");
        assert!(problems[0].contains("the key `log` is there twice"), "{problems:#?}");
    }
}
