//! The settings of event stores.

use super::{Expected, Merge, Written, choice};
use crate::config::events::{
    CHANNEL_SIZE, FileSettings, KafkaSettings, NatsSettings, ServerSettings, ServerTls, StoreChoice, StoreSettings,
};
use crate::config::file::{Events, Kafka, Server, Text};
use crate::config::problem::{Mistake, Origin};
use crate::config::quantity;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Partitions of topics that are made, unless told otherwise: so many proxies can share a subscription, and nobody who
/// needs more has one broker.
const PARTITIONS: usize = 8;

/// How addresses begin that ask for TLS.
const TLS: [&str; 4] = ["tls://", "rediss://", "amqps://", "mqtts://"];

/// What the command line says of where events are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFlags {
    /// `--event-store`.
    pub store: Option<String>,
    /// `--event-directory`.
    pub directory: Option<String>,
    /// `--event-nats`.
    pub nats: Vec<String>,
    /// `--event-redis`.
    pub redis: Option<String>,
    /// `--event-amqp`.
    pub amqp: Option<String>,
    /// `--event-mqtt`.
    pub mqtt: Option<String>,
    /// `--event-kafka`.
    pub kafka: Vec<String>,
}

impl Merge<'_> {
    /// What the command line says, and what the file says.
    pub(super) fn events(&mut self, flags: EventFlags, file: Events) -> StoreSettings {
        let written = self.pick(flags.store.clone(), "--event-store", file.store.clone());
        let origin = written.map(|written| written.origin);
        let default = self.one(flags.store, "--event-store", file.store, choice).unwrap_or_default();
        let bytes = self.written(file.size, quantity::size).unwrap_or(CHANNEL_SIZE);
        let age = self.written(file.age, quantity::duration);
        let history = self.written(file.history, quantity::duration);
        let directory = self.pick(flags.directory, "--event-directory", file.directory);
        let directory = directory.map(|written| self.beside(&written.origin, &written.text));
        let mut one = |flag: Option<String>, name, file: Option<Server>, parse: Parse| {
            let file = file.unwrap_or_default();
            let server = self.one(flag, name, file.server, parse);
            let tls = self.tls([file.ca, file.certificate, file.key], server.iter());
            server.map(|server| ServerSettings { server, bytes, age, history, tls })
        };
        let redis = one(flags.redis, "--event-redis", file.redis, redis_server);
        let amqp = one(flags.amqp, "--event-amqp", file.amqp, amqp_broker);
        let mqtt = one(flags.mqtt, "--event-mqtt", file.mqtt, mqtt_broker);
        let nats = file.nats.unwrap_or_default();
        let servers = self.all(flags.nats, "--event-nats", nats.servers, nats_server);
        let tls = self.tls([nats.ca, nats.certificate, nats.key], servers.iter());
        let replicas = self.written(nats.replicas, quantity::count).unwrap_or(1);
        let nats = NatsSettings { servers, replicas, bytes, age, history, tls };
        let settings = StoreSettings {
            default,
            file: directory.map(|directory| FileSettings { directory, bytes, age }),
            nats: (!nats.servers.is_empty()).then_some(nats),
            redis,
            amqp,
            mqtt,
            kafka: self.kafka(flags.kafka, file.kafka.unwrap_or_default(), age),
        };
        if let (Some(needs), Some(origin), false) = (default.needs(), origin, settings.has(default)) {
            self.lacking(needs, default, origin);
        }
        settings
    }

    /// The files for TLS, which one of the addresses has to ask for.
    fn tls<'s>(&mut self, files: [Option<Text>; 3], mut servers: impl Iterator<Item = &'s String>) -> ServerTls {
        let with_tls = servers.any(|server| TLS.iter().any(|scheme| server.starts_with(scheme)));
        let [ca, certificate, key] = files.map(|file| self.pick(None, "", file));
        if let (Some(first), false) = (ca.as_ref().or(certificate.as_ref()).or(key.as_ref()), with_tls) {
            let help = format!("write the address with one of {}", TLS.join(", "));
            self.problems.add(
                first.origin.clone(),
                "the address asks for no TLS that this is for".to_owned(),
                Some(help),
            );
        }
        if let (Some(one), None) | (None, Some(one)) = (&certificate, &key) {
            let message = "a certificate and its key are given together".to_owned();
            self.problems.add(one.origin.clone(), message, Some("write both `certificate` and `key`".to_owned()));
        }
        let mut existing = |file: Option<Written>| file.and_then(|file| self.existing(file, Expected::File));
        ServerTls { ca: existing(ca), certificate: existing(certificate), key: existing(key) }
    }

    fn kafka(&mut self, flags: Vec<String>, file: Kafka, age: Option<Duration>) -> Option<KafkaSettings> {
        let servers = self.all(flags, "--event-kafka", file.servers, kafka_broker);
        let replicas = self.written(file.replicas, quantity::count).unwrap_or(1);
        let partitions = self.written(file.partitions, quantity::count).unwrap_or(PARTITIONS);
        (!servers.is_empty()).then_some(KafkaSettings { servers, replicas, partitions, age })
    }

    /// Channels are to be in a store that is not there.
    fn lacking(&mut self, (place, lacking, flag): (&str, &str, &str), choice: StoreChoice, origin: Origin) {
        let entry = match choice {
            StoreChoice::Memory | StoreChoice::File => "directory: DIR",
            StoreChoice::Nats => "nats: { servers: ['nats://ADDR:PORT'] }",
            StoreChoice::Redis => "redis: { server: 'redis://ADDR:PORT' }",
            StoreChoice::Amqp => "amqp: { server: 'amqp://ADDR:PORT' }",
            StoreChoice::Mqtt => "mqtt: { server: 'mqtt://ADDR:PORT' }",
            StoreChoice::Kafka => "kafka: { servers: ['ADDR:PORT'] }",
        };
        let help = format!("set `events: {{ {entry} }}` in the configuration file, or give {flag}");
        self.problems.add(origin, format!("events cannot be kept {place} without a {lacking}"), Some(help));
    }

    /// A path that need not be there yet. What the file writes is relative to the file.
    fn beside(&self, origin: &Origin, text: &str) -> PathBuf {
        let base = self.path.parent().filter(|_| matches!(origin, Origin::File { .. }));
        base.unwrap_or(Path::new("")).join(text)
    }
}

/// What reads an address.
type Parse = fn(&str) -> Result<String, Mistake>;

/// An address of a NATS server, as its client takes it.
fn nats_server(text: &str) -> Result<String, Mistake> {
    let known = ["nats://", "tls://"].iter().any(|scheme| text.starts_with(scheme)) || !text.contains("://");
    let good = known && text.parse::<async_nats::ServerAddr>().is_ok();
    address(text, good, "a NATS server", "nats://ADDR:PORT")
}

/// An address of a Redis server, as its client takes it.
fn redis_server(text: &str) -> Result<String, Mistake> {
    let known = ["redis://", "rediss://"].iter().any(|scheme| text.starts_with(scheme));
    address(text, known && redis::parse_redis_url(text).is_some(), "a Redis server", "redis://ADDR:PORT")
}

/// An address of a RabbitMQ broker, as its client takes it.
fn amqp_broker(text: &str) -> Result<String, Mistake> {
    let known = ["amqp://", "amqps://"].iter().any(|scheme| text.starts_with(scheme));
    let good = known && text.parse::<lapin::uri::AMQPUri>().is_ok();
    address(text, good, "a RabbitMQ broker", "amqp://USER:PASSWORD@ADDR:PORT/VHOST")
}

/// An address of an MQTT broker.
fn mqtt_broker(text: &str) -> Result<String, Mistake> {
    let uri: Option<http::Uri> = text.parse().ok();
    let known = |uri: &http::Uri| matches!(uri.scheme_str(), Some("mqtt" | "mqtts"));
    let good = uri.is_some_and(|uri| known(&uri) && uri.host().is_some() && uri.path() == "/");
    address(text, good, "an MQTT broker", "mqtt://ADDR:PORT")
}

/// An address of a Kafka broker.
fn kafka_broker(text: &str) -> Result<String, Mistake> {
    if !cfg!(feature = "kafka") {
        let help = "build it with `--features kafka`, which takes a C compiler";
        return Err(Mistake::with_help("this build cannot keep events on Kafka brokers", help));
    }
    let parts = text.rsplit_once(':').filter(|(host, port)| !host.contains("://") && port.parse::<u16>().is_ok());
    address(text, parts.is_some_and(|(host, _)| !host.is_empty()), "a Kafka broker", "ADDR:PORT")
}

fn address(text: &str, good: bool, of: &str, form: &str) -> Result<String, Mistake> {
    if good {
        return Ok(text.to_owned());
    }
    // What stands before an `@` may be a password.
    let shown = text.rsplit_once('@').map_or(text, |(_, shown)| shown);
    Err(Mistake::with_help(format!("`{shown}` is no address of {of}"), format!("write `{form}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Settings};
    use std::time::Duration;

    fn load(text: &str, flags: Flags) -> Result<(StoreSettings, PathBuf), String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sluicegate.yaml");
        std::fs::write(&path, text).unwrap();
        let settings = Settings::load(Some(&path), flags).map_err(|problems| problems.to_string())?;
        Ok((settings.events, directory.path().to_owned()))
    }

    #[test]
    fn events_are_in_memory_unless_the_configuration_says_otherwise() {
        assert_eq!(load("", Flags::default()).unwrap().0, StoreSettings::default());
        let text = "events: { store: file, directory: kept, size: 2MiB, age: 7d }";
        let (settings, base) = load(text, Flags::default()).unwrap();
        let age = Some(Duration::from_hours(7 * 24));
        assert_eq!(settings.file, Some(FileSettings { directory: base.join("kept"), bytes: 2 << 20, age }));
        assert_eq!((settings.default, settings.missing(None)), (StoreChoice::File, None));
        let nats = load("events: {nats: {servers: ['nats://127.0.0.1:4222'], replicas: 3}}", Flags::default());
        let nats = nats.unwrap().0.nats.unwrap();
        assert_eq!((nats.servers, nats.replicas, nats.bytes), (vec!["nats://127.0.0.1:4222".into()], 3, CHANNEL_SIZE));
        let events = EventFlags { directory: Some("/there".into()), ..EventFlags::default() };
        let flags = Flags { events, ..Flags::default() };
        assert_eq!(load(text, flags).unwrap().0.file.unwrap().directory, Path::new("/there"));
    }

    #[test]
    fn servers_have_the_bounds_of_all_channels() {
        let text = "events: {size: 1MiB, redis: {server: 'redis://:secret@127.0.0.1'}, amqp: {server: 'amqp://h/%2f'}}";
        let settings = load(text, Flags::default()).unwrap().0;
        let redis = settings.redis.clone().unwrap();
        assert_eq!((redis.server.as_str(), redis.bytes, redis.age), ("redis://:secret@127.0.0.1", 1 << 20, None));
        assert!(!format!("{settings:?}").contains("secret"));
        assert_eq!(settings.amqp.unwrap().server, "amqp://h/%2f");
        let events = EventFlags { mqtt: Some("mqtt://me:secret@h:1884".into()), ..EventFlags::default() };
        let settings = load("", Flags { events, ..Flags::default() }).unwrap().0;
        assert_eq!(settings.mqtt.unwrap().server, "mqtt://me:secret@h:1884");
    }

    #[test]
    fn servers_with_tls_have_files_of_their_own_beside_the_configuration() {
        let own = std::env::current_exe().unwrap();
        let file = own.display();
        let text = format!(
            "events: {{history: 1d, amqp: {{server: 'amqps://x', ca: {file}}}, mqtt: {{server: 'mqtts://x', certificate: \
             {file}, key: {file}}}, redis: {{server: 'rediss://x'}}}}"
        );
        let settings = load(&text, Flags::default()).unwrap().0;
        let amqp = settings.amqp.unwrap();
        assert_eq!((amqp.tls.ca, amqp.history), (Some(own.clone()), Some(Duration::from_hours(24))));
        let mqtt = settings.mqtt.unwrap().tls;
        assert_eq!(mqtt, ServerTls { ca: None, certificate: Some(own.clone()), key: Some(own) });
        assert_eq!(settings.redis.unwrap().tls, ServerTls::default());
    }

    #[test]
    fn mistakes_have_positions() {
        for (text, expected) in [
            (
                "events:\n  store: file\n",
                "sluicegate.yaml:2:10: error: events cannot be kept in files without a directory for them",
            ),
            (
                "events:\n  store: flie\n",
                "sluicegate.yaml:2:10: error: `flie` is none of memory, file, nats, redis, amqp, mqtt, kafka",
            ),
            ("events:\n  store: nats\n", "sluicegate.yaml:2:10: error: events cannot be kept on a NATS server"),
            (
                "events:\n  store: amqp\n",
                "sluicegate.yaml:2:10: error: events cannot be kept on a RabbitMQ broker without a broker",
            ),
            ("events:\n  redis: {server: 'http://x'}\n", "error: `http://x` is no address of a Redis server"),
            ("events:\n  amqp: {server: 'http://me:secret@x'}\n", "error: `x` is no address of a RabbitMQ broker"),
            (
                "events:\n  amqp: {server: 'amqp://x', ca: ca.pem}\n",
                "sluicegate.yaml:2:34: error: the address asks for no TLS that this is for",
            ),
            (
                "events:\n  nats: {servers: ['tls://x'], certificate: a.pem}\n",
                "error: a certificate and its key are given together",
            ),
            ("events:\n  mqtt: {server: 'mqtts://x', ca: absent.pem}\n", "absent.pem"),
            (
                "events:\n  mqtt: {server: '127.0.0.1:1883'}\n",
                "error: `127.0.0.1:1883` is no address of an MQTT broker",
            ),
            ("events:\n  mqtt: {servers: []}\n", "error: unknown key `servers`"),
            ("events:\n  nats: {servers: ['http://x:1']}\n", "error: `http://x:1` is no address of a NATS server"),
            ("events:\n  size: big\n", "sluicegate.yaml:2:9: error: `big` is not a size"),
            ("events:\n  stroe: file\n", "sluicegate.yaml:2:3: error: unknown key `stroe`"),
        ] {
            let problems = load(text, Flags::default()).unwrap_err();
            assert!(problems.contains(expected), "{problems}");
        }
        let events = EventFlags { store: Some("file".into()), ..EventFlags::default() };
        let flags = Flags { events, ..Flags::default() };
        assert!(load("", flags).unwrap_err().contains("--event-store: error: events cannot be kept"));
    }

    #[test]
    fn a_channel_that_asks_for_what_is_not_there_is_told() {
        let settings = StoreSettings::default();
        assert_eq!((settings.missing(None), settings.missing(Some(StoreChoice::Memory))), (None, None));
        for (choice, flag) in [(StoreChoice::File, "--event-directory"), (StoreChoice::Mqtt, "--event-mqtt")] {
            assert!(settings.missing(Some(choice)).unwrap().ends_with(flag));
        }
    }
}
