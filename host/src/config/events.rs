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

/// Which stores there are, and which one is meant where nothing else is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreSettings {
    /// For channels that ask for none in particular.
    pub default: StoreChoice,
    /// Files, where the configuration has a directory for them.
    pub file: Option<FileSettings>,
}

impl StoreSettings {
    /// Why a channel cannot be in the store that it asks for, if so.
    pub fn missing(&self, asked: Option<StoreChoice>) -> Option<&'static str> {
        match asked.unwrap_or(self.default) {
            StoreChoice::File if self.file.is_none() => Some(
                "its events are to be kept in files, and the proxy has no directory for them: set --event-directory",
            ),
            StoreChoice::Memory | StoreChoice::File => None,
        }
    }
}
