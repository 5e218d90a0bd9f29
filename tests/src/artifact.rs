//! Where the build has put the proxy and the components.

use std::path::{Path, PathBuf};

/// The proxy's executable: `$SLUICE_BIN`, or the one of the same profile as this test.
///
/// # Panics
/// When it has not been built.
pub fn sluice() -> PathBuf {
    let beside = || profile_directory().join("sluice");
    built(std::env::var_os("SLUICE_BIN").map_or_else(beside, PathBuf::from))
}

/// The component of a filter that the product ships, such as `router`.
///
/// # Panics
/// When it has not been built.
pub fn stock_filter(name: &str) -> PathBuf {
    built(profile_directory().join("filters").join(name).with_extension("wasm"))
}

/// The component of a filter in `tests/filters`, such as `headers`.
///
/// # Panics
/// When it has not been built.
pub fn test_filter(name: &str) -> PathBuf {
    let target = profile_directory().parent().map(Path::to_owned).unwrap_or_default();
    built(target.join("test-filters").join(name).with_extension("wasm"))
}

/// A component with a word of its own in place of the one that stands behind a marker; the rest of the word's eight bytes are
/// spaces. It is another version of the same filter.
///
/// # Panics
/// When the marker is not in it, or the word is too long.
pub fn rewritten(component: &[u8], marker: &str, word: &str) -> Vec<u8> {
    let at = component.windows(marker.len()).position(|window| window == marker.as_bytes());
    let from = at.expect("the component has the marker") + marker.len();
    let mut version = component.to_vec();
    let word = format!("{word:<8}");
    assert_eq!(word.len(), 8, "`{word}` is too long");
    version[from..from + 8].copy_from_slice(word.as_bytes());
    version
}

/// The component with another content and the same behaviour: one more custom section.
pub fn renumbered(component: &[u8], number: u16) -> Vec<u8> {
    [component, &[0, 5, 2, b'v', b'n'], &number.to_le_bytes()].concat()
}

/// A server that tests start: what the environment variable names, or the one that `cargo xtask test` fetches.
///
/// # Panics
/// When it is not there.
pub(crate) fn peer(directory: &str, program: &str, variable: &str) -> PathBuf {
    let target = profile_directory().parent().map(Path::to_owned).unwrap_or_default();
    let fetched = || target.join("peers").join(directory).join(program);
    let path = std::env::var_os(variable).map_or_else(fetched, PathBuf::from);
    assert!(
        path.is_file(),
        "{} is not there; `cargo xtask test` fetches it, and {variable} names another",
        path.display()
    );
    path
}

/// `target/debug`: test programs lie in its `deps`, others in itself.
fn profile_directory() -> PathBuf {
    let program = std::env::current_exe().expect("the test program has a path");
    let directory = program.parent().expect("a program is in a directory");
    if directory.ends_with("deps") { directory.parent().unwrap_or(directory) } else { directory }.to_owned()
}

fn built(file: PathBuf) -> PathBuf {
    assert!(file.is_file(), "{} is not built; `cargo xtask build` does so", file.display());
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_directory_is_the_one_this_test_was_built_into() {
        let name = profile_directory();
        assert!(!name.ends_with("deps"), "{}", name.display());
        assert!(name.join("deps").is_dir());
    }

    #[test]
    #[should_panic(expected = "/peers/no/such is not there; `cargo xtask test` fetches it, and NO_SUCH names another")]
    fn a_server_that_is_not_there_is_named_with_what_to_do() {
        peer("no", "such", "NO_SUCH");
    }

    #[test]
    fn the_word_behind_the_marker_is_another() {
        assert_eq!(rewritten(b"..M:good    ..", "M:", "slow"), b"..M:slow    ..");
    }

    #[test]
    #[should_panic(expected = "no-such-filter.wasm is not built; `cargo xtask build`")]
    fn what_is_not_built_is_named_with_the_command_that_builds_it() {
        test_filter("no-such-filter");
    }
}
