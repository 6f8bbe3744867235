//! Opens the place where finished recordings are kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tapedeck_storage::{DiskStore, RecordingStore, open_azure, open_firebase, open_s3};

use super::{ServeError, data_folder};
use crate::config::{Settings, StorageKind, storage};

/// A store, and its folder if it has one on this machine.
pub struct OpenStore {
    pub store: Arc<dyn RecordingStore>,
    pub folder: Option<PathBuf>,
}

/// Opens the store of the settings.
///
/// # Errors
/// The folder cannot be used, or the settings do not make sense. A bucket is not asked yet: a store
/// that is away keeps nobody from recording.
pub fn open(settings: &Settings, data_dir: &Path) -> Result<OpenStore, ServeError> {
    Ok(match settings.storage_kind() {
        StorageKind::S3 => OpenStore {
            store: Arc::new(open_s3(&storage::s3(&settings.s3, &settings.storage))?),
            folder: None,
        },
        StorageKind::Firebase => {
            let project = storage::firebase(&settings.firebase, &settings.storage);
            OpenStore {
                store: Arc::new(open_firebase(&project)?),
                folder: None,
            }
        }
        StorageKind::Azure => OpenStore {
            store: Arc::new(open_azure(&storage::azure(
                &settings.azure,
                &settings.storage,
            ))?),
            folder: None,
        },
        StorageKind::Unset | StorageKind::Disk => {
            let folder = data_folder::recordings(data_dir, &settings.storage)?;
            OpenStore {
                store: Arc::new(DiskStore::open(&folder)?),
                folder: Some(folder),
            }
        }
    })
}
