//! Opens the places where finished recordings are kept.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tapedeck_actors::SourceKind;
use tapedeck_storage::{DiskStore, RecordingStore, Stores, open_azure, open_firebase, open_s3};

use super::{ServeError, data_folder};
use crate::config::{Settings, StorageKind, storage};

/// The stores, and the folder of the one on this machine if there is, or was, one.
pub struct OpenStores {
    pub stores: Stores,
    pub folder: Option<PathBuf>,
}

/// Opens the stores of the settings: those to which recordings go, and those that are configured and
/// may hold recordings of earlier settings.
///
/// # Errors
/// A folder cannot be used, or the settings do not make sense. A bucket is not asked yet: a store
/// that is away keeps nobody from recording.
pub fn open(settings: &Settings, data_dir: &Path) -> Result<OpenStores, ServeError> {
    let mut opened: HashMap<StorageKind, Arc<dyn RecordingStore>> = HashMap::new();
    for kind in settings.storage_kinds() {
        opened.insert(kind, open_one(kind, settings, data_dir)?);
    }
    let main = settings.storage_kind();
    let mut stores = Stores::new(opened[&main].clone());
    for source in SourceKind::ALL {
        let kind = settings.storage_kind_of(source);
        if kind != main {
            stores = stores.with_source(source.name(), opened[&kind].clone());
        }
    }
    let folder = data_folder::recordings(data_dir, &settings.storage)?;
    for kind in former(settings, &folder) {
        if opened.contains_key(&kind) {
            continue;
        }
        match open_one(kind, settings, data_dir) {
            Ok(store) => stores = stores.with_former(store),
            Err(error) => log::warn!("what earlier settings left is not listed: {error}"),
        }
    }
    Ok(OpenStores {
        stores,
        folder: folder.is_dir().then_some(folder),
    })
}

/// Kinds of store that earlier settings may have used.
fn former(settings: &Settings, folder: &Path) -> Vec<StorageKind> {
    let given = |text: &str| !text.trim().is_empty();
    let candidates = [
        (StorageKind::Disk, folder.is_dir()),
        (StorageKind::S3, given(&settings.s3.bucket)),
        (StorageKind::Firebase, given(&settings.firebase.bucket)),
        (StorageKind::Azure, given(&settings.azure.container)),
    ];
    let there = candidates.into_iter().filter(|(_, is_there)| *is_there);
    there.map(|(kind, _)| kind).collect()
}

fn open_one(
    kind: StorageKind,
    settings: &Settings,
    data_dir: &Path,
) -> Result<Arc<dyn RecordingStore>, ServeError> {
    Ok(match kind {
        StorageKind::S3 => Arc::new(open_s3(&storage::s3(&settings.s3, &settings.storage))?),
        StorageKind::Firebase => {
            let project = storage::firebase(&settings.firebase, &settings.storage);
            Arc::new(open_firebase(&project)?)
        }
        StorageKind::Azure => {
            let container = storage::azure(&settings.azure, &settings.storage);
            Arc::new(open_azure(&container)?)
        }
        StorageKind::Unset | StorageKind::Disk => {
            let folder = data_folder::recordings(data_dir, &settings.storage)?;
            Arc::new(DiskStore::open(&folder)?)
        }
    })
}
