//! The file that the demo leaves.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::DemoError;

const NAME: &str = "tapedeck-demo";

/// The most files of that name.
const MOST: u32 = 1_000;

/// A new file, removed again unless it is kept.
pub struct Output {
    path: PathBuf,
    kept: bool,
}

impl Output {
    /// Creates the file: the asked one, or one in the working folder with the first free number.
    ///
    /// # Errors
    /// It exists already, or cannot be created.
    pub fn reserve(asked: Option<&Path>) -> Result<Self, DemoError> {
        if let Some(path) = asked {
            return match create(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(DemoError::OutputExists(path.to_owned()))
                }
                created => Self::created(path, created),
            };
        }
        let mut path = PathBuf::from(format!("{NAME}.mp4"));
        for number in 2..MOST {
            match create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    path = PathBuf::from(format!("{NAME}-{number}.mp4"));
                }
                created => return Self::created(&path, created),
            }
        }
        Err(DemoError::OutputExists(path))
    }

    fn created(path: &Path, created: io::Result<File>) -> Result<Self, DemoError> {
        created
            .map(|_| Self {
                path: path.to_owned(),
                kept: false,
            })
            .map_err(|source| DemoError::Output {
                path: path.to_owned(),
                source,
            })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for writing.
    pub fn open(&self) -> Result<File, DemoError> {
        File::options()
            .write(true)
            .truncate(true)
            .open(&self.path)
            .map_err(|source| DemoError::Output {
                path: self.path.clone(),
                source,
            })
    }

    /// Leaves it where it is.
    pub fn keep(mut self) -> PathBuf {
        self.kept = true;
        self.path.clone()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten_and_nothing_unfinished_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.mp4");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(
            Output::reserve(Some(&path)),
            Err(DemoError::OutputExists(_))
        ));
        assert_eq!(fs::read(&path).unwrap(), b"mine");

        let other = folder.path().join("other.mp4");
        drop(Output::reserve(Some(&other)).unwrap());
        assert!(!other.exists());
        assert_eq!(Output::reserve(Some(&other)).unwrap().keep(), other);
        assert!(other.exists());
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_told() {
        let missing = Path::new("/proc/no/such/folder/demo.mp4");
        let error = Output::reserve(Some(missing)).err().unwrap().to_string();
        assert!(error.contains("--output"), "{error}");
    }
}
