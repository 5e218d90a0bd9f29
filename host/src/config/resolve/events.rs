//! The settings of event stores.

use super::{Merge, choice};
use crate::config::events::{CHANNEL_SIZE, FileSettings, StoreChoice, StoreSettings};
use crate::config::file::Events;
use crate::config::problem::Origin;
use crate::config::quantity;
use std::path::{Path, PathBuf};

impl Merge<'_> {
    /// `--event-store` and `--event-directory`, and what the file says.
    pub(super) fn events(
        &mut self,
        (store, directory): (Option<String>, Option<String>),
        file: Events,
    ) -> StoreSettings {
        let origin = self.pick(store.clone(), "--event-store", file.store.clone()).map(|written| written.origin);
        let default = self.one(store, "--event-store", file.store, choice).unwrap_or_default();
        let bytes = self.written(file.size, quantity::size).unwrap_or(CHANNEL_SIZE);
        let age = self.written(file.age, quantity::duration);
        let directory = self.pick(directory, "--event-directory", file.directory);
        let directory = directory.map(|written| self.beside(&written.origin, &written.text));
        let settings =
            StoreSettings { default, file: directory.map(|directory| FileSettings { directory, bytes, age }) };
        if let (StoreChoice::File, None, Some(origin)) = (default, &settings.file, origin) {
            let help = "set `events: { directory: DIR }` in the configuration file, or give --event-directory";
            self.problems.add(origin, "events cannot be kept in files without a directory", Some(help.to_owned()));
        }
        settings
    }

    /// A path that need not be there yet. What the file writes is relative to the file.
    fn beside(&self, origin: &Origin, text: &str) -> PathBuf {
        let base = self.path.parent().filter(|_| matches!(origin, Origin::File { .. }));
        base.unwrap_or(Path::new("")).join(text)
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
            ("events:\n  store: flie\n", "sluicegate.yaml:2:10: error: `flie` is none of memory, file"),
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
