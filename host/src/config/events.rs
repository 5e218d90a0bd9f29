//! Where events are kept, as the program uses it.

use std::path::PathBuf;
use std::time::Duration;

/// What the events of one channel may take unless told otherwise, in bytes: a day of a subscriber's absence at some ten
/// events a second, and small beside a usual disk.
pub const CHANNEL_SIZE: u64 = 1 << 30;

/// Which store keeps the events of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum StoreChoice {
    /// The process. Events are lost with it.
    #[default]
    Memory,
    /// Files of this machine.
    File,
    /// Streams of a NATS server.
    Nats,
}

/// How events are kept in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// The directory of all channels.
    pub directory: PathBuf,
    /// What the events of one channel may take, in bytes: then it takes no more.
    pub bytes: u64,
    /// For how long an event is kept that nobody takes; none keeps it until somebody does.
    pub age: Option<Duration>,
}

/// How events are kept on NATS servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsSettings {
    /// Where the servers of a cluster are, at least one: `nats://ADDR:PORT`.
    pub servers: Vec<String>,
    /// On how many of them each event is.
    pub replicas: usize,
    /// What the events of one channel may take, in bytes: then it takes no more.
    pub bytes: u64,
    /// For how long an event is kept that nobody takes; none keeps it until somebody does.
    pub age: Option<Duration>,
}

/// Which stores there are, and which one is meant where nothing else is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreSettings {
    /// For channels that ask for none in particular.
    pub default: StoreChoice,
    /// Files, where the configuration has a directory for them.
    pub file: Option<FileSettings>,
    /// NATS, where the configuration names a server.
    pub nats: Option<NatsSettings>,
}

impl StoreSettings {
    /// Why a channel cannot be in the store that it asks for, if so.
    pub fn missing(&self, asked: Option<StoreChoice>) -> Option<&'static str> {
        match asked.unwrap_or(self.default) {
            StoreChoice::File if self.file.is_none() => Some(
                "its events are to be kept in files, and the proxy has no directory for them: set --event-directory",
            ),
            StoreChoice::Nats if self.nats.is_none() => {
                Some("its events are to be kept on a NATS server, and the proxy knows of none: set --event-nats")
            }
            StoreChoice::Memory | StoreChoice::File | StoreChoice::Nats => None,
        }
    }
}
