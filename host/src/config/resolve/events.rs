//! The settings of event stores.

use super::{Merge, choice};
use crate::config::events::{CHANNEL_SIZE, FileSettings, NatsSettings, StoreChoice, StoreSettings};
use crate::config::file::Events;
use crate::config::problem::{Mistake, Origin};
use crate::config::quantity;
use std::path::{Path, PathBuf};

impl Merge<'_> {
    /// `--event-store`, `--event-directory` and `--event-nats`, and what the file says.
    pub(super) fn events(
        &mut self,
        (store, directory, servers): (Option<String>, Option<String>, Vec<String>),
        file: Events,
    ) -> StoreSettings {
        let origin = self.pick(store.clone(), "--event-store", file.store.clone()).map(|written| written.origin);
        let default = self.one(store, "--event-store", file.store, choice).unwrap_or_default();
        let bytes = self.written(file.size, quantity::size).unwrap_or(CHANNEL_SIZE);
        let age = self.written(file.age, quantity::duration);
        let directory = self.pick(directory, "--event-directory", file.directory);
        let directory = directory.map(|written| self.beside(&written.origin, &written.text));
        let nats = file.nats.unwrap_or_default();
        let servers = self.all(servers, "--event-nats", nats.servers, server);
        let replicas = self.written(nats.replicas, quantity::count).unwrap_or(1);
        let settings = StoreSettings {
            default,
            file: directory.map(|directory| FileSettings { directory, bytes, age }),
            nats: (!servers.is_empty()).then_some(NatsSettings { servers, replicas, bytes, age }),
        };
        let lacking = match default {
            StoreChoice::File if settings.file.is_none() => Some((
                "events cannot be kept in files without a directory",
                "set `events: { directory: DIR }` in the configuration file, or give --event-directory",
            )),
            StoreChoice::Nats if settings.nats.is_none() => Some((
                "events cannot be kept on a NATS server without its address",
                "set `events: { nats: { servers: [nats://ADDR:PORT] } }` in the configuration file, or give --event-nats",
            )),
            StoreChoice::Memory | StoreChoice::File | StoreChoice::Nats => None,
        };
        if let (Some((message, help)), Some(origin)) = (lacking, origin) {
            self.problems.add(origin, message, Some(help.to_owned()));
        }
        settings
    }

    /// A path that need not be there yet. What the file writes is relative to the file.
    fn beside(&self, origin: &Origin, text: &str) -> PathBuf {
        let base = self.path.parent().filter(|_| matches!(origin, Origin::File { .. }));
        base.unwrap_or(Path::new("")).join(text)
    }
}

/// An address of a server, as the client of NATS takes it.
fn server(text: &str) -> Result<String, Mistake> {
    let known = ["nats://", "tls://"].iter().any(|scheme| text.starts_with(scheme)) || !text.contains("://");
    match text.parse::<async_nats::ServerAddr>() {
        Ok(_) if known => Ok(text.to_owned()),
        _ => Err(Mistake::with_help(format!("`{text}` is no address of a NATS server"), "write `nats://ADDR:PORT`")),
    }
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
        let flags = Flags { event_directory: Some("/there".into()), ..Flags::default() };
        assert_eq!(load(text, flags).unwrap().0.file.unwrap().directory, Path::new("/there"));
    }

    #[test]
    fn mistakes_have_positions() {
        for (text, expected) in [
            (
                "events:\n  store: file\n",
                "sluicegate.yaml:2:10: error: events cannot be kept in files without a directory",
            ),
            ("events:\n  store: flie\n", "sluicegate.yaml:2:10: error: `flie` is none of memory, file, nats"),
            ("events:\n  store: nats\n", "sluicegate.yaml:2:10: error: events cannot be kept on a NATS server"),
            ("events:\n  nats: {servers: ['http://x:1']}\n", "error: `http://x:1` is no address of a NATS server"),
            ("events:\n  size: big\n", "sluicegate.yaml:2:9: error: `big` is not a size"),
            ("events:\n  stroe: file\n", "sluicegate.yaml:2:3: error: unknown key `stroe`"),
        ] {
            let problems = load(text, Flags::default()).unwrap_err();
            assert!(problems.contains(expected), "{problems}");
        }
        let flags = Flags { event_store: Some("file".into()), ..Flags::default() };
        assert!(load("", flags).unwrap_err().contains("--event-store: error: events cannot be kept"));
    }

    #[test]
    fn a_channel_that_asks_for_what_is_not_there_is_told() {
        let settings = StoreSettings::default();
        assert_eq!((settings.missing(None), settings.missing(Some(StoreChoice::Memory))), (None, None));
        assert!(settings.missing(Some(StoreChoice::File)).unwrap().contains("--event-directory"));
    }
}
