//! Where everything is in the data folder.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tapedeck_pipelines::control::{OutputFile, Role};
use tapedeck_pipelines::job::OutputFormat;
use tapedeck_storage::durable;

use crate::lock::{self, FolderHolder, FolderLock, LockError};
use crate::retention::Kept;
use crate::{DiskSpace, Manifest};

/// The longest path that a Unix socket can have: `sun_path` has 108 bytes and ends with a 0.
const LONGEST_SOCKET_PATH: usize = 107;

/// Names in a recording's folder.
const MANIFEST: &str = "manifest.json";
const LOG: &str = "log";

/// The layout of a data folder: `work/<id>/` per recording, `rooms/` for the rooms process, `browser/`
/// for the browser that listens to channels of Agora, `webhooks/` for what is to be told, `run/` for
/// sockets, `index/` for the index.
#[derive(Clone, Debug)]
pub struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// Prepares the folder.
    ///
    /// # Errors
    /// It cannot be written, or its path is too long for the sockets in it.
    pub fn prepare(root: &Path) -> io::Result<Self> {
        let longest = root
            .join("run")
            .join("123456789012-c.sock")
            .as_os_str()
            .len();
        if longest > LONGEST_SOCKET_PATH {
            let most = LONGEST_SOCKET_PATH - (longest - root.as_os_str().len());
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "the path of the data folder {} is too long: sockets in it need it to have at most {most} bytes",
                    root.display()
                ),
            ));
        }
        let folder = Self::at(root);
        durable::create_folder(&folder.work_root())?;
        match DirBuilder::new()
            .mode(0o700)
            .create(folder.root.join("run"))
        {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(folder),
        }
    }

    /// Keeps other servers away from this folder for as long as the lock lives. Waits for up to two
    /// seconds. `address` is where this server listens.
    ///
    /// # Errors
    /// Another server has it; the error names it.
    pub fn lock(&self, address: &str) -> Result<FolderLock, LockError> {
        FolderLock::take(&self.root.join("lock"), address)
    }

    /// The layout in `root`, which is not touched.
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The server that uses the folder; the inner `None` is one that did not say who it is.
    ///
    /// # Errors
    /// The lock cannot be looked at.
    pub fn holder(&self) -> io::Result<Option<Option<FolderHolder>>> {
        lock::holder(&self.root.join("lock"))
    }

    /// The room on its disk; `needed_bytes` shall be free.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn space(&self, needed_bytes: u64) -> io::Result<DiskSpace> {
        let status = rustix::fs::statvfs(&self.root)?;
        Ok(DiskSpace {
            free_bytes: status.f_bavail.saturating_mul(status.f_frsize),
            needed_bytes,
        })
    }

    pub fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    /// Where webhooks wait, a file per recording.
    pub fn webhooks(&self) -> PathBuf {
        self.root.join("webhooks")
    }

    pub fn work_root(&self) -> PathBuf {
        self.root.join("work")
    }

    /// The work folder of a recording.
    pub fn work(&self, id: &str) -> PathBuf {
        self.work_root().join(id)
    }

    pub fn manifest(&self, id: &str) -> PathBuf {
        self.work(id).join(MANIFEST)
    }

    /// The file that a render makes; further ones are put beside it.
    pub fn output(&self, id: &str, format: OutputFormat) -> PathBuf {
        let name = format!("output.{}", format.extension());
        self.work(id).join(name)
    }

    /// The control socket of a child, relative to the data folder.
    pub fn socket_name(id: &str, role: Role) -> String {
        let letter = match role {
            Role::Capture => 'c',
            Role::Render => 'r',
        };
        format!("run/{}-{letter}.sock", id.strip_prefix("EG_").unwrap_or(id))
    }

    /// The control socket of a child, absolute.
    pub fn socket(&self, id: &str, role: Role) -> PathBuf {
        self.root.join(Self::socket_name(id, role))
    }

    /// Where the rooms process works.
    pub fn rooms(&self) -> PathBuf {
        self.root.join("rooms")
    }

    /// The control socket of the rooms process.
    pub fn rooms_socket(&self) -> PathBuf {
        self.root.join("run/rooms.sock")
    }

    /// Where captures ask the rooms process for media.
    pub fn rooms_media_socket(&self) -> PathBuf {
        self.root.join("run/rooms-media.sock")
    }

    /// Where the browser host works.
    pub fn browser(&self) -> PathBuf {
        self.root.join("browser")
    }

    /// Where captures find the browser host.
    pub fn browser_socket(&self) -> PathBuf {
        self.root.join("run/browser.sock")
    }

    /// Sockets that belong to no recording: whoever looks after the processes looks after them.
    pub fn shared_sockets(&self) -> [PathBuf; 3] {
        [
            self.rooms_socket(),
            self.rooms_media_socket(),
            self.browser_socket(),
        ]
    }

    /// Whether the socket of a child is there.
    pub fn has_sockets(&self, id: &str) -> bool {
        [Role::Capture, Role::Render]
            .iter()
            .any(|role| self.socket(id, *role).exists())
    }

    /// Removes the sockets of recordings that are none of `ids`, at which nobody listens; tells
    /// which in the log. A deletion or a crash can leave them behind; nothing depends on it.
    pub fn remove_stray_sockets<'a>(&self, ids: impl Iterator<Item = &'a str> + Clone) {
        let entries = match fs::read_dir(self.root.join("run")) {
            Ok(entries) => entries,
            Err(error) => return log::warn!("the folder of sockets cannot be read: {error}"),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_known = self.shared_sockets().contains(&path)
                || ids.clone().any(|id| {
                    [Role::Capture, Role::Render]
                        .iter()
                        .any(|role| self.socket(id, *role) == path)
                });
            if is_known || !entry.file_type().is_ok_and(|kind| kind.is_socket()) {
                continue;
            }
            match UnixStream::connect(&path) {
                Ok(_) => log::warn!(
                    "{} belongs to no recording that is known, but a process listens at it: it is left alone",
                    path.display()
                ),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    match fs::remove_file(&path) {
                        Ok(()) => log::warn!(
                            "{} belonged to no recording and nobody listened at it: it is removed",
                            path.display()
                        ),
                        Err(error) => log::warn!("cannot remove {}: {error}", path.display()),
                    }
                }
                // Gone meanwhile, or not ours.
                Err(_) => {}
            }
        }
    }

    /// The capture log of a recording.
    pub fn log(&self, id: &str) -> PathBuf {
        self.work(id).join(LOG)
    }

    /// Where a rendered file of a recording is, as long as it is on this machine; none if it has no
    /// name.
    pub fn rendered(&self, id: &str, file: &OutputFile) -> Option<PathBuf> {
        Some(self.work(id).join(file.path.file_name()?))
    }

    /// What the folder of a recording holds besides the manifest and what is kept.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn leftovers(&self, manifest: &Manifest, kept: Kept) -> io::Result<Vec<PathBuf>> {
        let files: Vec<PathBuf> = manifest
            .files()
            .filter_map(|(_, file)| self.rendered(&manifest.id, file))
            .collect();
        let log = self.log(&manifest.id);
        let stays =
            |path: &PathBuf| (kept.log && *path == log) || (kept.files && files.contains(path));
        let mut leftovers = self.besides_manifest(&manifest.id)?;
        leftovers.retain(|path| !stays(path));
        Ok(leftovers)
    }

    /// What the folder of a recording holds besides the manifest; nothing without a folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn besides_manifest(&self, id: &str) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(self.work(id)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?;
        paths.retain(|path| path.file_name().is_some_and(|name| name != MANIFEST));
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_sockets_are_removed_unless_somebody_listens() {
        use std::os::unix::net::UnixListener;
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::prepare(temporary.path()).unwrap();
        let socket = |id| folder.socket(id, Role::Capture);
        drop(UnixListener::bind(socket("EG_known")).unwrap());
        drop(UnixListener::bind(socket("EG_stray")).unwrap());
        let _listens = UnixListener::bind(socket("EG_lives")).unwrap();
        let _rooms = UnixListener::bind(folder.rooms_socket()).unwrap();
        std::fs::write(temporary.path().join("run/note"), b"").unwrap();
        folder.remove_stray_sockets(["EG_known"].into_iter());
        assert!(socket("EG_known").exists() && socket("EG_lives").exists());
        assert!(folder.rooms_socket().exists());
        assert!(temporary.path().join("run/note").exists());
        assert!(!socket("EG_stray").exists());
    }

    #[test]
    fn refuses_a_path_too_long_for_sockets_and_says_the_limit() {
        let root = PathBuf::from(format!("/tmp/{}", "x".repeat(90)));
        let error = DataFolder::prepare(&root).unwrap_err().to_string();
        assert!(error.contains("at most 83 bytes"), "{error}");
        assert!(!root.exists());
    }

    #[test]
    fn the_longest_allowed_path_fits_a_socket() {
        let folder = DataFolder {
            root: PathBuf::from(format!("/{}", "x".repeat(82))),
        };
        let socket = folder.socket("EG_123456789012", Role::Capture);
        assert_eq!(socket.as_os_str().len(), LONGEST_SOCKET_PATH);
        for socket in folder.shared_sockets() {
            assert!(socket.as_os_str().len() <= LONGEST_SOCKET_PATH);
        }
    }
}
