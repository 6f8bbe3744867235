//! Agora's SDK for browsers, which is not part of this program.

use std::path::{Path, PathBuf};

/// The version that the page is written for; `scripts/agora-sdk` installs it.
pub const SDK_VERSION: &str = "4.24.8";

const FILE: &str = "AgoraRTC_N-production.js";

/// The file of Agora's SDK: the one that is named, or where `scripts/agora-sdk` puts it: beside the
/// executable, in `share/tapedeck` beside its folder, or in the user's cache.
///
/// # Errors
/// There is none; says how to get it.
pub fn find(named: &Path) -> Result<PathBuf, String> {
    if !named.as_os_str().is_empty() {
        return match named.is_file() {
            true => Ok(named.to_owned()),
            false => Err(format!(
                "{} is missing: correct the path of Agora's SDK in the configuration",
                named.display()
            )),
        };
    }
    let candidates = candidates();
    let found = candidates.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| {
        format!("Agora's SDK for browsers {SDK_VERSION} is missing: get it with scripts/agora-sdk")
    })
}

fn candidates() -> Vec<PathBuf> {
    let executable = std::env::current_exe().ok();
    let folder = executable.as_deref().and_then(Path::parent);
    let mut candidates = Vec::new();
    if let Some(folder) = folder {
        candidates.push(folder.join(FILE));
        candidates.push(folder.join("../share/tapedeck").join(FILE));
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    candidates.extend(cache.map(|cache| cache.join("tapedeck/agora").join(FILE)));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sdk.js");
        assert!(find(&file).unwrap_err().contains("sdk.js is missing"));
        std::fs::write(&file, "").unwrap();
        assert_eq!(find(&file), Ok(file));
    }
}
