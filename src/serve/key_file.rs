//! Secrets that are drawn once and kept in the data folder: for tokens of this server's rooms, for
//! links to recordings, and for its operator.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use tapedeck_pipelines::job::Secret;

/// Of tokens for rooms of this server, when none is configured.
pub const ROOMS: &str = "rooms.key";
/// Of links to recordings.
pub const LINKS: &str = "links.key";
/// Of the operator, when none is configured.
pub const OPERATOR: &str = "operator.key";
/// Random bytes, written in hexadecimal.
const DRAWN: usize = 32;
/// What is longer is no key.
const MOST_READ: u64 = 1_024;

/// There is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("the key {} cannot be {action}: {source}", path.display())]
    Io {
        path: PathBuf,
        action: &'static str,
        source: io::Error,
    },
    #[error(
        "{} holds no key of at least {} characters: remove it, and another is drawn", .0.display(), DRAWN
    )]
    TooShort(PathBuf),
}

/// The key `name` in the data folder, which is drawn when there is none yet. It is on the disk, readable
/// by this user only, before it is used: a token must be as good after a restart.
///
/// # Errors
/// See [`KeyFileError`].
pub fn load_or_draw(data_dir: &Path, name: &str) -> Result<Secret, KeyFileError> {
    match load(data_dir, name)? {
        Some(key) => Ok(key),
        None => draw(data_dir, name),
    }
}

/// The key `name` in the data folder, if there is one.
///
/// # Errors
/// It is damaged or cannot be read.
pub fn load(data_dir: &Path, name: &str) -> Result<Option<Secret>, KeyFileError> {
    let path = data_dir.join(name);
    let failed = |source| KeyFileError::Io {
        path: path.clone(),
        action: "read",
        source,
    };
    let file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    file.take(MOST_READ)
        .read_to_string(&mut text)
        .map_err(failed)?;
    match text.trim() {
        short if short.len() < DRAWN => Err(KeyFileError::TooShort(path)),
        key => Ok(Some(Secret::new(key))),
    }
}

/// Draws the key `name`, in place of one that is there.
///
/// # Errors
/// It cannot be written.
pub fn draw(data_dir: &Path, name: &str) -> Result<Secret, KeyFileError> {
    let path = data_dir.join(name);
    let bytes: [u8; DRAWN] = rand::random();
    let key: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    write(data_dir, &path, &key).map_err(|source| KeyFileError::Io {
        path,
        action: "written",
        source,
    })?;
    Ok(Secret::new(key))
}

fn write(folder: &Path, path: &Path, key: &str) -> io::Result<()> {
    let unfinished = path.with_extension("key.new");
    // One that is left from a crash may have other permissions.
    let _ = fs::remove_file(&unfinished);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(format!("{key}\n").as_bytes())?;
    // Root draws a key for a server that runs as the owner of the folder, and has to read it.
    let owner = fs::metadata(folder)?;
    if file.metadata()?.uid() != owner.uid() {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_drawn_once_and_kept_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let drawn = load_or_draw(folder.path(), ROOMS).unwrap();
        assert_eq!(load_or_draw(folder.path(), ROOMS).unwrap(), drawn);
        let mode = fs::metadata(folder.path().join(ROOMS))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(load_or_draw(other.path(), ROOMS).unwrap(), drawn);
    }

    #[test]
    fn a_key_is_its_servers_whoever_draws_it() {
        let folder = tempfile::tempdir().unwrap();
        // Only root can give files away.
        if fchown(fs::File::open(folder.path()).unwrap(), Some(4_711), None).is_err() {
            return;
        }
        draw(folder.path(), OPERATOR).unwrap();
        let key = fs::metadata(folder.path().join(OPERATOR)).unwrap();
        assert_eq!((key.uid(), key.mode() & 0o777), (4_711, 0o600));
    }

    #[test]
    fn a_damaged_key_is_said_so_and_not_used() {
        let folder = tempfile::tempdir().unwrap();
        for damaged in [&b""[..], b"short\n", &[0xff; 40]] {
            fs::write(folder.path().join(ROOMS), damaged).unwrap();
            let error = load_or_draw(folder.path(), ROOMS).unwrap_err().to_string();
            assert!(error.contains(ROOMS), "{error}");
        }
    }
}
