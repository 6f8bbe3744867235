//! The files of the outbox: one a recording.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tapedeck_storage::durable;

use super::ledger::Ledger;
use crate::naming;

/// The folder with a file of each recording that somebody is to be told of.
pub(super) struct LedgerFiles {
    folder: PathBuf,
}

impl LedgerFiles {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    pub fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    /// All that can be read; what cannot is left alone and told in the log.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn read_all(&self) -> io::Result<Vec<Ledger>> {
        durable::create_folder(&self.folder)?;
        let mut ledgers = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let read = fs::read(&path)
                .and_then(|json| serde_json::from_slice::<Ledger>(&json).map_err(io::Error::from));
            match read {
                Ok(ledger) if naming::is_id(&ledger.recording_id) => ledgers.push(ledger),
                Ok(_) => log::error!("{} holds no webhooks: it is left alone", path.display()),
                Err(error) => log::error!(
                    "{} cannot be read, so what it was to tell is not told: {error}",
                    path.display()
                ),
            }
        }
        Ok(ledgers)
    }

    /// # Errors
    /// The disk refuses; what was there stays.
    pub fn write(&self, id: &str, json: &[u8]) -> io::Result<()> {
        durable::replace_file(&self.path(id), json)
    }

    pub fn remove(&self, id: &str) {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                log::warn!("{id}: its webhooks cannot be removed: {error}");
            }
            _ => {}
        }
    }
}
