//! What is watched for changes.

use crate::config::{Settings, Watch as WatchSetting};
use crate::manifest;
use crate::reload::{self, Loader, Sources};
use crate::watch::{Mode, Target, Trees, Watch};
use std::sync::Arc;
use std::time::Duration;

/// Splits what is watched into what it is: manifests first, then filters.
pub(super) fn sources(settings: &Settings, trees: &Trees) -> Sources {
    let manifests = settings.manifests.len().min(trees.len());
    let (manifests, filters) = trees.split_at(manifests);
    Sources { manifests: manifests.to_vec(), filters: filters.to_vec() }
}

/// Begins to watch; the function it gives waits for a change for at most so long.
#[allow(clippy::type_complexity, reason = "named once, here")]
pub(super) fn watch(
    settings: &Arc<Settings>,
) -> std::io::Result<(Box<dyn FnMut(Duration) -> Option<Sources> + Send>, Trees)> {
    let mode = match settings.watch {
        WatchSetting::Auto => Mode::Auto,
        WatchSetting::Native => Mode::Native,
        WatchSetting::Poll => Mode::Poll,
        WatchSetting::Off => {
            let Sources { mut manifests, filters } = Loader::scan(settings);
            manifests.extend(filters);
            let wait = |patience| {
                #[allow(clippy::disallowed_methods, reason = "the reload thread has nothing else to do")]
                std::thread::sleep(patience);
                None
            };
            return Ok((Box::new(wait), manifests.into()));
        }
    };
    let manifests =
        settings.manifests.iter().map(|path| Target { path: path.clone(), extensions: manifest::EXTENSIONS });
    let filters = settings.stock_filters.iter().chain(&settings.filters);
    let filters = filters.map(|path| Target { path: path.clone(), extensions: reload::FILTER_FILES });
    let (mut watch, trees) = Watch::start(manifests.chain(filters).collect(), mode)?;
    let settings = Arc::clone(settings);
    Ok((Box::new(move |patience| watch.wait(patience).map(|trees| sources(&settings, &trees))), trees))
}
