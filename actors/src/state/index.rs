//! The index over the manifests: sled, made anew from the folders whenever it is missing, damaged
//! or behind.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use sled::{Db, Tree};

use crate::{ListFilter, Manifest};

const SCHEMA: &[u8] = b"1";

/// Why the index did not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("the index failed: {0}")]
    Sled(#[from] sled::Error),
    #[error("the index holds a recording that cannot be read: {0}")]
    Content(#[from] serde_json::Error),
    #[error("the index is of another version")]
    Schema,
    /// sled panics on some kinds of damage.
    #[error("the index is damaged")]
    Damaged,
}

/// Recordings by id, by time, by file name and by idempotency key.
pub struct Index {
    db: Db,
    recordings: Tree,
    by_time: Tree,
    by_name: Tree,
    by_key: Tree,
}

impl Index {
    /// Opens the index in `folder`. One that is damaged is moved aside; the second value tells
    /// where to.
    ///
    /// # Errors
    /// The disk refuses, or a new index cannot be made either.
    pub fn open(folder: &Path) -> Result<(Self, Option<PathBuf>), IndexError> {
        let error = match guarded(|| Self::open_there(folder)) {
            Ok(index) => return Ok((index, None)),
            Err(error) => error,
        };
        // A disk that is full or refuses is no reason to begin anew, nor would that help.
        if let IndexError::Sled(sled::Error::Io(reason)) = &error
            && is_of_the_disk(reason.kind())
        {
            return Err(error);
        }
        let aside = free_name(folder);
        log::error!(
            "{error}: it is moved to {} and made anew from the recordings' folders",
            aside.display()
        );
        std::fs::rename(folder, &aside).map_err(sled::Error::Io)?;
        Ok((guarded(|| Self::open_there(folder))?, Some(aside)))
    }

    fn open_there(folder: &Path) -> Result<Self, IndexError> {
        let db = sled::Config::new()
            .path(folder)
            .cache_capacity(16 << 20)
            .open()?;
        if !db.was_recovered() || db.is_empty() {
            db.insert("schema", SCHEMA)?;
        }
        if db.get("schema")?.is_none_or(|schema| schema != SCHEMA) {
            return Err(IndexError::Schema);
        }
        Ok(Self {
            recordings: db.open_tree("recordings")?,
            by_time: db.open_tree("by_time")?,
            by_name: db.open_tree("by_name")?,
            by_key: db.open_tree("by_idempotency_key")?,
            db,
        })
    }

    /// Makes the index hold exactly `manifests`.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn fill(&self, manifests: &[Manifest]) -> Result<(), IndexError> {
        guarded(|| {
            for tree in [&self.recordings, &self.by_time, &self.by_name, &self.by_key] {
                tree.clear()?;
            }
            manifests
                .iter()
                .try_for_each(|manifest| self.insert(manifest))?;
            self.db.flush()?;
            Ok(())
        })
    }

    /// Writes one recording and waits until the disk has it.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn save(&self, manifest: &Manifest) -> Result<(), IndexError> {
        guarded(|| {
            if let Some(old) = self
                .get(&manifest.id)?
                .filter(|old| old.names() != manifest.names())
            {
                for name in old.names() {
                    self.by_name.remove(name)?;
                }
            }
            self.insert(manifest)?;
            tapedeck_failpoints::reached("index.written");
            self.db.flush()?;
            Ok(())
        })
    }

    fn insert(&self, manifest: &Manifest) -> Result<(), IndexError> {
        let id = manifest.id.as_bytes();
        self.recordings.insert(id, serde_json::to_vec(manifest)?)?;
        self.by_time.insert(time_key(manifest), id)?;
        for name in manifest.names() {
            self.by_name.insert(name, id)?;
        }
        if let Some(key) = &manifest.idempotency_key {
            self.by_key.insert(key, id)?;
        }
        Ok(())
    }

    /// Forgets a recording.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn remove(&self, id: &str) -> Result<(), IndexError> {
        guarded(|| {
            let Some(manifest) = self.get(id)? else {
                return Ok(());
            };
            self.recordings.remove(id)?;
            self.by_time.remove(time_key(&manifest))?;
            let names = manifest.names().into_iter();
            let names = names.map(|name| (&self.by_name, name));
            let key = manifest.idempotency_key.iter().cloned();
            for (tree, entry) in names.chain(key.map(|key| (&self.by_key, key))) {
                // A later recording may have taken it over.
                if tree
                    .get(&entry)?
                    .is_some_and(|owner| owner == id.as_bytes())
                {
                    tree.remove(&entry)?;
                }
            }
            self.db.flush()?;
            Ok(())
        })
    }

    /// # Errors
    /// The index cannot be read.
    pub fn get(&self, id: &str) -> Result<Option<Manifest>, IndexError> {
        guarded(|| self.manifest(id.as_bytes()))
    }

    /// # Errors
    /// The index cannot be read.
    pub fn by_name(&self, name: &str) -> Result<Option<Manifest>, IndexError> {
        guarded(|| {
            self.by_name
                .get(name)?
                .map_or(Ok(None), |id| self.manifest(&id))
        })
    }

    /// # Errors
    /// The index cannot be read.
    pub fn by_idempotency_key(&self, key: &str) -> Result<Option<Manifest>, IndexError> {
        guarded(|| {
            self.by_key
                .get(key)?
                .map_or(Ok(None), |id| self.manifest(&id))
        })
    }

    /// Up to `limit` recordings, newest first, after `cursor`, and the cursor of the next page. A
    /// cursor that was not given out begins at the front.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn list(
        &self,
        filter: &ListFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Manifest>, Option<String>), IndexError> {
        guarded(|| {
            let entries = match cursor.and_then(read_cursor) {
                Some(end) => self.by_time.range(..end),
                None => self.by_time.iter(),
            };
            let mut page = Vec::new();
            let mut last = None;
            for entry in entries.rev() {
                let (key, id) = entry?;
                let Some(manifest) = self
                    .manifest(&id)?
                    .filter(|manifest| filter.matches(manifest))
                else {
                    continue;
                };
                if page.len() == limit {
                    return Ok((page, last));
                }
                page.push(manifest);
                last = Some(write_cursor(&key));
            }
            Ok((page, None))
        })
    }

    fn manifest(&self, id: &[u8]) -> Result<Option<Manifest>, IndexError> {
        let found = self.recordings.get(id)?;
        found
            .map(|json| serde_json::from_slice(&json))
            .transpose()
            .map_err(IndexError::from)
    }
}

/// How an index differs from the manifests.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference {
    None,
    /// Recordings that it lacks, has otherwise or has too many.
    Missing(Vec<String>),
    /// Why it cannot be read.
    Unreadable(String),
}

/// Compares the index in `folder` with the manifests. It is a copy that is opened: opening writes.
///
/// # Errors
/// It cannot be copied.
pub fn compare(folder: &Path, manifests: &[Manifest]) -> std::io::Result<Difference> {
    if !folder.exists() {
        return Ok(match manifests.is_empty() {
            true => Difference::None,
            false => Difference::Unreadable("it is missing".into()),
        });
    }
    let copy = std::env::temp_dir().join(format!("tapedeck-index-{}", std::process::id()));
    let result = copy_folder(folder, &copy).map(|()| compare_open(&copy, manifests));
    let _ = std::fs::remove_dir_all(&copy);
    Ok(match result? {
        Ok(difference) => difference,
        Err(error) => Difference::Unreadable(error.to_string()),
    })
}

fn compare_open(folder: &Path, manifests: &[Manifest]) -> Result<Difference, IndexError> {
    guarded(|| {
        let index = Index::open_there(folder)?;
        let mut differing = Vec::new();
        for manifest in manifests {
            if index.manifest(manifest.id.as_bytes())?.as_ref() != Some(manifest) {
                differing.push(manifest.id.clone());
            }
        }
        for entry in &index.recordings {
            let id = String::from_utf8_lossy(&entry?.0).into_owned();
            if manifests.iter().all(|manifest| manifest.id != id) {
                differing.push(id);
            }
        }
        Ok(match differing.is_empty() {
            true => Difference::None,
            false => Difference::Missing(differing),
        })
    })
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &target)?,
            false => std::fs::copy(entry.path(), target).map(|_| ())?,
        }
    }
    Ok(())
}

impl ListFilter {
    fn matches(&self, manifest: &Manifest) -> bool {
        self.room_name
            .as_ref()
            .is_none_or(|name| *name == manifest.room_name)
            && self
                .room_id
                .as_ref()
                .is_none_or(|id| *id == manifest.room_id)
            && self.state.is_none_or(|state| state == manifest.state)
    }
}

/// Sorts by time of creation, then by id.
fn time_key(manifest: &Manifest) -> Vec<u8> {
    let created_at = u64::try_from(manifest.created_at).unwrap_or(0);
    [&created_at.to_be_bytes(), manifest.id.as_bytes()].concat()
}

fn write_cursor(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_cursor(cursor: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    cursor.as_bytes().chunks(2).map(pair).collect()
}

fn guarded<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(IndexError::Damaged))
}

fn is_of_the_disk(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
    )
}

fn free_name(folder: &Path) -> PathBuf {
    let numbered = |number: u32| folder.with_extension(format!("damaged-{number}"));
    (1..)
        .map(numbered)
        .find(|name| !name.exists())
        .unwrap_or_else(|| numbered(0))
}
