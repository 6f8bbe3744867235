//! Where livekit-server is.

use std::env;
use std::path::PathBuf;

/// The livekit-server program: `$TAPEDECK_LIVEKIT_SERVER`, the test cache, Go's folder, the path.
///
/// # Panics
/// There is none; the message says how to get it.
pub fn find() -> PathBuf {
    if let Some(path) = env::var_os("TAPEDECK_LIVEKIT_SERVER") {
        return path.into();
    }
    let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
    let mut candidates = vec![
        crate::cache_dir().join("bin/livekit-server"),
        home.join("go/bin/livekit-server"),
        home.join("go/bin/server"),
    ];
    let path = env::var_os("PATH").unwrap_or_default();
    candidates.extend(env::split_paths(&path).map(|folder| folder.join("livekit-server")));
    candidates
        .into_iter()
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!(
                "livekit-server is missing; get it with: \
                 go install github.com/livekit/livekit-server/cmd/server@v1.11.0 \
                 (or name it in TAPEDECK_LIVEKIT_SERVER)"
            )
        })
}
