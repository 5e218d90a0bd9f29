//! Whether a component is the one that the operator means: its digest, and who has signed it.

use super::load::Loader;
use super::policy::FilterPolicy;
use crate::gateway::Files;
use crate::manifest::{Diagnostic, Diagnostics, Location, codes};
use crate::wasm::engine::ContentHash;
use crate::wasm::signature::{self, Key, SignatureError};
use crate::watch::Tree;
use std::path::Path;

/// Why a component is not taken, though it may be a good one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stranger {
    /// It has another digest than its document says.
    #[error("it is sha256:{found}, and its Filter document says `digest: {pinned}`")]
    OtherDigest {
        /// Its own.
        found: String,
        /// The document's.
        pinned: String,
    },
    /// Nobody who is trusted has signed it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// How components of a directory are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trust<'a> {
    pub(super) tree: &'a Tree,
    /// None for the filters that come with the proxy, which are trusted as the proxy is.
    pub(super) keys: Option<&'a [Key]>,
    /// Whether one that is not signed is refused.
    pub(super) required: bool,
}

impl Trust<'_> {
    /// Whether a file may be loaded. Cheap but for a signature, which takes milliseconds for megabytes.
    pub(super) fn check(self, path: &Path, policy: Option<&FilterPolicy>) -> Result<(), Stranger> {
        let Some(file) = self.tree.files.get(path) else { return Ok(()) };
        if let Some(pinned) = policy.and_then(|policy| policy.digest.as_deref()) {
            let found = ContentHash(file.hash).to_string();
            if pinned.strip_prefix("sha256:").is_none_or(|pinned| !pinned.eq_ignore_ascii_case(&found)) {
                return Err(Stranger::OtherDigest { found, pinned: pinned.to_owned() });
            }
        }
        let Some(keys) = self.keys else { return Ok(()) };
        let beside = signature::beside(path);
        match self.tree.files.get(&beside) {
            Some(signed) if !keys.is_empty() || self.required => {
                signature::verify(keys, &file.bytes, &signed.bytes)?;
                Ok(())
            }
            None if self.required => Err(SignatureError::Missing(beside.display().to_string()).into()),
            _ => Ok(()),
        }
    }
}

impl Loader {
    /// Reads the keys that signatures are checked with; one that is none is an error of the configuration.
    pub(super) fn keys(&self, files: &mut Files, diagnostics: &mut Diagnostics) -> Vec<Key> {
        let mut keys = Vec::new();
        for path in &self.settings.filter_keys {
            let key = files.read(path).map_err(|error| error.to_string());
            match key.and_then(|pem| Key::parse(path, &pem).map_err(|error| error.to_string())) {
                Ok(key) => keys.push(key),
                Err(reason) => {
                    let message = format!("the key for signatures of filters cannot be used: {reason}");
                    diagnostics.push(Diagnostic::error(codes::FILTER_KEY, message).at(Location::file(path)));
                }
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::signature::testing;
    use std::fs;

    /// What is said of `a.wasm` with this signature beside it.
    fn checked(signature: Option<&[u8]>, keys: Option<&[Key]>, required: bool, digest: Option<&str>) -> Option<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wasm");
        fs::write(&path, "filter").unwrap();
        if let Some(signature) = signature {
            fs::write(directory.path().join("a.wasm.sig"), signature).unwrap();
        }
        let tree = Tree::scan(directory.path(), &["wasm", signature::EXTENSION]);
        let policy = FilterPolicy { digest: digest.map(str::to_owned), ..FilterPolicy::default() };
        let checked = Trust { tree: &tree, keys, required }.check(&path, Some(&policy));
        checked.err().map(|stranger| stranger.to_string())
    }

    #[test]
    fn a_pinned_digest_is_the_only_one() {
        let digest = ContentHash::of(b"filter").to_string();
        assert_eq!(checked(None, None, false, Some(&format!("sha256:{digest}"))), None);
        assert_eq!(checked(None, None, false, Some(&format!("sha256:{}", digest.to_uppercase()))), None);
        for pinned in ["sha256:00", &digest] {
            assert!(checked(None, None, false, Some(pinned)).unwrap().contains(&digest), "{pinned}");
        }
    }

    #[test]
    fn a_wrong_signature_is_refused_and_a_missing_one_where_they_are_required() {
        let (pem, signature) = testing::ed25519(b"filter");
        let (_, other) = testing::ed25519(b"filter");
        let keys = [Key::parse(Path::new("a.pem"), pem.as_bytes()).unwrap()];
        let keys = Some(&keys[..]);
        for required in [false, true] {
            assert_eq!(checked(Some(&signature), keys, required, None), None);
            assert!(checked(Some(&other), keys, required, None).unwrap().contains("none of the 1 keys"));
            assert_eq!(checked(None, None, required, None), None, "what comes with the proxy");
        }
        assert_eq!(checked(None, keys, false, None), None);
        assert!(checked(None, keys, true, None).unwrap().contains("a.wasm.sig"));
        assert_eq!(checked(Some(&other), Some(&[]), false, None), None, "nobody has said whom to trust");
    }
}
