//! How each server is started.

use super::{Store, free};
use crate::artifact;
use crate::directory::Directory;
use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A server, and what it needs beside itself.
#[derive(Debug)]
pub(super) struct Program {
    store: Store,
    /// Whether it speaks TLS and nothing else, with the files of its directory.
    with_tls: bool,
    distribution: Option<Distribution>,
}

/// Erlang's own ports, and its table of names, which would be one for the whole machine otherwise.
#[derive(Debug)]
struct Distribution {
    port: u16,
    names: u16,
    process: Child,
}

impl Drop for Distribution {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Program {
    pub(super) fn prepare(store: Store, directory: &Directory, with_tls: bool) -> Self {
        if store == Store::Amqp {
            directory.write("plugins", "[].\n");
        }
        Self { store, with_tls, distribution: (store == Store::Amqp).then(Distribution::start) }
    }

    /// Starts it, with its output in a file of the directory.
    pub(super) fn start(&self, address: SocketAddr, directory: &Directory) -> Child {
        let port = address.port().to_string();
        let mut command = match self.store {
            Store::Nats => nats(&port, self.with_tls),
            Store::Redis => redis(&port, self.with_tls),
            Store::Mqtt => mosquitto(&port, directory, self.with_tls),
            Store::Amqp => {
                let distribution = self.distribution.as_ref().expect("it was prepared");
                rabbitmq(address, directory, distribution, self.with_tls)
            }
        };
        let log = File::options().append(true).create(true).open(directory.file("log")).expect("a log can be written");
        command.current_dir(directory.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        command.spawn().expect("the server can be started")
    }
}

fn nats(port: &str, with_tls: bool) -> Command {
    let mut command = Command::new(artifact::peer("nats", "nats-server", "NATS_SERVER"));
    command.args(["--addr", "127.0.0.1", "--port", port, "--jetstream", "--store_dir", "."]);
    if with_tls {
        command.args(["--tlsverify", "--tlscert", "server.pem", "--tlskey", "server.key", "--tlscacert", "ca.pem"]);
    }
    command
}

fn redis(port: &str, with_tls: bool) -> Command {
    let mut command = Command::new(artifact::peer("redis", "redis-server", "REDIS_SERVER"));
    if with_tls {
        command.args(["--port", "0", "--tls-port", port, "--tls-cert-file", "server.pem"]);
        command.args(["--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.pem"]);
    } else {
        command.args(["--port", port]);
    }
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
    command
}

/// All that waits is kept, and written down at the end and with every change; a broker that is killed may still lose some.
const MOSQUITTO: &str = "\
allow_anonymous true
user root
persistence true
persistence_location ./
autosave_on_changes true
autosave_interval 1
max_queued_messages 0
max_inflight_messages 0
";

const MOSQUITTO_TLS: &str = "\
cafile ca.pem
certfile server.pem
keyfile server.key
require_certificate true
";

fn mosquitto(port: &str, directory: &Directory, with_tls: bool) -> Command {
    let tls = if with_tls { MOSQUITTO_TLS } else { "" };
    directory.write("mosquitto.conf", format!("listener {port} 127.0.0.1\n{tls}{MOSQUITTO}"));
    let mut command = Command::new(artifact::peer("mosquitto", "mosquitto", "MOSQUITTO"));
    command.args(["-c", "mosquitto.conf"]);
    command
}

/// TLS and nothing else.
fn rabbitmq_tls(address: SocketAddr, directory: &Directory) -> String {
    let file = |name: &str| directory.file(name).display().to_string();
    let (ca, certificate, key) = (file("ca.pem"), file("server.pem"), file("server.key"));
    format!(
        "listeners.tcp = none
listeners.ssl.1 = {address}
ssl_options.cacertfile = {ca}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
"
    )
}

fn rabbitmq(address: SocketAddr, directory: &Directory, distribution: &Distribution, with_tls: bool) -> Command {
    let port = address.port().to_string();
    if with_tls {
        directory.write("rabbitmq.conf", rabbitmq_tls(address, directory));
    }
    let mut command = Command::new(artifact::peer("rabbitmq", "rabbitmq-server", "RABBITMQ_SERVER"));
    let path = |name: &str| directory.file(name);
    if !with_tls {
        command.env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1").env("RABBITMQ_NODE_PORT", &port);
    }
    command
        // The server takes the place of the script that starts it.
        .env("RUNNING_UNDER_SYSTEMD", "1")
        .env("HOME", directory.path())
        .env("ERL_EPMD_PORT", distribution.names.to_string())
        .env("RABBITMQ_NODENAME", format!("node{port}@localhost"))
        .env("RABBITMQ_DIST_PORT", distribution.port.to_string())
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
        .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
        .env("RABBITMQ_LOG_BASE", path("logs"))
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
        .env("RABBITMQ_CONFIG_FILE", path(if with_tls { "rabbitmq.conf" } else { "none" }))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", path("none-advanced"))
        .env("RABBITMQ_GENERATED_CONFIG_DIR", path("generated"))
        .env("RABBITMQ_CONF_ENV_FILE", path("none-environment"));
    command
}

impl Distribution {
    fn start() -> Self {
        let (port, names) = (free().port(), free().port());
        let mut command = Command::new(artifact::peer("rabbitmq", "epmd", "EPMD"));
        command.args(["-port", &names.to_string(), "-address", "127.0.0.1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { port, names, process: command.spawn().expect("Erlang's table of names can be started") }
    }
}
