//! Writing small files so that a crash or a power cut leaves either the old or the new content.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tapedeck_failpoints::reached;

/// Replaces the file at `path` by `content` atomically: temporary file beside it, fsync, rename,
/// fsync of the folder. The folder must exist, and only one at a time may replace this file.
///
/// # Errors
/// Those of the operating system; the old content is then still in place.
pub fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = parent(path)?;
    let temporary = temporary_path(path, "")?;
    let written = write_and_sync(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    reached("replace.renamed");
    sync_folder(folder)
}

/// Waits until the disk has the names in `folder`.
///
/// # Errors
/// Those of the operating system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes `folder` and its parents, and waits until the disk has the names that are new.
///
/// # Errors
/// Those of the operating system.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<PathBuf> = folder
        .ancestors()
        .take_while(|ancestor| !ancestor.exists())
        .map(Path::to_path_buf)
        .collect();
    fs::create_dir_all(folder)?;
    if !missing.is_empty() {
        reached("folder.created");
    }
    for made in missing {
        if let Some(parent) = made
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            sync_folder(parent)?;
        }
    }
    Ok(())
}

/// A hidden name beside `path`, the same whenever `owner` writes it: what a crash left behind is
/// written over by the next try, also by that of another process.
///
/// # Errors
/// `path` has no file name.
pub fn temporary_path(path: &Path, owner: &str) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    // Only a digest of the names: a temporary name must not be longer than the system allows.
    let names = [name.as_encoded_bytes(), owner.as_bytes()].join(&b'/');
    let digest = crate::hash::hex(&crate::hash::digest(&names)[..12]);
    Ok(parent(path)?.join(format!(".{digest}.tmp")))
}

fn write_and_sync(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    reached("replace.written");
    file.sync_all()?;
    reached("replace.synced");
    Ok(())
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_behind_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(temporary_path(&path, "").unwrap(), b"half a wri").unwrap();
        replace_file(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_ne!(
            temporary_path(&path, "EG_1").unwrap(),
            temporary_path(&path, "EG_2").unwrap()
        );
    }

    #[test]
    fn replaces_content_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        replace_file(&path, b"one").unwrap();
        replace_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_keeps_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        assert!(replace_file(&path, b"new").is_err());
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn makes_nested_folders() {
        let folder = tempfile::tempdir().unwrap();
        let nested = folder.path().join("a/b/c");
        create_folder(&nested).unwrap();
        create_folder(&nested).unwrap();
        assert!(nested.is_dir());
    }
}
