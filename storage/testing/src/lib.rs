//! Real object stores for tests: each listens on a port of 127.0.0.1 and ends with the value that
//! started it.

pub mod faults;
pub mod versitygw;

use std::path::PathBuf;

/// Where programs and packages that the tests need are kept: `tapedeck` in the user's cache folder.
pub fn cache_dir() -> PathBuf {
    if let Some(folder) = std::env::var_os("TAPEDECK_TEST_CACHE") {
        return folder.into();
    }
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache")
        });
    base.join("tapedeck")
}
