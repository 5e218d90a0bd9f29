//! The directory in which the demo's manifests lie.

use anyhow::Context;
use sluicegate_shop::{Addresses, manifests};
use std::path::Path;
use tempfile::TempDir;

/// A fresh directory with the shop's manifests. It goes with this, unless it is to be kept.
#[derive(Debug)]
pub(super) struct Place {
    directory: TempDir,
    kept: bool,
}

impl Place {
    /// Writes the manifests for services at these addresses.
    ///
    /// # Errors
    /// When the system's directory for temporary files cannot be written to.
    pub(super) fn create(addresses: Addresses, keep: bool) -> anyhow::Result<Self> {
        let mut directory = tempfile::Builder::new()
            .prefix("sluice-demo-")
            .tempdir()
            .with_context(|| format!("no directory can be made in {}", std::env::temp_dir().display()))?;
        for manifest in manifests(addresses) {
            let file = directory.path().join(manifest.file);
            std::fs::write(&file, manifest.text).with_context(|| format!("{} cannot be written", file.display()))?;
        }
        directory.disable_cleanup(keep);
        Ok(Self { directory, kept: keep })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Whether it stays when the demo ends.
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(keep: bool) -> Place {
        let local = |port| ([127, 0, 0, 1], port).into();
        Place::create(Addresses { order: local(1), inventory: local(2), product: local(3) }, keep).unwrap()
    }

    #[test]
    fn it_goes_with_whatever_was_added_unless_it_is_kept() {
        for keep in [false, true] {
            let place = create(keep);
            let path = place.path().to_owned();
            std::fs::write(path.join("hello.json"), "{}").unwrap();
            assert!(path.join("services.yaml").is_file());
            drop(place);
            assert_eq!(path.exists(), keep);
            if keep {
                std::fs::remove_dir_all(path).unwrap();
            }
        }
    }
}
