//! Manifests on the disk.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tapedeck_failpoints::reached;
use tapedeck_storage::durable;

use crate::folder::DataFolder;
use crate::retention::{Kept, Remains, Retention};
use crate::upkeep::size;
use crate::{Manifest, naming};

/// Names in the folder of folders without a readable manifest, and why.
pub type Unreadable = Vec<(String, io::Error)>;

/// The manifests of a data folder.
#[derive(Clone, Debug)]
pub struct Manifests {
    folder: DataFolder,
}

impl Manifests {
    pub fn new(folder: DataFolder) -> Self {
        Self { folder }
    }

    /// Replaces the manifest atomically; its folder is made if it is missing.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn write(&self, manifest: &Manifest) -> io::Result<()> {
        durable::create_folder(&self.folder.work(&manifest.id))?;
        let json = serde_json::to_vec_pretty(manifest)?;
        durable::replace_file(&self.folder.manifest(&manifest.id), &json)
    }

    /// Reads the manifest of a recording.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn read(&self, id: &str) -> io::Result<Manifest> {
        let manifest: Manifest = serde_json::from_slice(&fs::read(self.folder.manifest(id))?)?;
        if manifest.id != id {
            let message = format!("it belongs to {}", manifest.id);
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        Ok(manifest)
    }

    /// All manifests, the oldest first: of two with the same idempotency key the later one counts.
    ///
    /// # Errors
    /// The folder of folders cannot be read.
    pub fn read_all(&self) -> io::Result<Vec<Manifest>> {
        Ok(self.look()?.0)
    }

    /// All manifests, the oldest first, and the names of what lies there without a readable one.
    ///
    /// # Errors
    /// The folder of folders cannot be read.
    pub fn look(&self) -> io::Result<(Vec<Manifest>, Unreadable)> {
        let (mut manifests, mut unreadable) = (Vec::new(), Vec::new());
        let entries = match fs::read_dir(self.folder.work_root()) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok((manifests, unreadable));
            }
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            match self.read(&name) {
                Ok(manifest) => manifests.push(manifest),
                // Removed meanwhile.
                Err(_) if !self.folder.work(&name).exists() => {}
                Err(error) => unreadable.push((name, error)),
            }
        }
        manifests.sort_by_key(|manifest| manifest.created_at);
        Ok((manifests, unreadable))
    }

    /// Final recordings of whose folders more is left than the manifest, though it need not be; what
    /// stays of them at `now`, Unix ms, is for `retention` to say.
    ///
    /// # Errors
    /// The folder of folders cannot be read.
    pub fn remains(&self, retention: &Retention, now: i64) -> io::Result<Vec<Remains>> {
        let mut remains = Vec::new();
        for entry in fs::read_dir(self.folder.work_root())? {
            let id = entry?.file_name().to_string_lossy().into_owned();
            // Most folders hold the manifest alone, which need not be read then.
            let there = match self.folder.besides_manifest(&id) {
                Ok(there) if !there.is_empty() => there,
                _ => continue,
            };
            let Ok(manifest) = self.read(&id) else {
                continue;
            };
            if manifest.keeps_folder() {
                continue;
            }
            let kept = retention.kept(&manifest, now);
            remains.push(Remains {
                is_overdue: !self.folder.leftovers(&manifest, kept)?.is_empty(),
                bytes: there.iter().map(|path| size(path)).sum(),
                manifest,
            });
        }
        Ok(remains)
    }

    /// Whether a server died before the first manifest in this folder was there: nothing was
    /// begun, and nobody was told that it was.
    pub fn is_unbegun(&self, name: &str) -> bool {
        if !naming::is_id(name) {
            return false;
        }
        let Ok(in_the_making) = durable::temporary_path(&self.folder.manifest(name), "") else {
            return false;
        };
        fs::read_dir(self.folder.work(name)).is_ok_and(|mut entries| {
            entries.all(|entry| entry.is_ok_and(|entry| entry.path() == in_the_making))
        })
    }

    /// Removes the folders in which nothing was begun; their names.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn remove_unbegun(&self) -> io::Result<Vec<String>> {
        let (_, unreadable) = self.look()?;
        let names = unreadable.into_iter().map(|(name, _)| name);
        let unbegun: Vec<_> = names.filter(|name| self.is_unbegun(name)).collect();
        for name in &unbegun {
            self.remove(name)?;
        }
        Ok(unbegun)
    }

    /// Removes everything in a recording's folder but its manifest and what is kept.
    ///
    /// # Errors
    /// Those of the operating system; the rest is removed all the same.
    pub fn clear(&self, manifest: &Manifest, kept: Kept) -> io::Result<()> {
        let leftovers = self.folder.leftovers(manifest, kept)?;
        self.remove_from(&manifest.id, &leftovers)
    }

    fn remove_from(&self, id: &str, paths: &[PathBuf]) -> io::Result<()> {
        let mut result = Ok(());
        for path in paths {
            result = result.and(remove(path));
            reached("clear.begun");
        }
        if !paths.is_empty() {
            result.and_then(|()| durable::sync_folder(&self.folder.work(id)))?;
        }
        reached("clear.done");
        Ok(())
    }

    /// Removes a recording's folder; gone already is success.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        // The manifest last: what is left of an interrupted removal still has an owner.
        self.remove_from(id, &self.folder.besides_manifest(id)?)?;
        remove(&self.folder.work(id))?;
        reached("remove.begun");
        durable::sync_folder(&self.folder.work_root())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let is_folder = path
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_dir());
    let removed = if is_folder {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
