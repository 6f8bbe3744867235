//! What the end-to-end tests share: a real livekit-server, light publishers, lossy and cut
//! networks, the recording server under test and the real clients. Everything runs on loopback
//! and ends with the value that started it.

pub mod capture_log;
pub mod children;
pub mod clients;
pub mod content;
pub mod crash;
pub mod findings;
pub mod http;
pub mod livekit;
pub mod oracle;
pub mod ports;
pub mod proxy;
pub mod publisher;
pub mod small_disk;
pub mod tapedeck;
pub mod wait;

pub use testcard::media;

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
