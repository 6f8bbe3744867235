use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::config::{Data, Storage};

/// What the server keeps in the data folder.
const OWN: [&str; 7] = [
    "work", "run", "index", "rooms", "browser", "webhooks", "logs",
];

/// The data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the data folder {} cannot be {action}: {source}; check data.dir (TAPEDECK_DATA_DIR)", folder.display())]
pub struct DataFolderError {
    folder: PathBuf,
    action: &'static str,
    source: io::Error,
}

/// Finished recordings would lie among the files of the server, where clients can fetch and delete
/// them by name.
#[derive(Debug, thiserror::Error)]
#[error(
    "storage.recordings_path (RECORDINGS_PATH) is {}, where the server keeps files of its own: take \
     another folder, such as recordings/",
    .0.display()
)]
pub struct RecordingsFolderError(PathBuf);

/// The folder of finished recordings, absolute.
///
/// # Errors
/// It is the data folder itself, or one that the server uses in it.
pub fn recordings(data_dir: &Path, storage: &Storage) -> Result<PathBuf, RecordingsFolderError> {
    // Joined from its parts, so that `.` and double slashes make no difference.
    let folder: PathBuf = data_dir
        .join(&storage.recordings_path)
        .components()
        .collect();
    let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
    let is_taken = real == data_dir || OWN.iter().any(|own| real.starts_with(data_dir.join(own)));
    match is_taken {
        true => Err(RecordingsFolderError(folder)),
        false => Ok(folder),
    }
}

/// Makes sure that the data folder exists, readable by this user only when it is made here.
/// Returns its absolute path.
///
/// # Errors
/// It cannot be made or written, or it is no folder.
pub fn prepare(data: &Data) -> Result<PathBuf, DataFolderError> {
    let folder = Path::new(&data.dir);
    let failed = |action| {
        move |source| DataFolderError {
            folder: folder.to_owned(),
            action,
            source,
        }
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed("made"))?;
    let folder = folder.canonicalize().map_err(failed("found"))?;
    try_to_write(&folder).map_err(failed("written"))?;
    Ok(folder)
}

/// Writes a little into `folder` and removes it again.
///
/// # Errors
/// Why it cannot be written.
pub fn try_to_write(folder: &Path) -> io::Result<()> {
    let path = folder.join(".ready");
    fs::File::create(&path)?.write_all(b"ready\n")?;
    fs::remove_file(&path).or_else(|error| match error.kind() {
        // Another request was faster.
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_do_not_lie_among_the_servers_files() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path().canonicalize().unwrap();
        fs::create_dir(data.join("work")).unwrap();
        let recordings = |path: &str| {
            let recordings_path = path.to_owned();
            let storage = Storage {
                recordings_path,
                ..Storage::default()
            };
            recordings(&data, &storage)
        };
        for refused in [
            ".",
            "./",
            "work",
            "run/x",
            "index/",
            "rooms",
            "browser",
            "webhooks",
            "logs/",
            "recordings/..",
            "work/../work",
        ] {
            let _ = fs::create_dir_all(data.join("recordings"));
            assert!(recordings(refused).is_err(), "{refused}");
        }
        assert_eq!(recordings("recordings/").unwrap(), data.join("recordings"));
        assert_eq!(recordings("/srv/films").unwrap(), Path::new("/srv/films"));
        assert_eq!(recordings("workshop").unwrap(), data.join("workshop"));
    }

    #[test]
    fn a_data_folder_that_is_none_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let dir = file.path().display().to_string();
        let error = prepare(&Data {
            dir,
            ..Data::default()
        })
        .unwrap_err()
        .to_string();
        assert!(error.contains("TAPEDECK_DATA_DIR"), "{error}");
    }
}
