//! The data folder that commands work on: that of the configuration.

use std::path::{Path, PathBuf};

use tapedeck_actors::upkeep::{StoreFolder, Upkeep};

use crate::config::{self, Settings};
use crate::serve;

/// A data folder and the configuration that names it.
pub struct Place {
    pub settings: Settings,
    pub upkeep: Upkeep,
    /// The data folder, absolute.
    pub data: PathBuf,
}

impl Place {
    /// Finds the data folder; nothing is made.
    ///
    /// # Errors
    /// The configuration is wrong or the folder is not there, in words.
    pub fn find(config: Option<&Path>) -> Result<Self, String> {
        let settings = config::load(config)
            .map_err(|error| error.to_string())?
            .settings;
        let data = Path::new(&settings.data.dir);
        let data = data.canonicalize().map_err(|error| {
            format!(
                "the data folder {} cannot be used: {error}; check data.dir (TAPEDECK_DATA_DIR)",
                data.display()
            )
        })?;
        let recordings =
            serve::recordings(&data, &settings.storage).map_err(|error| error.to_string())?;
        let has_all = settings.has_all_on_disk();
        let store = (has_all || recordings.is_dir()).then_some(StoreFolder {
            path: recordings,
            has_all,
        });
        let upkeep = Upkeep::new(&data, store);
        Ok(Self {
            settings,
            upkeep,
            data,
        })
    }

    /// The work folder that `wanted` means: itself if it is one, else that of the recording with
    /// this id.
    pub fn work(wanted: &str, config: Option<&Path>) -> Result<PathBuf, String> {
        let folder = Path::new(wanted);
        if folder.is_dir() {
            return folder
                .canonicalize()
                .map_err(|error| format!("{wanted}: {error}"));
        }
        let work = Self::find(config)?.upkeep.work(wanted);
        match work.is_dir() {
            true => Ok(work),
            false => Err(format!(
                "{wanted} is no folder, and no recording of that id has one: the capture log of a delivered recording stays as data.keep_logs says"
            )),
        }
    }
}
