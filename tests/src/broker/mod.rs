//! Real servers that events are kept on, each with a directory of its own.

mod gap;
mod program;

pub use gap::Gap;

use crate::directory::Directory;
use crate::tls::Authority;
use crate::wait::wait_until;
use program::Program;
use rustix::process::{Pid, Signal, kill_process};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::time::Duration;

/// For a server to listen: it reads what it has first, and RabbitMQ takes seconds for that.
const START: Duration = Duration::from_mins(1);

/// What keeps the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// NATS with JetStream.
    Nats,
    /// Redis that appends every change at once.
    Redis,
    /// RabbitMQ, by AMQP.
    Amqp,
    /// Mosquitto, by MQTT 5.
    Mqtt,
}

impl Store {
    /// Shows a promise on each of them, all beside each other: most of the time each waits for something. What fails names its
    /// thread, which is called like the store.
    ///
    /// # Panics
    /// When one of them does not keep it.
    pub fn each(promise: fn(Self)) {
        Self::each_of([Self::Amqp, Self::Nats, Self::Redis, Self::Mqtt], promise);
    }

    /// Shows a promise on each of these.
    ///
    /// # Panics
    /// When one of them does not keep it.
    pub fn each_of(stores: impl IntoIterator<Item = Self>, promise: fn(Self)) {
        std::thread::scope(|scope| {
            for store in stores {
                let thread = std::thread::Builder::new().name(store.name().to_owned());
                thread.spawn_scoped(scope, move || promise(store)).expect("a thread starts");
            }
        });
    }

    /// What the proxy calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Redis => "redis",
            Self::Amqp => "amqp",
            Self::Mqtt => "mqtt",
        }
    }

    /// The arguments of a proxy whose channels are there.
    pub fn arguments(self, address: SocketAddr) -> [String; 4] {
        let name = self.name();
        ["--event-store".into(), name.into(), format!("--event-{name}"), format!("{name}://{address}")]
    }

    /// Its address where it is spoken to over TLS.
    pub fn address_with_tls(self, address: SocketAddr) -> String {
        let scheme = match self {
            Self::Nats => "tls",
            Self::Redis => "rediss",
            Self::Amqp => "amqps",
            Self::Mqtt => "mqtts",
        };
        format!("{scheme}://{address}")
    }
}

/// A server on free ports, which it keeps through restarts. Dropping it kills it.
#[derive(Debug)]
pub struct Broker {
    program: Program,
    address: SocketAddr,
    directory: Directory,
    child: Option<Child>,
}

impl Broker {
    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn start(store: Store) -> Self {
        Self::start_with(store, None)
    }

    /// Starts it with TLS and nothing else: it shows a certificate, and lets in who shows one of the same authority.
    ///
    /// # Panics
    /// When it does not listen.
    #[track_caller]
    pub fn start_with_tls(store: Store, authority: &Authority) -> Self {
        Self::start_with(store, Some(authority))
    }

    #[track_caller]
    fn start_with(store: Store, authority: Option<&Authority>) -> Self {
        let (address, directory) = (free(), Directory::new());
        if let Some(authority) = authority {
            let pair = authority.issue(&["127.0.0.1"]);
            for (file, text) in
                [("ca.pem", authority.certificate()), ("server.pem", pair.certificate), ("server.key", pair.key)]
            {
                directory.write(file, text);
            }
        }
        let program = Program::prepare(store, &directory, authority.is_some());
        let mut broker = Self { program, address, directory, child: None };
        broker.restart();
        broker
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it; what it has stored stays.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only when it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Panics
    /// When it does not run.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
        if let Some(mut child) = self.child.take() {
            wait_until(START, || matches!(child.try_wait(), Ok(Some(_))));
        }
    }

    /// Has it answer nothing, with its connections open.
    ///
    /// # Panics
    /// When it does not run, or does not stop.
    #[track_caller]
    pub fn hang(&self) {
        self.signal(Signal::STOP);
        // Its threads stop one after the other.
        wait_until(START, || self.threads().iter().all(|stat| stat.contains(") T ")));
    }

    /// Has it go on after [`hang`](Self::hang).
    ///
    /// # Panics
    /// When it does not run.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Starts it again.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        wait_until(START, || {
            // It ends where something else has its port for a moment, as any connection may.
            if self.child.as_mut().is_none_or(|child| matches!(child.try_wait(), Ok(Some(_)))) {
                self.child = Some(self.program.start(self.address, &self.directory));
            }
            TcpStream::connect(self.address).is_ok()
        });
    }

    /// What the system says of each of its threads.
    fn threads(&self) -> Vec<String> {
        let child = self.child.as_ref().expect("the server runs");
        let threads = std::fs::read_dir(format!("/proc/{}/task", child.id())).expect("the server runs");
        let stat =
            |thread: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok();
        threads.filter_map(stat).collect()
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the server runs");
        kill_process(Pid::from_child(child), signal).expect("the server runs");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An address that nobody listens on.
fn free() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a port is free")
}
